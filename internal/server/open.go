package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A KeysError says that the keys at hand are not those of the database, and what to do.
type KeysError struct {
	Keys     string // where the keys are
	Database string // which database, without user and password
	Err      error  // a [store.KeyError]
}

func (e *KeysError) Error() string {
	return fmt.Sprintf("%s does not hold the keys of the database %s: %v. Put back the keys that belong to this database: their copy, "+
		"those of another node, or those of a backup; or name the database that belongs to these keys", e.Keys, e.Database, e.Err)
}

func (e *KeysError) Unwrap() error { return e.Err }

// OpenDatabase opens the database of a configuration, and refuses keys that do not open
// what is in it with a [KeysError]. It does not migrate.
func OpenDatabase(ctx context.Context, c config.Config) (*store.DB, error) {
	return openChecked(ctx, c, store.Options{})
}

func openChecked(ctx context.Context, c config.Config, o store.Options) (*store.DB, error) {
	keys, err := c.Keys()
	if err != nil {
		return nil, err
	}
	configured := c.Store(keys)
	o.Source, o.Keys, o.Timeout = configured.Source, configured.Keys, configured.Timeout
	db, err := store.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := checkKeys(ctx, c, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func checkKeys(ctx context.Context, c config.Config, db *store.DB) error {
	err := db.CheckKeys(ctx)
	if wrong, ok := errors.AsType[*store.KeyError](err); ok {
		return &KeysError{c.KeysName(), store.Where(c.Source()), wrong}
	}
	return err
}

// open is OpenDatabase for a server: it waits for a database that does not answer yet,
// and brings it up to date. o has nothing that the configuration says.
func open(ctx context.Context, c config.Config, o store.Options) (*store.DB, error) {
	if err := WaitForDatabase(ctx, c, o.Log); err != nil {
		return nil, err
	}
	db, err := openChecked(ctx, c, o)
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// Pauses between two tries to reach a database, and how often it is logged that it
// still does not answer.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
	logEvery     = 15 * time.Second
)

// WaitForDatabase waits until the database server answers, for as long as the
// configuration says. What cannot pass by itself, such as a wrong password, is not
// waited for.
func WaitForDatabase(ctx context.Context, c config.Config, log *slog.Logger) error {
	wait, err := c.WaitForDatabase()
	if err != nil {
		return err
	}
	if !c.Postgres() {
		return nil
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	began, pause, logged, said := time.Now(), firstPause, time.Time{}, ""
	for {
		err := store.Reach(ctx, c.Source())
		problem, unreachable := errors.AsType[*store.UnreachableError](err)
		left := wait - time.Since(began)
		switch {
		case err == nil && said != "":
			log.InfoContext(ctx, "the database answers", "after", time.Since(began).Round(time.Millisecond).String())
			return nil
		case err == nil || ctx.Err() != nil || !unreachable:
			return err
		case !problem.Temporary:
			return fmt.Errorf("%w. Look at database in %s", problem, c.Path(config.File))
		case left <= 0:
			return fmt.Errorf("%w (waited %s for it). Start the database server, or look at database in %s; database_wait there says how long a start waits",
				problem, wait, c.Path(config.File))
		}
		if problem.Why != said || time.Since(logged) >= logEvery {
			log.WarnContext(ctx, "waiting for the database", "database", problem.Where, "problem", problem.Why, "at most", left.Round(time.Second).String())
			said, logged = problem.Why, time.Now()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(pause, left)):
		}
		pause = min(2*pause, longestPause)
	}
}
