package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A process is a server that runs.
type process struct {
	cmd     *exec.Cmd
	ended   chan error
	address string        // where it serves people
	second  string        // its address for machines: readiness and profiles
	readyIn time.Duration // from the start to the first "ready"
}

// logFile is what all servers of an installation log to.
const logFile = "server.log"

// startLimit is how long a server may take to be ready.
const startLimit = 30 * time.Second

// start runs the binary in an installation's folder until it is ready, listening at an
// address. What it logs goes to a file there.
func start(ctx context.Context, binary string, h *installation, address string) (*process, error) {
	second, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(h.config.Dir(), logFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the server has its own
	p := &process{cmd: exec.CommandContext(ctx, binary, "serve", "--dir", h.config.Dir()), ended: make(chan error, 1), address: address, second: second}
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = startLimit
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "LATCHKEY_") }),
		"LATCHKEY_LISTEN="+address, "LATCHKEY_METRICS_LISTEN="+second)
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.ended <- p.cmd.Wait() }()
	for time.Since(began) < startLimit {
		select {
		case err := <-p.ended:
			said, _ := os.ReadFile(log.Name()) // whatever there is
			return nil, fmt.Errorf("%s did not start: %w\n%s", binary, err, said)
		case <-time.After(2 * time.Millisecond):
		}
		if p.ready(ctx) {
			p.readyIn = time.Since(began)
			return p, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("%s is not ready after %s", binary, startLimit), p.stop())
}

func (p *process) ready(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.second+"/readyz", nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// stop ends the server as an operator would.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return <-p.ended
}

// profile writes a CPU profile of the server of so long to a file.
func (p *process) profile(ctx context.Context, d time.Duration, file string) error {
	address := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", p.second, max(1, int(d.Seconds())))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("profile: %s", res.Status)
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, res.Body)
	return errors.Join(err, f.Close())
}

// tick is the unit of time in /proc: Linux shows programs a hundredth of a
// second on every machine (proc(5), sysconf(_SC_CLK_TCK)).
const tick = 10 * time.Millisecond

// cpu is the time a process has spent on CPUs, in its own code and in the
// kernel's for it. pid may be "self", which is told to the microsecond; others are told
// in ticks.
func cpu(pid string) (time.Duration, error) {
	if pid == "self" {
		var used syscall.Rusage
		err := syscall.Getrusage(syscall.RUSAGE_SELF, &used)
		return time.Duration(used.Utime.Nano() + used.Stime.Nano()), err
	}
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold anything; utime and stime are the 12th
	// and 13th fields behind it.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%s/stat has %d fields", pid, len(fields))
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, errors.Join(err1, err2)
}

// busy is the time all CPUs together have spent on whatever it was (proc(5),
// /proc/stat).
func busy() (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	var user, nice, system, idle, wait, irq, soft, steal int64
	if _, err := fmt.Sscanf(string(stat), "cpu %d %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &wait, &irq, &soft, &steal); err != nil {
		return 0, fmt.Errorf("/proc/stat: %w", err)
	}
	return time.Duration(user+nice+system+irq+soft+steal) * tick, nil
}

func (p *process) pid() string { return strconv.Itoa(p.cmd.Process.Pid) }

// forgetPeak lets the peak of memory begin anew (proc(5), clear_refs).
func (p *process) forgetPeak() error {
	return os.WriteFile("/proc/"+p.pid()+"/clear_refs", []byte("5"), 0)
}

// memory returns the resident memory of the server, now and at its peak, in MiB.
func (p *process) memory() (now, peak float64, err error) {
	status, err := os.ReadFile("/proc/" + p.pid() + "/status")
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(status)) {
		var kib float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kib); n == 1 {
			peak = kib / 1024
		}
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kib); n == 1 {
			now = kib / 1024
		}
	}
	return now, peak, nil
}
