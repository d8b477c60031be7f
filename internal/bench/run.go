package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// measureOne runs the scenarios on one database.
func measureOne(ctx context.Context, o options, database string, progress func(format string, args ...any)) (run Run, err error) {
	run.Database = engine(database)
	dir, err := os.MkdirTemp("", "latchkey-bench.")
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	progress("%s: what this machine can do", run.Database)
	y, err := newYardsticks()
	if err != nil {
		return run, err
	}
	if run.Machine, err = y.machine(dir, o); err != nil {
		return run, err
	}
	progress("%s: %d people move in", run.Database, o.users)
	h, err := install(ctx, filepath.Join(dir, "installation"), database, o)
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, h.drop()) }()
	p, err := run.begin(ctx, o, h)
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, p.stop(), run.complaints(h)) }()
	r := &rig{installation: h, process: p}
	if r.relying, err = newRelying(ctx, h.config.BaseURL); err != nil {
		return run, err
	}
	for _, s := range scenarios {
		if !o.asksFor(s.name) || s.nodes && run.Database == "SQLite" || s.here && o.base != "" {
			continue
		}
		progress("%s: %s", run.Database, s.title)
		row, err := r.row(ctx, o, s, y, run.Database)
		if err != nil {
			return run, fmt.Errorf("%s: %w", s.name, err)
		}
		run.Rows = append(run.Rows, row)
	}
	run.judge()
	return run, ctx.Err()
}

// row runs one scenario: over and over for a while, or once as a whole.
func (r *rig) row(ctx context.Context, o options, s scenario, y yardsticks, database string) (row Row, err error) {
	if s.nodes {
		address, err := freeAddress(ctx)
		if err != nil {
			return row, err
		}
		if r.second, err = start(ctx, o.binary, r.installation, address); err != nil {
			return row, err
		}
		defer func() { err = errors.Join(err, r.second.stop()) }()
	}
	if s.whole != nil {
		return s.whole(ctx, r, o, s)
	}
	return r.load(ctx, o, s, y, database)
}

// starts is how often the server is started to see how fast it is ready.
const starts = 5

// begin starts the server on a folder that exists, several times, and looks at
// the last one at rest.
func (run *Run) begin(ctx context.Context, o options, h *installation) (p *process, err error) {
	times := starts
	if o.quick {
		times = 1
	}
	var ready []time.Duration
	for i := range times {
		if i > 0 {
			if err := p.stop(); err != nil {
				return nil, err
			}
		}
		if p, err = start(ctx, o.binary, h, strings.TrimPrefix(h.config.BaseURL, "http://")); err != nil {
			return nil, err
		}
		ready = append(ready, p.readyIn)
	}
	slices.Sort(ready)
	run.ReadyMS = milliseconds(ready[len(ready)/2])
	if !o.quick {
		time.Sleep(time.Second)
	}
	run.IdleMiB, _, err = p.memory()
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// complaints counts what the server logged as its own failures.
func (run *Run) complaints(h *installation) error {
	log, err := os.ReadFile(filepath.Join(h.config.Dir(), logFile))
	if err != nil {
		return err
	}
	run.Complaints = complaintsIn(log)
	return nil
}
