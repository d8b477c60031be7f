package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/server"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A shell is the environment of a command: its streams, its environment variables and
// the flags that all commands have.
type shell struct {
	flags   *commands
	model   *kong.Application // all commands, as they were declared
	command string
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
	getenv  func(string) string
	environ config.Environment
}

// A tenantScope is an open database, the tenant that a command works in, and who
// acts.
type tenantScope struct {
	db     *store.DB
	tenant identity.Tenant
	who    identity.Principal
}

// errUsage marks an error as the wrong use of a command.
var errUsage = errors.New("wrong use")

type usageError struct{ error }

func (usageError) Is(target error) bool { return target == errUsage }

func (m usageError) Unwrap() error { return m.error }

// usageErrorf is an error about how a command was used.
func usageErrorf(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// dir is the server's folder.
func (s *shell) dir() string { return cmp.Or(s.flags.Dir, s.getenv("LATCHKEY_DIR"), ".") }

// config reads the configuration, with the flags over it.
func (s *shell) config() (config.Config, error) {
	c, err := config.Load(s.dir(), s.environ)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("there is no %s in %s; \"latchkey init\" makes one, --dir names another folder", config.File, s.dir())
	}
	return s.override(c), err
}

// override puts the flags over a configuration.
func (s *shell) override(c config.Config) config.Config {
	if s.flags.Database != "" {
		c.Database = s.flags.Database
		if path, err := filepath.Abs(c.Database); err == nil && !c.Postgres() {
			c.Database = path // it is relative to where the command was typed
		}
	}
	return c
}

// open opens the database of a configuration. Keys that do not open what is in it are
// refused.
func (s *shell) open(ctx context.Context, c config.Config) (*store.DB, error) {
	if err := databaseThere(c); err != nil {
		return nil, err
	}
	return server.OpenDatabase(ctx, c)
}

// openUnchecked is open with any keys, for who looks what is wrong with them.
func openUnchecked(ctx context.Context, c config.Config) (*store.DB, error) {
	if err := databaseThere(c); err != nil {
		return nil, err
	}
	keys, err := c.Keys()
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, c.Store(keys))
}

// databaseThere returns an error if the file of the database is not there: SQLite would
// make a new one.
func databaseThere(c config.Config) error {
	if c.Postgres() {
		return nil
	}
	if _, err := os.Stat(c.Source()); err != nil {
		return fmt.Errorf("there is no database at %s; \"latchkey init\" makes one", c.Source())
	}
	return nil
}

// database runs f on the database, which must be up to date.
func (s *shell) database(ctx context.Context, f func(db *store.DB) error) error {
	c, err := s.config()
	if err != nil {
		return err
	}
	db, err := s.open(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	pending, err := db.Pending(ctx)
	if err != nil {
		return err
	}
	if len(pending) > 0 {
		return fmt.Errorf("the database is of an older version: \"latchkey migrate\", or a start of the server, brings it up to date")
	}
	return f(db)
}

// inTenant runs f on the database in the tenant that the command works in.
func (s *shell) inTenant(ctx context.Context, f func(ts tenantScope) error) error {
	return s.database(ctx, func(db *store.DB) error {
		t, err := s.tenant(ctx, db)
		if err != nil {
			return err
		}
		who := s.principal()
		who.Tenant = t.ID
		return f(tenantScope{db: db, tenant: t, who: who})
	})
}

// tenant is the tenant named by flag or environment, or the only one.
func (s *shell) tenant(ctx context.Context, db *store.DB) (identity.Tenant, error) {
	slug := cmp.Or(s.flags.Tenant, s.getenv("LATCHKEY_TENANT"))
	if slug != "" {
		t, err := db.TenantBySlug(ctx, slug)
		return t, withNearest(err, "tenant", slug, namesOf(db.Tenants().All(ctx), func(t identity.Tenant) string { return t.Slug }))
	}
	all, err := store.Collect(db.Tenants().All(ctx))
	switch {
	case err != nil:
		return identity.Tenant{}, err
	case len(all) == 0:
		return identity.Tenant{}, errors.New("there is no tenant yet; \"latchkey tenant add\" adds one")
	case len(all) > 1:
		var slugs []string
		for _, t := range all {
			slugs = append(slugs, t.Slug)
		}
		return identity.Tenant{}, usageErrorf("there are several tenants: name one by --tenant (%s)", strings.Join(slugs, ", "))
	}
	return all[0], nil
}

// principal is the user of this machine who runs the command, and the command. Whoever
// may read the keys may do everything.
func (s *shell) principal() identity.Principal {
	name := s.getenv("SUDO_USER")
	if u, err := user.Current(); err == nil && name == "" {
		name = u.Username
	}
	words := strings.Fields(s.command)
	for i, word := range words {
		if strings.HasPrefix(word, "<") || strings.HasPrefix(word, "[") {
			words = words[:i]
			break
		}
	}
	return identity.Principal{Kind: identity.CommandLine, Name: identity.CleanTyped(name + ": latchkey " + strings.Join(words, " "))}
}

// withNearest turns a NotFound into an error that has the name asked for and the
// nearest that exists. Whoever may run commands may know all names.
func withNearest(err error, what, name string, names iter.Seq[string]) error {
	if !errors.Is(err, identity.NotFound) {
		return err
	}
	var all []string
	for other := range names {
		all = append(all, other)
	}
	near := identity.Nearest(name, all)
	if near == "" {
		return fmt.Errorf("there is no %s %q", what, name)
	}
	return fmt.Errorf("there is no %s %q; did you mean %q?", what, name, near)
}

// namesOf yields the names of a list, up to an error.
func namesOf[T any](all iter.Seq2[T, error], name func(T) string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for v, err := range all {
			if err != nil || !yield(name(v)) {
				return
			}
		}
	}
}

// readFile reads a file named in a command, most bytes of it at most. No name, or
// "-", is standard input.
func (s *shell) readFile(name string, most int64) ([]byte, error) {
	in := s.stdin
	if name != "" && name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, most))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", cmp.Or(name, "standard input"), err)
	}
	return data, nil
}

// maxLine is the most bytes read of a line of standard input.
const maxLine = 4096

// password asks for a password without showing it or, if there is no terminal, takes
// the first line of standard input.
func (s *shell) password(ctx context.Context, of string) (string, error) {
	if f, ok := s.stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return s.promptTwice(ctx, f, "Password of "+of+": ")
	}
	line, err := bufio.NewReader(io.LimitReader(s.stdin, maxLine)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	if line == "" {
		return "", usageErrorf("standard input has no password; --no-password adds a user who has none")
	}
	return line, nil
}

// promptTwice asks the same question at a terminal twice, since what is typed is not
// shown.
func (s *shell) promptTwice(ctx context.Context, f *os.File, question string) (string, error) {
	first, err := s.prompt(ctx, f, question)
	if err != nil {
		return "", err
	}
	second, err := s.prompt(ctx, f, "The same again: ")
	if err == nil && first != second {
		err = errors.New("the two differ")
	}
	return first, err
}

// prompt asks a question at a terminal without showing the answer. If it is
// interrupted, the terminal shows what is typed again.
func (s *shell) prompt(ctx context.Context, f *os.File, question string) (string, error) {
	fd := int(f.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	if _, err := fmt.Fprint(s.stderr, question); err != nil {
		return "", err
	}
	type line struct {
		text []byte
		err  error
	}
	typed := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		typed <- line{text, err}
	}()
	defer fmt.Fprintln(s.stderr) // the one typed was not shown either
	select {
	case l := <-typed:
		return string(l.text), l.err
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), term.Restore(fd, before))
	}
}
