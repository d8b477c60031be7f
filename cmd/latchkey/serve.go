package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/server"
)

type serveCommand struct {
	Verbose bool `short:"v" help:"Log more."`
}

func (serveCommand) Help() string {
	return `In a folder without a configuration it makes what init makes. SIGINT or SIGTERM stop it in order.

Example:

    latchkey serve --dir /var/lib/latchkey`
}

// Run serves until it is told to stop.
func (c *serveCommand) Run(ctx context.Context, s *shell) error {
	if _, err := os.Stat(filepath.Join(s.dir(), config.File)); errors.Is(err, fs.ErrNotExist) {
		if _, err := s.initialise(ctx, &initCommand{}); err != nil {
			return err
		}
	}
	conf, err := s.config()
	if err := config.JoinProblems(err, conf.Validate()); err != nil {
		return err
	}
	log := s.log(c.Verbose)
	slog.SetDefault(log) // the OpenID Connect library logs to nothing else: its options for a logger have no effect
	srv, err := server.New(ctx, conf, log)
	if err != nil {
		return err
	}
	return errors.Join(srv.Run(ctx), srv.Close())
}

// log is JSON lines on the error stream.
func (s *shell) log(verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewJSONHandler(s.stderr, &slog.HandlerOptions{Level: level}))
}
