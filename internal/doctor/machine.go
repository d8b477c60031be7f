package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/location"
	"github.com/latchkey-id/latchkey/internal/server"
)

func (d *Doctor) clock(ctx context.Context, c *report) error {
	const do = "let the machine's clock be set by NTP (chrony, systemd-timesyncd)"
	set, known := clockIsSet()
	switch {
	case known && !set:
		c.warning("the system says that nobody sets this machine's clock: it will drift, and passcodes and signed calls fail with it", do)
	case known:
		c.ok("this machine's clock is set by somebody: %s", d.Now().UTC().Format(time.RFC3339))
	default:
		c.ok("it is %s here; whether somebody sets the clock this system does not say", d.Now().UTC().Format(time.RFC3339))
	}
	if d.Database == nil {
		return nil
	}
	difference, err := server.CompareClocks(ctx, d.Database, d.Now)
	if err != nil {
		return err
	}
	if difference.Known {
		level := OK
		if difference.Apart() > server.ClockWarning {
			level = Warning
		}
		if difference.Apart() > server.ClockError {
			level = Error
		}
		c.atLevel(level, difference.String(), do+fmt.Sprintf(", there and here; beyond %s a server is not ready", server.ClockError))
	}
	latest, err := d.Database.Events().Latest(ctx, "")
	if err != nil {
		return err
	}
	if ahead := latest.Sub(d.Now()); ahead > server.ClockError {
		c.error(fmt.Sprintf("the newest event lies %s in the future: the clock was set back, and passcodes are refused until it has caught up", ahead.Round(time.Second)), do)
	}
	return nil
}

func (d *Doctor) files(_ context.Context, c *report) error {
	conf := d.Config
	private := []string{config.File, conf.TLSKey, conf.Mail.PasswordFile}
	if !conf.KeysApart() {
		private = append(private, conf.KeysFile)
	}
	if !conf.Postgres() {
		private = append(private, conf.Database, conf.Database+"-wal")
	}
	checked := 0
	for _, name := range private {
		if name == "" {
			continue
		}
		info, err := os.Stat(conf.Path(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // the check of the configuration reports missing files
		}
		if err != nil {
			return err
		}
		checked++
		if mode := info.Mode().Perm(); mode&0o077 != 0 && filepath.Separator == '/' {
			c.error(fmt.Sprintf("others than its owner may use %s (mode %04o)", conf.Path(name), mode), "chmod 600 "+conf.Path(name))
		}
	}
	if len(c.findings) == 0 {
		c.ok("%d files are their owner's alone", checked)
	}
	return nil
}

// Free space in bytes below which operators are warned, and below which logins are about to fail,
// because every login writes.
const (
	diskWarning = 1 << 30
	diskError   = 100 << 20
)

func (d *Doctor) disk(_ context.Context, c *report) error {
	dir, what := d.Config.Dir(), "the server's folder"
	if !d.Config.Postgres() {
		dir, what = filepath.Dir(d.Config.Source()), "the database"
	}
	free, known, err := freeSpace(dir)
	if err != nil {
		return err
	}
	if !known {
		c.ok("how much space is left this system does not say")
		return nil
	}
	level := OK
	if free < diskWarning {
		level = Warning
	}
	if free < diskError {
		level = Error
	}
	c.atLevel(level, fmt.Sprintf("%d MiB are free where %s is (%s)", free>>20, what, dir), "make room: when it is full nobody can log in")
	return nil
}

// locationsStale is the age of a location database at which operators are warned:
// addresses are handed on, and its makers publish anew every week or month.
const locationsStale = 90 * 24 * time.Hour

func (d *Doctor) locations(_ context.Context, c *report) error {
	name := d.Config.LocationDatabase
	if name == "" {
		c.ok("no location database is configured: people are shown addresses without a place")
		return nil
	}
	found, err := location.Check(d.Config.Path(name))
	switch {
	case err != nil:
		c.warning("the location database cannot be used: "+err.Error(), "put a MaxMind DB of cities or countries where location_database says; until then people are shown addresses without a place, or by the last one that a running server could read")
	case d.Now().Sub(found.Built) > locationsStale:
		c.warning(fmt.Sprintf("the location database (%s) was built %s ago: places of addresses that were handed on since are wrong", found.Type, ago(d.Now().Sub(found.Built))), "replace the file by a newer one; it is read again within a minute")
	default:
		c.ok("the location database is %s, built on %s", found.Type, found.Built.UTC().Format(time.DateOnly))
	}
	return nil
}
