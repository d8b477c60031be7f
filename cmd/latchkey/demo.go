package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/latchkey-id/latchkey/internal/demo"
)

type demoCommand struct {
	Addr  string `placeholder:"HOST:PORT" help:"The address to listen on, of this machine alone. Default: localhost:8080, or the folder's."`
	Fresh bool   `help:"Begin anew, forgetting what is in the folder."`
}

func (demoCommand) Help() string {
	return `It has a folder of its own for each port, or --dir, which keeps what happens from one run to the next. With --json it says where everything is, in one object, once it listens.

Examples:

    latchkey demo

    latchkey demo --dir /tmp/demo --addr localhost:8081 --fresh --json`
}

// Run runs the demo until it is told to stop.
func (c *demoCommand) Run(ctx context.Context, s *shell) error {
	port := ""
	if c.Addr != "" {
		base, err := demo.Base(c.Addr)
		if err != nil {
			return usageErrorf("%w", err)
		}
		port = base.Port()
	}
	dir := s.flags.Dir
	if dir == "" {
		var err error
		if dir, err = s.demoFolder(port); err != nil {
			return err
		}
	}
	return demo.Run(ctx, demo.Options{Dir: dir, Addr: c.Addr, Fresh: c.Fresh, JSON: s.flags.JSON, Stdout: s.stdout, Stderr: s.stderr})
}

// demoFolder is the folder of a demo at a port, where none is named. What was set up in
// a demo is bound to its address, so one at another port has another folder.
func (s *shell) demoFolder(port string) (string, error) {
	state := s.getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) { // as the XDG specification wants it
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("name a folder for the demo by --dir: %w", err)
		}
		state = filepath.Join(home, ".local", "state")
	}
	dir := filepath.Join(state, "latchkey-demo")
	if port != "" && port != demo.DefaultPort {
		dir += "-" + port
	}
	return dir, nil
}
