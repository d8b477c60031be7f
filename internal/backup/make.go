package backup

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// MinPassphrase is the fewest characters of a passphrase that a new backup is
// sealed under. Whoever gets the file can try as long as they like.
const MinPassphrase = 12

// A Progress is told how many of all rows are done.
type Progress func(done, all int64)

// Make writes a backup of a server's database, keys and configuration to a new
// file, for its owner's eyes alone. The file has its name once it is complete;
// one that is there already stays, and is an error that is fs.ErrExist.
func Make(ctx context.Context, c config.Config, db *store.DB, who identity.Principal, file, passphrase string, progress Progress) (Manifest, error) {
	return produce(ctx, c, db, who, file, passphrase, usual, progress)
}

// produce is Make at a cost.
func produce(ctx context.Context, c config.Config, db *store.DB, who identity.Principal, file, passphrase string, price cost, progress Progress) (m Manifest, err error) {
	if len([]rune(passphrase)) < MinPassphrase {
		return m, &identity.Error{Kind: identity.Invalid, Key: "error.invalid",
			Err: fmt.Errorf("a passphrase has at least %d characters: whoever gets the file can try as long as they like", MinPassphrase)}
	}
	if _, err := os.Lstat(file); err == nil {
		return m, fmt.Errorf("%s: %w", file, fs.ErrExist)
	}
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*") // mode 0600
	if err != nil {
		return m, fmt.Errorf("backup: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if m, err = write(ctx, f, c, db, passphrase, price, progress); err != nil {
		return m, fmt.Errorf("backup: %w", err)
	}
	if err := f.Sync(); err != nil {
		return m, fmt.Errorf("backup: %w", err)
	}
	// Nobody takes all secrets of a server away unnoticed: what cannot be
	// recorded gets no name.
	if err := record(ctx, db, who, m); err != nil {
		return m, err
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return m, fmt.Errorf("backup: %w", err)
	}
	return m, errors.Join(f.Close(), syncFolder(filepath.Dir(file)))
}

// record writes the event of a backup for each tenant.
func record(ctx context.Context, db *store.DB, who identity.Principal, m Manifest) error {
	return db.InTx(ctx, who, func(tx *store.Tx) error {
		tenants, err := store.Collect(tx.Tenants().All(ctx))
		if err != nil {
			return err
		}
		for _, t := range tenants {
			err := tx.Event(ctx, audit.Event{Tenant: t.ID, Kind: audit.BackupMade,
				Data: map[string]string{"rows": fmt.Sprint(m.Rows()), "copied": m.MadeAt.Format("2006-01-02T15:04:05Z")}})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// write writes the sealed backup.
func write(ctx context.Context, to io.Writer, c config.Config, db *store.DB, passphrase string, price cost, progress Progress) (Manifest, error) {
	m := Manifest{BaseURL: c.BaseURL, Database: "sqlite"}
	if c.Postgres() {
		m.Database = "postgres"
	}
	files, err := gather(c, &m)
	if err != nil {
		return m, err
	}
	buffered := bufio.NewWriterSize(to, 1<<20)
	sealed, err := seal(buffered, passphrase, price)
	if err != nil {
		return m, err
	}
	m.MadeAt = db.Now().UTC() // not after the state that is copied, so that what is judged by it errs on the safe side
	snapshot, err := db.Snapshot(ctx)
	if err != nil {
		return m, err
	}
	defer snapshot.Close()
	m.Schema, m.Least, m.Tables = snapshot.Schema, snapshot.Least, snapshot.Tables
	if err := writeManifest(sealed, m); err != nil {
		return m, err
	}
	for _, content := range files {
		if _, err := sealed.Write(content); err != nil {
			return m, err
		}
	}
	if err := writeRows(ctx, sealed, snapshot, m.Rows(), progress); err != nil {
		return m, err
	}
	return m, errors.Join(sealed.Close(), buffered.Flush())
}

func writeRows(ctx context.Context, to io.Writer, snapshot *store.Snapshot, all int64, progress Progress) error {
	squeezed, err := gzip.NewWriterLevel(to, gzip.BestSpeed)
	if err != nil {
		return err
	}
	var b []byte
	var done int64
	for _, t := range snapshot.Tables {
		before := done
		for row, err := range snapshot.Rows(ctx, t) {
			if err != nil {
				return err
			}
			if b, err = appendRow(b[:0], row); err != nil {
				return fmt.Errorf("%s: %w", t.Name, err)
			}
			if _, err := squeezed.Write(b); err != nil {
				return err
			}
			done++
			progress(done, all)
		}
		if n := done - before; n != t.Rows {
			return fmt.Errorf("%s has %d rows, and had %d when the copy began: the snapshot does not hold", t.Name, n, t.Rows)
		}
	}
	return squeezed.Close()
}

// gather reads the configuration, the keys, and what files the configuration
// names in its folder, and enters them in the manifest.
func gather(c config.Config, m *Manifest) ([][]byte, error) {
	keys, err := c.Keys()
	if err != nil {
		return nil, err
	}
	files := [][]byte{[]byte(keys.Encode())}
	m.Files = []File{{Size: int64(len(files[0]))}}
	for _, name := range append([]string{config.File}, c.Files()...) {
		if slices.ContainsFunc(m.Files, func(f File) bool { return f.Name == filepath.ToSlash(name) }) {
			continue // one file for two purposes
		}
		if !filepath.IsLocal(name) {
			m.Outside = append(m.Outside, name)
			continue
		}
		content, err := os.ReadFile(c.Path(name))
		if errors.Is(err, fs.ErrNotExist) && name != config.File {
			m.Outside = append(m.Outside, name)
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(content) > maxFile {
			return nil, fmt.Errorf("%s has more than %d bytes", name, maxFile)
		}
		m.Files = append(m.Files, File{Name: filepath.ToSlash(name), Size: int64(len(content))})
		files = append(files, content)
	}
	return files, nil
}

// syncFolder makes the names in a folder survive a loss of power.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return errors.Join(f.Sync(), f.Close())
}
