package e2e

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
)

// A postgresServer is one of the test's own, so that it may be stopped.
type postgresServer struct {
	t        *testing.T
	bin, dir string
	as       *syscall.Credential // PostgreSQL refuses to run as root
	running  bool
}

func startPostgres(t *testing.T) *postgresServer {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		t.Fatal(err)
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		found = append(found, path)
	}
	need(t, "PostgreSQL's initdb", len(found) > 0)
	initdb, err := filepath.EvalSymlinks(slices.Max(found)) // the other programs lie beside it
	if err != nil {
		t.Fatal(err)
	}
	s := newPostgres(t, filepath.Dir(initdb))
	s.run("initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	s.start()
	return s
}

// newPostgres is a server without data, which is stopped with the test.
func newPostgres(t *testing.T, bin string) *postgresServer {
	t.Helper()
	dir, err := os.MkdirTemp("", "lk") //nolint:usetesting // a socket's path may have some hundred bytes, and t.TempDir's is longer
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &postgresServer{t: t, bin: bin, dir: dir}
	if os.Geteuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if s.running {
			s.stop("immediate")
		}
	})
	return s
}

// replica makes an asynchronous replica, which is not started.
func (s *postgresServer) replica() *postgresServer {
	s.t.Helper()
	r := newPostgres(s.t, s.bin)
	r.run("pg_basebackup", "-h", s.dir, "-U", "postgres", "-D", r.data(), "--write-recovery-conf", "--checkpoint=fast", "--no-sync")
	return r
}

func (s *postgresServer) data() string { return filepath.Join(s.dir, "data") }

func (s *postgresServer) source() string { return "postgres://postgres@/postgres?host=" + s.dir }

func (s *postgresServer) start() {
	s.t.Helper()
	s.control("start", "-l", filepath.Join(s.dir, "log"), "-o", "-k "+s.dir+" -c listen_addresses=")
	s.running = true
}

func (s *postgresServer) stop(mode string) {
	s.t.Helper()
	s.control("stop", "-m", mode)
	s.running = false
}

func (s *postgresServer) control(args ...string) {
	s.t.Helper()
	s.run("pg_ctl", append([]string{"-D", s.data(), "-s", "-w"}, args...)...)
}

func (s *postgresServer) run(program string, args ...string) {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(s.bin, program), args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	// A server that pg_ctl leaves behind would hold a pipe of ours open.
	log, err := os.Create(filepath.Join(s.t.TempDir(), program))
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(log.Name())
		s.t.Fatalf("%s %v: %v\n%s", program, args, err, said)
	}
}
