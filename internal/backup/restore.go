package backup

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A Target is where a backup is restored.
type Target struct {
	Dir         string // must be missing or empty
	Database    string // replaces the database in the backup's configuration, if not empty
	Environment config.Environment
	Now         func() time.Time // the clock; nil means time.Now
}

// Restored is the result of a restore.
type Restored struct {
	Manifest Manifest            `json:"backup"`
	Ended    store.RestoreReport `json:"ended"`
	Config   config.Config       `json:"-"`
}

// Verify reads a whole backup and returns its manifest, or an error if it cannot be restored.
func Verify(ctx context.Context, file, passphrase string, progress Progress) (Manifest, error) {
	f, err := os.Open(file)
	if err != nil {
		return Manifest{}, fmt.Errorf("backup: %w", err)
	}
	defer f.Close()
	c, err := verify(ctx, f, passphrase, progress)
	if err != nil {
		return Manifest{}, err
	}
	return c.manifest, nil
}

// Restore creates a server's folder and database from a backup, and begins a new restore
// generation. If it fails, it removes everything it has created, except for empty tables in a
// PostgreSQL database.
func Restore(ctx context.Context, to Target, who identity.Principal, file, passphrase string, progress Progress) (r Restored, err error) {
	if err := to.checkEmpty(); err != nil {
		return r, err
	}
	f, err := os.Open(file)
	if err != nil {
		return r, fmt.Errorf("backup: %w", err)
	}
	defer f.Close()
	checked, err := verify(ctx, f, passphrase, func(done, all int64) { progress(done, 2*all) })
	if err != nil {
		return r, err
	}
	r.Manifest = checked.manifest
	s := &stagingArea{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.undo())
		}
	}()
	if r.Config, err = s.files(to, checked); err != nil {
		return r, fmt.Errorf("backup: %w", err)
	}
	keys, err := store.ParseKeyring(string(checked.files[""]))
	if err != nil {
		return r, fmt.Errorf("backup: %w", err)
	}
	source := r.Config.Source()
	if !r.Config.Postgres() {
		if source, err = s.reserve(source); err != nil {
			return r, fmt.Errorf("backup: %w", err)
		}
	}
	options := r.Config.Store(keys)
	options.Source, options.Now = source, to.Now
	db, err := store.Open(ctx, options)
	if err != nil {
		return r, err
	}
	r.Ended, err = importRows(ctx, db, who, f, passphrase, func(done, all int64) { progress(all+done, 2*all) })
	if err = errors.Join(err, db.Close()); err != nil {
		return r, err
	}
	return r, s.publish()
}

// checkEmpty returns an error if the folder is not empty.
func (p Target) checkEmpty() error {
	there, err := os.ReadDir(p.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if len(there) > 0 {
		return fmt.Errorf("%s is not empty: %q is in it. A backup is restored into an empty or new folder only", p.Dir, there[0].Name())
	}
	return nil
}

// contents are the contents of an opened backup.
type contents struct {
	manifest Manifest
	files    map[string][]byte // by name; the keys have the name ""
	sealed   *bufio.Reader
	rows     *bufio.Reader
}

// read opens a backup and reads everything before its rows.
func read(f *os.File, passphrase string) (*contents, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	opened, err := open(f, passphrase)
	if err != nil {
		return nil, err
	}
	c := &contents{files: make(map[string][]byte), sealed: bufio.NewReader(opened)}
	if c.manifest, err = readManifest(c.sealed); err != nil {
		return nil, err
	}
	for _, file := range c.manifest.Files {
		if file.Size < 0 || file.Size > maxFile || file.Name != "" && !filepath.IsLocal(file.Name) {
			return nil, fmt.Errorf("a file %q of %d bytes", file.Name, file.Size)
		}
		content := make([]byte, file.Size)
		if _, err := io.ReadFull(c.sealed, content); err != nil {
			return nil, unexpectedEOF(err)
		}
		c.files[file.Name] = content
	}
	compressed, err := gzip.NewReader(c.sealed)
	if err != nil {
		return nil, unexpectedEOF(err)
	}
	compressed.Multistream(false)
	c.rows = bufio.NewReaderSize(compressed, 64<<10)
	return c, nil
}

// table yields the rows of the next table.
func (c *contents) table(t store.Table) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		row := make([]any, len(t.Columns))
		for range t.Rows {
			if err := readRow(c.rows, row); err != nil {
				yield(nil, fmt.Errorf("backup: %s: %w", t.Name, err))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// end checks that nothing follows the rows.
func (c *contents) end() error {
	for _, r := range []*bufio.Reader{c.rows, c.sealed} {
		if _, err := r.ReadByte(); err == nil {
			return errors.New("something stands behind its end")
		} else if !errors.Is(err, io.EOF) {
			return err
		}
	}
	return nil
}

// verify reads a whole backup.
func verify(ctx context.Context, f *os.File, passphrase string, progress Progress) (*contents, error) {
	c, err := read(f, passphrase)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	if err := c.copy().Check(); err != nil {
		return nil, err
	}
	if _, there := c.files[config.File]; !there {
		return nil, fmt.Errorf("backup: it has no %s", config.File)
	}
	var done int64
	all := c.manifest.Rows()
	for _, t := range c.manifest.Tables {
		for _, err := range c.table(t) {
			if err = errors.Join(err, ctx.Err()); err != nil {
				return nil, err
			}
			done++
			progress(done, all)
		}
	}
	if err := c.end(); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	return c, nil
}

func (c *contents) copy() store.Backup {
	return store.Backup{Schema: c.manifest.Schema, Applied: c.manifest.Applied, Least: c.manifest.Least, Tables: c.manifest.Tables, MadeAt: c.manifest.MadeAt, Rows: c.table}
}

// importRows imports a verified backup into the database.
func importRows(ctx context.Context, db *store.DB, who identity.Principal, f *os.File, passphrase string, progress Progress) (store.RestoreReport, error) {
	c, err := read(f, passphrase)
	if err != nil {
		return store.RestoreReport{}, fmt.Errorf("backup: %w", err)
	}
	var done int64
	all := c.manifest.Rows()
	return db.Import(ctx, who, c.copy(), func() {
		done++
		progress(done, all)
	})
}

// A stagingArea writes the restored files under temporary names until all of them are complete.
type stagingArea struct {
	createdDirs []string // outermost first
	staged      []string // final names, in the order in which they will be published
}

const stagingSuffix = ".restoring"

// files writes the keys and the configuration. The configuration makes a folder a server's
// folder, so it is published last.
func (s *stagingArea) files(to Target, c *contents) (config.Config, error) {
	text := string(c.files[config.File])
	if to.Database != "" {
		text = config.WithDatabase(text, to.Database)
	}
	conf, err := config.Parse(to.Dir, text, to.Environment)
	if err != nil {
		return conf, err
	}
	conf.Database = cmp.Or(to.Database, conf.Database) // the target takes precedence over an environment variable
	if err := s.folder(to.Dir); err != nil {
		return conf, err
	}
	for _, name := range slices.Sorted(keysOf(c.files)) {
		if name == "" || name == config.File {
			continue
		}
		if err := s.file(conf.Path(filepath.FromSlash(name)), c.files[name]); err != nil {
			return conf, err
		}
	}
	if err := s.keys(conf, c.files[""]); err != nil {
		return conf, err
	}
	return conf, s.file(conf.Path(config.File), []byte(text))
}

func keysOf(files map[string][]byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		for name := range files {
			if !yield(name) {
				return
			}
		}
	}
}

// keys writes the keys, unless they exist already, in an environment variable or in a file
// outside the folder.
func (s *stagingArea) keys(conf config.Config, text []byte) error {
	file := conf.Path(conf.KeysFile)
	if _, err := os.Lstat(file); !conf.KeysApart() && errors.Is(err, fs.ErrNotExist) {
		return s.file(file, text)
	}
	here, err := conf.Keys()
	if err != nil {
		return err
	}
	wanted, err := store.ParseKeyring(string(text))
	if err != nil {
		return err
	}
	if !here.Contains(wanted) {
		return errors.New("the keys that this machine has (LATCHKEY_KEYS, or keys_file) are not those of the backup")
	}
	return nil
}

// folder creates a folder and its parents.
func (s *stagingArea) folder(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if up := filepath.Dir(dir); up != dir {
		if err := s.folder(up); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	s.createdDirs = append(s.createdDirs, dir)
	return nil
}

// reserve creates an empty file with mode 0600 under the temporary name for a final name, and
// returns the temporary name.
func (s *stagingArea) reserve(name string) (string, error) {
	if err := s.folder(filepath.Dir(name)); err != nil {
		return "", err
	}
	if _, err := os.Lstat(name); err == nil {
		return "", fmt.Errorf("%s: %w", name, fs.ErrExist)
	}
	f, err := os.OpenFile(name+stagingSuffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	s.staged = append(s.staged, name)
	return name + stagingSuffix, f.Close()
}

// file writes a file under its temporary name.
func (s *stagingArea) file(name string, content []byte) error {
	staged, err := s.reserve(name)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(staged, os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// publish renames all files to their final names, the configuration last.
func (s *stagingArea) publish() error {
	slices.SortStableFunc(s.staged, func(a, b string) int { return publishOrder(a) - publishOrder(b) })
	for _, name := range s.staged {
		if err := os.Rename(name+stagingSuffix, name); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		if err := syncFolder(filepath.Dir(name)); err != nil {
			return err
		}
	}
	s.staged, s.createdDirs = nil, nil
	return nil
}

func publishOrder(name string) int {
	if filepath.Base(name) == config.File {
		return 1
	}
	return 0
}

// undo removes everything that was written or published.
func (s *stagingArea) undo() error {
	var errs []error
	for _, name := range s.staged {
		for _, file := range []string{name, name + stagingSuffix, name + stagingSuffix + "-wal", name + stagingSuffix + "-shm"} {
			if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	slices.Reverse(s.createdDirs)
	for _, dir := range s.createdDirs {
		errs = append(errs, os.Remove(dir))
	}
	return errors.Join(errs...)
}

// Describe returns a one-line summary of a backup.
func (m Manifest) Describe() string {
	return fmt.Sprintf("%s (%s) as of %s: %d rows of %d tables, keys, %s", m.BaseURL, m.Database,
		m.MadeAt.Format("2006-01-02 15:04:05 UTC"), m.Rows(), len(m.Tables), strings.Join(m.names(), ", "))
}

func (m Manifest) names() (names []string) {
	for _, f := range m.Files {
		if f.Name != "" {
			names = append(names, f.Name)
		}
	}
	return names
}
