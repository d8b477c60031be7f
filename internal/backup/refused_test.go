package backup

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// A restore requires an empty target and otherwise says why it fails.
func TestQLT2_RestoreIntoEmptyPlacesOnly(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		file := makeBackup(t, h)
		full := t.TempDir()
		if err := os.WriteFile(filepath.Join(full, "something"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		empty := storetest.Empty(t)["sqlite"]
		for _, tt := range []struct {
			name, dir, database, says string
		}{
			{"a folder with something in it", full, empty, `"something" is in it`},
			{"the database that is in use", filepath.Join(t.TempDir(), "new"), h.Source, ""},
			{"the one that the backup names", filepath.Join(t.TempDir(), "new"), "", ""},
		} {
			_, err := Restore(t.Context(), Target{Dir: tt.dir, Database: tt.database}, operator, file, passphrase, quiet)
			if err == nil || !strings.Contains(err.Error(), tt.says) || tt.says == "" && !errors.Is(err, store.ErrNotEmpty) && !errors.Is(err, fs.ErrExist) {
				t.Errorf("%s: %v", tt.name, err)
			}
			if _, err := os.Stat(tt.dir); tt.dir != full && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: the folder stays", tt.name)
			}
		}
		if u, err := h.DB.Users().Get(t.Context(), h.Tenant.ID, h.User.ID); err != nil || u.Name != h.User.Name {
			t.Errorf("the database in use: %+v, %v", u, err)
		}
	})
}

// A PostgreSQL database in which a server was started, but no tenant was added, counts as empty.
func TestRestore_IntoMigratedDatabase(t *testing.T) {
	target, ok := storetest.Empty(t)["postgres"]
	if !ok {
		t.Skip("TEST_POSTGRES names no server")
	}
	h := storetest.SQLite(t)
	db, err := store.Open(t.Context(), store.Options{Source: target, Keys: store.NewKeyring()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = errors.Join(db.Migrate(t.Context()), db.InTx(t.Context(), operator, func(tx *store.Tx) error {
		_, err := tx.Lease(t.Context(), "sweeper", "node", time.Now())
		return errors.Join(err, tx.Installation().NoteOrigin(t.Context(), "https://old.example.org"))
	}))
	if err != nil {
		t.Fatal(err)
	}
	_, copied := restoreBackup(t, h, makeBackup(t, h), target)
	if u, err := copied.Users().Get(t.Context(), h.Tenant.ID, h.User.ID); err != nil || u.Name != h.User.Name {
		t.Errorf("user: %+v, %v", u, err)
	}
}

// A damaged file leaves nothing behind, wherever the damage is.
func TestQLT2_DamagedFilesLeaveNothing(t *testing.T) {
	h := storetest.SQLite(t)
	h.Do(t, func(tx *store.Tx) error { // some chunks of it
		for range 300 {
			if err := tx.Event(t.Context(), audit.Event{Kind: audit.UserChanged, Data: map[string]string{"x": string(noise(600))}}); err != nil {
				return err
			}
		}
		return nil
	})
	whole, err := os.ReadFile(makeBackup(t, h))
	if err != nil {
		t.Fatal(err)
	}
	if len(whole) < 3*chunkSize {
		t.Fatalf("%d bytes are too few for this test", len(whole))
	}
	plain, err := opened(whole, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string][]byte{
		"sealed with more": sealed(t, append(slices.Clone(plain), 0)),
		"sealed with less": sealed(t, plain[:len(plain)-1]),
		"header":           flip(whole, len(magic)+10),
		"first chunk":      flip(whole, headerSize+macSize+5),
		"second chunk":     flip(whole, headerSize+macSize+chunkSize+16+5),
		"last byte":        flip(whole, len(whole)-1),
		"cut at an edge":   whole[:headerSize+macSize+2*(chunkSize+16)],
		"cut":              whole[:len(whole)-1],
		"longer":           append(slices.Clone(whole), 0),
		"empty":            nil,
	} {
		dir := t.TempDir()
		file, place := filepath.Join(dir, "backup"), filepath.Join(dir, "place")
		if err := os.WriteFile(file, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(t.Context(), file, passphrase, quiet); err == nil {
			t.Errorf("%s: verified", name)
		}
		to := Target{Dir: place, Database: filepath.Join(place, "l.db")}
		if _, err := Restore(t.Context(), to, operator, file, passphrase, quiet); err == nil {
			t.Errorf("%s: restored", name)
		}
		if _, err := os.Stat(place); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: something was left behind", name)
		}
	}
}

func flip(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 1
	return b
}

func TestRestore_WrongPassphrase(t *testing.T) {
	h := storetest.SQLite(t)
	to := Target{Dir: filepath.Join(t.TempDir(), "new")}
	_, err := Restore(t.Context(), to, operator, makeBackup(t, h), "incorrect horse", quiet)
	if !errors.Is(err, ErrPassphrase) {
		t.Errorf("%v, want ErrPassphrase", err)
	}
}

// Keys from an environment variable are not written into a file. Other keys than the backup's are
// refused.
func TestRestore_KeysInAVariable(t *testing.T) {
	h := storetest.SQLite(t)
	file := makeBackup(t, h)
	restore := func(keys string) (Restored, error) {
		to := Target{Dir: filepath.Join(t.TempDir(), "new"), Environment: config.Environment{"LATCHKEY_KEYS=" + keys}}
		to.Database = filepath.Join(to.Dir, "l.db")
		return Restore(t.Context(), to, operator, file, passphrase, quiet)
	}
	r, err := restore(h.Keys.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(r.Config.Path("latchkey.keys")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the keys were written: %v", err)
	}
	if _, err := restore(store.NewKeyring().Encode()); err == nil || !strings.Contains(err.Error(), "not those of the backup") {
		t.Errorf("with other keys: %v", err)
	}
}

func TestMake_Refuses(t *testing.T) {
	h := storetest.SQLite(t)
	c := folder(t, h)
	file := filepath.Join(t.TempDir(), "backup")
	if _, err := Make(t.Context(), c, h.DB, operator, file, "short", quiet); !errors.Is(err, identity.Invalid) {
		t.Errorf("a short passphrase: %v, want Invalid", err)
	}
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Make(t.Context(), c, h.DB, operator, file, passphrase, quiet); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a file: %v, want fs.ErrExist", err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "precious" {
		t.Errorf("the file: %q, %v", got, err)
	}
	whole := filepath.Join(t.TempDir(), "whole")
	if _, err := Make(t.Context(), c, h.DB, operator, whole, passphrase, quiet); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(whole); err != nil || !bytes.Contains(got[:headerSize], []byte{0, 0, 0, 3, 0, 1, 0, 0, 4}) {
		t.Errorf("%v; a guess at the passphrase does not cost three passes over 64 MiB: % x", err, got[:headerSize])
	}
	// An interrupted backup leaves no file and no part of one.
	ctx, stop := context.WithCancel(t.Context())
	dir := t.TempDir()
	if _, err := Make(ctx, c, h.DB, operator, filepath.Join(dir, "b"), passphrase, func(int64, int64) { stop() }); err == nil {
		t.Error("broken off: no error")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A backup of a newer release is refused.
func TestSuits(t *testing.T) {
	h := storetest.SQLite(t)
	s, err := h.DB.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	good := store.Backup{Schema: s.Schema, Least: s.Least, Tables: s.Tables}
	if err := good.Check(); err != nil {
		t.Errorf("its own: %v", err)
	}
	for name, change := range map[string]func(*store.Backup){
		"schema": func(c *store.Backup) { c.Schema += 1000 },
		"least":  func(c *store.Backup) { c.Least = store.Release + 1 },
		"tables": func(c *store.Backup) { c.Tables = c.Tables[1:] },
		"other":  func(c *store.Backup) { c.Tables = append(slices.Clone(c.Tables), store.Table{Name: "users; --"}) },
	} {
		c := good
		change(&c)
		if c.Check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
