package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/server"
)

type serveCommand struct {
	Verbose bool `short:"v" help:"Log more."`
}

func (serveCommand) Help() string {
	return `In a folder without a configuration it makes what init makes; if the database belongs to an installation and its keys are there, what init --join makes. A PostgreSQL server that does not answer yet is waited for (database_wait). SIGINT or SIGTERM stop it in order.

Example:

    latchkey serve --dir /var/lib/latchkey`
}

// Run serves until it is told to stop.
func (c *serveCommand) Run(ctx context.Context, s *shell) error {
	log := s.log(c.Verbose)
	slog.SetDefault(log) // the OpenID Connect library logs to nothing else: its options for a logger have no effect
	if _, err := os.Stat(filepath.Join(s.dir(), config.File)); errors.Is(err, fs.ErrNotExist) {
		if err := s.begin(ctx, log); err != nil {
			return err
		}
	}
	conf, err := s.config()
	if err := config.JoinProblems(err, conf.Validate()); err != nil {
		return err
	}
	// A hash of a password keeps a core for some 20 ms, and as many are computed at once as
	// there are cores. So many more threads may run, so that whatever waits for the network
	// or the database goes on at once, and the operating system shares the cores: during a
	// flood of wrong passwords, who is signed in would wait for hashes at every statement
	// otherwise (T-ADM-15).
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + runtime.NumCPU())
	srv, err := server.New(ctx, conf, log)
	if err != nil {
		return err
	}
	return errors.Join(srv.Run(ctx), srv.Close())
}

// begin makes what a folder without a configuration needs: what init makes or, where
// the database belongs to an installation whose keys are at hand, what init --join
// makes. A container begins with an empty folder each time, and has its keys from
// elsewhere.
func (s *shell) begin(ctx context.Context, log *slog.Logger) error {
	var c initCommand
	conf, err := c.configuration(s)
	if err != nil {
		return err
	}
	if err := server.WaitForDatabase(ctx, conf, log); err != nil {
		return err
	}
	err = server.CheckNew(ctx, conf)
	if there, ok := errors.AsType[*server.InstalledError](err); ok && there.Opens() {
		return server.Join(ctx, conf)
	}
	if err != nil {
		return err
	}
	first, err := c.firstTenant(ctx, s, conf)
	if err != nil {
		return err
	}
	return server.Init(ctx, conf, s.principal(), first)
}

// log is JSON lines on the error stream.
func (s *shell) log(verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewJSONHandler(s.stderr, &slog.HandlerOptions{Level: level}))
}
