package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// An InstalledError says that a database belongs to an installation already, and what to
// do.
type InstalledError struct {
	Database string // without user and password
	store.Occupant
	Keys string // where the keys of this folder are, or would be
	Here bool   // whether there are keys
}

// Opens reports whether the keys of this folder are those of the database, so that
// [Join] can be called.
func (e *InstalledError) Opens() bool { return e.Here && e.Occupant.Keys == nil }

func (e *InstalledError) Error() string {
	text := "the database " + e.Database + " belongs to an installation"
	if len(e.Tenants) > 0 {
		text += " (tenant " + strings.Join(e.Tenants, ", ") + ")"
	}
	switch {
	case e.Opens():
		return text + `, whose keys are here: "latchkey init --join" makes a configuration for it. A new installation needs another database (--database)`
	case e.Here:
		return fmt.Sprintf(`%s, and %s does not hold its keys: %v. For a further node copy the keys of another node there and say "latchkey init --join"; `+
			`a new installation needs another database (--database)`, text, e.Keys, e.Occupant.Keys)
	}
	return fmt.Sprintf(`%s, and its keys are not here. For a further node copy the keys of another node to %s and say "latchkey init --join"; `+
		`a new installation needs another database (--database)`, text, e.Keys)
}

// Init makes what a server needs: folder, keys, database, first tenant and, last, the
// configuration, which says that all the rest is there. A folder that has a
// configuration is an error that is fs.ErrExist, and a database that belongs to an
// installation an [InstalledError]. If it fails, it removes whatever it made; keys that
// were there before are used and stay.
func Init(ctx context.Context, c config.Config, who identity.Principal, first identity.Tenant) (err error) {
	if err := admin.CheckTenant(first); err != nil {
		return err
	}
	if err := CheckNew(ctx, c); err != nil {
		return err
	}
	m := &making{config: c}
	whole := false
	defer func() {
		if !whole {
			err = errors.Join(err, m.undo(context.WithoutCancel(ctx)))
		}
	}()
	if err := m.files(); err != nil {
		return err
	}
	if err := m.database(ctx, who, first); err != nil {
		return err
	}
	if err := c.Write(); err != nil {
		return err
	}
	whole = true
	return m.db.Close()
}

// Join makes a configuration for a database that belongs to an installation, and whose
// keys are there: for a further node, or where the configuration was lost. It changes
// nothing in the database.
func Join(ctx context.Context, c config.Config) (err error) {
	if err := notThere(c); err != nil {
		return err
	}
	if _, err := c.Keys(); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there are no keys: copy those of another node to %s, or name them by LATCHKEY_KEYS", c.KeysName())
	}
	if !c.Postgres() {
		if _, err := os.Stat(c.Source()); err != nil {
			return fmt.Errorf("there is no database at %s; --database names another", c.Source())
		}
	}
	db, err := OpenDatabase(ctx, c)
	if err != nil {
		return err
	}
	there, err := db.Occupant(ctx)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	if len(there.Tenants) == 0 {
		return fmt.Errorf(`the database %s belongs to no installation yet: "latchkey init" without --join makes one`, store.Where(c.Source()))
	}
	m := &making{config: c}
	if err = m.folder(c.Dir()); err == nil {
		err = c.Write()
	}
	if err != nil {
		return errors.Join(err, m.undo(ctx))
	}
	return nil
}

// notThere returns an error if the folder has a configuration.
func notThere(c config.Config) error {
	if _, err := os.Stat(filepath.Join(c.Dir(), config.File)); err == nil {
		return fmt.Errorf("there is a %s in %s: %w", config.File, c.Dir(), fs.ErrExist)
	}
	return nil
}

// CheckNew returns the error with which [Init] would refuse the folder or the database.
// It writes nothing.
func CheckNew(ctx context.Context, c config.Config) error {
	if err := notThere(c); err != nil {
		return err
	}
	if !c.Postgres() {
		if info, err := os.Stat(c.Source()); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
			return nil
		}
	}
	keys, err := c.Keys()
	here := err == nil
	if errors.Is(err, fs.ErrNotExist) {
		keys, err = store.NewKeyring(), nil // it opens nothing, and is forgotten
	}
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, c.Store(keys))
	if err != nil {
		return err
	}
	there, err := db.Occupant(ctx)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	if there.Exists() {
		return &InstalledError{Database: store.Where(c.Source()), Occupant: there, Keys: c.KeysName(), Here: here}
	}
	return nil
}

// A making is what an init has made so far.
type making struct {
	config  config.Config
	folders []string // outermost first
	made    []string // files, besides the database's
	file    bool     // whether the file of an SQLite database was made

	db     *store.DB
	before []string // tables of ours that were in the database
	listed bool     // whether before is known
	theirs bool     // whether another init makes its installation in the database
	tenant string   // the id of the first tenant
}

// folder makes a folder and its parents.
func (m *making) folder(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if up := filepath.Dir(dir); up != dir {
		if err := m.folder(up); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	m.folders = append(m.folders, dir)
	return nil
}

// files makes the folder, the keys and the file of an SQLite database.
func (m *making) files() error {
	c := m.config
	if err := m.folder(c.Dir()); err != nil {
		return err
	}
	if _, err := os.Lstat(c.Path(c.KeysFile)); errors.Is(err, fs.ErrNotExist) && !c.KeysApart() {
		m.made = append(m.made, c.Path(c.KeysFile))
	}
	if err := c.MakeKeys(); err != nil || c.Postgres() {
		return err
	}
	// SQLite itself would make one that others on the machine may read; what it keeps
	// beside it takes after it.
	f, err := os.OpenFile(c.Source(), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	m.file = true
	return f.Close()
}

// database makes the tables and the first tenant.
func (m *making) database(ctx context.Context, who identity.Principal, first identity.Tenant) error {
	keys, err := m.config.Keys()
	if err != nil {
		return err
	}
	if m.db, err = store.Open(ctx, m.config.Store(keys)); err != nil {
		return err
	}
	if m.before, err = m.db.OwnTables(ctx); err != nil {
		return err
	}
	m.listed = true
	if err := m.db.Migrate(ctx); err != nil {
		return err
	}
	// Of two that begin at once, the keys of one seal what there is one of, and one adds
	// the first tenant. The database is that one's.
	if err := checkKeys(ctx, m.config, m.db); err != nil {
		_, m.theirs = errors.AsType[*KeysError](err)
		return err
	}
	first, err = admin.AddFirstTenant(ctx, m.db, who, first)
	if err != nil {
		m.theirs = errors.Is(err, identity.Conflict)
		return err
	}
	m.tenant = first.ID
	return nil
}

// undo removes what was made. In a PostgreSQL database, or in a file that was there
// before, it drops the tables; from a database that another init uses it takes nothing.
func (m *making) undo(ctx context.Context) error {
	var errs []error
	if m.db != nil {
		if m.listed && !m.theirs {
			used, err := m.db.Discard(ctx, m.before, m.tenant)
			m.theirs = used
			errs = append(errs, err)
		}
		errs = append(errs, m.db.Close())
	}
	remove := m.made
	if m.file && !m.theirs {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			remove = append(remove, m.config.Source()+suffix)
		}
	}
	for _, name := range remove {
		if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	for _, dir := range slices.Backward(m.folders) {
		errs = append(errs, os.Remove(dir))
	}
	return errors.Join(errs...)
}
