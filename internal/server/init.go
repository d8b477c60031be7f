package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Init makes what a server needs: folder, keys, database, first tenant and,
// last, the configuration, which says that all the rest is there. What a try
// that was cut short left behind is kept. A folder that has a configuration is
// an error that is fs.ErrExist.
func Init(ctx context.Context, c config.Config, who identity.Principal, first identity.Tenant) error {
	if _, err := os.Stat(filepath.Join(c.Dir(), config.File)); err == nil {
		return fmt.Errorf("there is a %s in %s: %w", config.File, c.Dir(), fs.ErrExist)
	}
	if err := os.MkdirAll(c.Dir(), 0o700); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	if err := errors.Join(c.MakeKeys(), makePrivate(c)); err != nil {
		return err
	}
	db, err := open(ctx, c, nil, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.TenantBySlug(ctx, first.Slug)
	if errors.Is(err, identity.NotFound) {
		_, err = admin.AddTenant(ctx, db, who, first)
	}
	if err != nil {
		return err
	}
	return c.Write()
}

// makePrivate makes the file of an SQLite database. SQLite itself would make
// one that others on the machine may read; what it keeps beside it takes after
// it.
func makePrivate(c config.Config) error {
	if c.Postgres() {
		return nil
	}
	f, err := os.OpenFile(c.Source(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	return f.Close()
}

// open opens the database and brings it up to date. log and observe may be nil.
func open(ctx context.Context, c config.Config, log *slog.Logger, observe func(context.Context, store.Statement)) (*store.DB, error) {
	keys, err := c.Keys()
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, store.Options{Source: c.Source(), Keys: keys, Log: log, Observe: observe})
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}
