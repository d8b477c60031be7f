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
	return `It has a folder of its own, --dir, which keeps what happens from one run to the next. With --json it says where everything is, in one object, once it listens.

Examples:

    latchkey demo

    latchkey demo --dir /tmp/demo --addr localhost:8081 --fresh --json`
}

// Run runs the demo until it is told to stop.
func (c *demoCommand) Run(ctx context.Context, s *shell) error {
	dir := s.flags.Dir
	if dir == "" {
		state := s.getenv("XDG_STATE_HOME")
		if !filepath.IsAbs(state) { // as the XDG specification wants it
			home, err := os.UserHomeDir()
			if err != nil {
				return fmt.Errorf("name a folder for the demo by --dir: %w", err)
			}
			state = filepath.Join(home, ".local", "state")
		}
		dir = filepath.Join(state, "latchkey-demo")
	}
	if c.Addr != "" {
		if _, err := demo.Base(c.Addr); err != nil {
			return usageErrorf("%w", err)
		}
	}
	return demo.Run(ctx, demo.Options{Dir: dir, Addr: c.Addr, Fresh: c.Fresh, JSON: s.flags.JSON, Stdout: s.stdout, Stderr: s.stderr})
}
