package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/doctor"
)

type doctorCommand struct{}

func (doctorCommand) Help() string {
	return `Looks at the configuration, the clock, modes of files, the disk, the database, keys and their ages, backups, the way of mails, the address people come to with its certificate, what depends on it, and whether push services answer. It changes nothing and mails nothing. With an error among what it finds, it exits with 1.

Example:

    latchkey doctor --dir /var/lib/latchkey --json`
}

// Run says what the doctor finds.
func (doctorCommand) Run(ctx context.Context, s *shell) error {
	conf, err := s.config()
	var problems config.Problems
	if err != nil && !errors.As(err, &problems) {
		return err
	}
	d := &doctor.Doctor{Config: conf, Now: time.Now}
	if err != nil {
		d.Problems = err
	}
	if d.Database, d.OpenError = openUnchecked(ctx, conf); d.Database != nil {
		defer d.Database.Close()
	}
	findings := d.Examine(ctx)
	errs := 0
	for _, f := range findings {
		if f.Level == doctor.Error {
			errs++
		}
		if s.flags.JSON {
			continue
		}
		if _, err := fmt.Fprintf(s.stdout, "%-8s %s: %s\n", f.Level, f.Check, printable(f.Text)); err != nil {
			return err
		}
		if f.Do != "" {
			fmt.Fprintf(s.stdout, "         → %s\n", printable(f.Do))
		}
	}
	if s.flags.JSON {
		if err := s.encode(findings); err != nil {
			return err
		}
	}
	switch errs {
	case 0:
		return nil
	case 1:
		return errors.New("there is an error among what was found")
	}
	return fmt.Errorf("there are %d errors among what was found", errs)
}
