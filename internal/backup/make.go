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

// MinPassphrase is the minimum number of characters of a passphrase of a new backup. Somebody
// who has the file can try any number of passphrases.
const MinPassphrase = 12

// A Progress function is called with the number of finished rows and of all rows.
type Progress func(done, all int64)

// Make writes a backup of a server's database, keys and configuration to a new file with mode
// 0600. The file gets its name when it is complete. If a file with that name exists, it returns
// an error that wraps fs.ErrExist.
func Make(ctx context.Context, c config.Config, db *store.DB, who identity.Principal, file, passphrase string, progress Progress) (Manifest, error) {
	return makeWithCost(ctx, c, db, who, file, passphrase, defaultCost, progress)
}

// makeWithCost is Make with given parameters of the key derivation.
func makeWithCost(ctx context.Context, c config.Config, db *store.DB, who identity.Principal, file, passphrase string, price kdfCost, progress Progress) (m Manifest, err error) {
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
	// A backup contains all secrets of a server, so none may be made unnoticed: without an
	// event the file does not get its name.
	if err := recordEvents(ctx, db, who, m); err != nil {
		return m, err
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return m, fmt.Errorf("backup: %w", err)
	}
	return m, errors.Join(f.Close(), syncFolder(filepath.Dir(file)))
}

// recordEvents writes the event of a backup for each tenant.
func recordEvents(ctx context.Context, db *store.DB, who identity.Principal, m Manifest) error {
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

// write writes the encrypted backup.
func write(ctx context.Context, to io.Writer, c config.Config, db *store.DB, passphrase string, price kdfCost, progress Progress) (Manifest, error) {
	m := Manifest{BaseURL: c.BaseURL, Database: "sqlite"}
	if c.Postgres() {
		m.Database = "postgres"
	}
	files, err := collectFiles(c, &m)
	if err != nil {
		return m, err
	}
	buffered := bufio.NewWriterSize(to, 1<<20)
	sealed, err := seal(buffered, passphrase, price)
	if err != nil {
		return m, err
	}
	m.MadeAt = db.Now().UTC() // makeBackup before the snapshot, so that restoring errs on the safe side
	snapshot, err := db.Snapshot(ctx)
	if err != nil {
		return m, err
	}
	defer snapshot.Close()
	m.Schema, m.Applied, m.Least, m.Tables = snapshot.Schema, snapshot.Applied, snapshot.Least, snapshot.Tables
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
	compressed, err := gzip.NewWriterLevel(to, gzip.BestSpeed)
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
			if _, err := compressed.Write(b); err != nil {
				return err
			}
			done++
			progress(done, all)
		}
		if n := done - before; n != t.Rows {
			return fmt.Errorf("%s has %d rows, and had %d when the copy began: the snapshot does not hold", t.Name, n, t.Rows)
		}
	}
	return compressed.Close()
}

// collectFiles reads the keys, the configuration, and the files in its folder that it names, and
// adds them to the manifest.
func collectFiles(c config.Config, m *Manifest) ([][]byte, error) {
	keys, err := c.Keys()
	if err != nil {
		return nil, err
	}
	files := [][]byte{[]byte(keys.Encode())}
	m.Files = []File{{Size: int64(len(files[0]))}}
	for _, name := range append([]string{config.File}, c.Files()...) {
		if slices.ContainsFunc(m.Files, func(f File) bool { return f.Name == filepath.ToSlash(name) }) {
			continue // one file is used for two purposes
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

// syncFolder makes new names in a folder durable.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return errors.Join(f.Sync(), f.Close())
}
