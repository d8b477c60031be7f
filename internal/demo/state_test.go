package demo

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Only loopback addresses are accepted: the demo shows all passwords.
func TestBaseIsThisMachine(t *testing.T) {
	for _, tt := range []struct{ address, want string }{
		{"localhost:8080", "http://localhost:8080"},
		{"127.0.0.1:8081", "http://localhost:8081"},
		{"127.0.0.2:8081", "http://localhost:8081"},
		{"[::1]:8082", "http://localhost:8082"},
		{":8080", ""},
		{"0.0.0.0:8080", ""},
		{"[::]:8080", ""},
		{"192.0.2.1:8080", ""},
		{"localhost.example.org:8080", ""},
		{"example.org:8080", ""},
		{"localhost", ""},
		{"localhost:", ""},
		{"localhost:0", ""},
		{"localhost:65536", ""},
		{"http://localhost:8080", ""},
		{"", ""},
	} {
		got, err := Base(tt.address)
		if (err != nil) != (tt.want == "") || err == nil && got.String() != tt.want {
			t.Errorf("Base(%q) = %v, %v, want %q", tt.address, got, err, tt.want)
		}
	}
}

// preparedState prepares a folder and marks the seed as complete.
func preparedState(t *testing.T, dir, address string) *state {
	t.Helper()
	base, err := Base(address)
	if err != nil {
		t.Fatal(err)
	}
	s, err := prepare(dir, base, false)
	if err != nil {
		t.Fatal(err)
	}
	s.Seeded = true
	if err := s.write(dir); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFolderKeepsItsAddress(t *testing.T) {
	dir, address := t.TempDir(), freeAddress(t)
	preparedState(t, dir, address)
	for _, tt := range []struct {
		name, address string
		fresh         bool
		want          string
	}{
		{"none asked for", "", false, "http://" + address},
		{"the same", address, false, "http://" + address},
		{"another", "localhost:1", false, ""},
		{"another, anew", freeAddress(t), true, "any"},
	} {
		base, err := locate(Options{Dir: dir, Addr: tt.address, Fresh: tt.fresh})
		if (err != nil) != (tt.want == "") || err == nil && tt.want != "any" && base.String() != tt.want {
			t.Errorf("%s: %v, %v, want %q", tt.name, base, err, tt.want)
		}
	}
}

// A running demo is not started twice, and its files are not removed.
func TestFolderOfARunningDemo(t *testing.T) {
	dir, address := t.TempDir(), freeAddress(t)
	preparedState(t, dir, address)
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, o := range []Options{{Dir: dir}, {Dir: dir, Fresh: true}, {Dir: dir, Fresh: true, Addr: freeAddress(t)}} {
		if base, err := locate(o); err == nil {
			t.Errorf("%+v: located at %v while one runs at %s", o, base, address)
		}
	}
}

func TestPrepare(t *testing.T) {
	base, err := Base("localhost:8080")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("the same again", func(t *testing.T) {
		dir := t.TempDir()
		first := preparedState(t, dir, "localhost:8080")
		second, err := prepare(dir, base, false)
		if err != nil || string(second.Key) != string(first.Key) {
			t.Errorf("a second run has another key (%v)", err)
		}
	})
	t.Run("half of one is begun anew", func(t *testing.T) {
		dir := t.TempDir()
		first, err := prepare(dir, base, false)
		if err != nil {
			t.Fatal(err)
		}
		half := filepath.Join(dir, "latchkey.db")
		if err := os.WriteFile(half, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		second, err := prepare(dir, base, false)
		if err != nil || string(second.Key) == string(first.Key) {
			t.Errorf("half a demo was taken for a whole one (%v)", err)
		}
		if _, err := os.Stat(half); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("half a database is still there: %v", err)
		}
	})
	t.Run("fresh takes nothing else", func(t *testing.T) {
		dir := t.TempDir()
		first := preparedState(t, dir, "localhost:8080")
		mine := filepath.Join(dir, "notes.txt")
		if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		second, err := prepare(dir, base, true)
		if err != nil || string(second.Key) == string(first.Key) {
			t.Errorf("fresh kept the old (%v)", err)
		}
		if _, err := os.Stat(mine); err != nil {
			t.Error(err)
		}
	})
	t.Run("a folder of somebody else's", func(t *testing.T) {
		for _, fresh := range []bool{false, true} {
			dir := t.TempDir()
			theirs := filepath.Join(dir, "latchkey.db") // of a server
			if err := os.WriteFile(theirs, []byte("theirs"), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := prepare(dir, base, fresh); err == nil {
				t.Errorf("fresh=%t: taken over", fresh)
			}
			if text, err := os.ReadFile(theirs); string(text) != "theirs" {
				t.Errorf("fresh=%t: %q, %v", fresh, text, err)
			}
		}
	})
	t.Run("damaged", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, stateFile), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := prepare(dir, base, false); err == nil || !strings.Contains(err.Error(), "--fresh") {
			t.Errorf("%v, want an error that names --fresh", err)
		}
		if _, err := prepare(dir, base, true); err != nil {
			t.Error(err)
		}
	})
}

// freeAddress finds a port that is free now.
func freeAddress(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return "localhost:" + port
}
