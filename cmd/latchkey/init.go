package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/server"
	"github.com/latchkey-id/latchkey/internal/store"
)

type initCommand struct {
	BaseURL string `name:"base-url" placeholder:"URL" help:"The address people will reach Latchkey by. Default: http://localhost:8080."`
	Listen  string `placeholder:"ADDR" help:"The address to listen on. Default: the port of the base URL."`
	TLSCert string `name:"tls-cert" placeholder:"FILE" help:"The server's certificate with its chain (PEM), where no proxy ends TLS."`
	TLSKey  string `name:"tls-key" placeholder:"FILE" help:"The key of the certificate (PEM)."`

	Name         string `help:"What people know the first tenant by, such as their organisation's name. Default: asked for at a terminal, elsewhere the host of the base URL."`
	Organisation string `help:"What phones show with a push request. Default: its name."`
	HelpContact  string `placeholder:"TEXT" help:"Whom people who cannot go on are told to turn to."`
	Language     string `placeholder:"TAG" help:"Language of readers who ask for none we speak."`

	Join bool `help:"Make only a configuration, for a further node: the database and its keys are there."`
}

func (initCommand) Help() string {
	return `The first tenant's slug, which is part of addresses, is "default" unless --tenant names another; it can never be changed. "latchkey tenant set" changes its names.

A database that belongs to an installation is refused, and nothing is changed in it. For a further node of that installation, copy latchkey.keys of another node into the folder first, or name the keys by LATCHKEY_KEYS, and say --join. If init fails, it leaves nothing behind.

Examples:

    latchkey init --dir /var/lib/latchkey --base-url https://login.example.org --listen :443 --tenant example --name "Example Hospital"

    latchkey init --join --dir /var/lib/latchkey --base-url https://login.example.org --database postgres://latchkey@db.example.org/latchkey`
}

// Run makes the folder and says what comes next.
func (c *initCommand) Run(ctx context.Context, s *shell) error {
	if c.Join {
		return c.join(ctx, s)
	}
	conf, err := c.configuration(s)
	if err != nil {
		return err
	}
	if err := server.CheckNew(ctx, conf); err != nil { // before anybody is asked
		return err
	}
	first, err := c.firstTenant(ctx, s, conf)
	if err != nil {
		return err
	}
	if err := server.Init(ctx, conf, s.principal(), first); err != nil {
		return err
	}
	if s.flags.JSON {
		return s.encode(initialised(conf, first))
	}
	made := fmt.Sprintf(`Made %s with
  %s  the configuration
  %s  the keys: keep a copy of this file apart from the database's
and the tenant %s, whose slug in addresses is %q.
`, conf.Dir(), config.File, conf.KeysFile, printable(first.Name), first.Slug)
	return c.sayNext(s, conf, made, first.Slug, "latchkey user add anna --mail anna@example.org --dir "+conf.Dir())
}

// initialised is what init says as JSON.
func initialised(conf config.Config, first identity.Tenant) map[string]string {
	return map[string]string{"dir": conf.Dir(), "base_url": conf.BaseURL, "listen": conf.Listen, "tenant": first.Slug, "name": first.Name,
		"config": conf.Path(config.File), "keys": conf.KeysName(), "issuer": conf.BaseURL + "/t/" + first.Slug}
}

// join makes a configuration for an installation that there is.
func (c *initCommand) join(ctx context.Context, s *shell) error {
	for _, flag := range []struct{ name, value string }{{"name", c.Name}, {"organisation", c.Organisation}, {"help-contact", c.HelpContact}, {"language", c.Language}} {
		if flag.value != "" {
			return usageErrorf("--join makes no tenant: --%s does not go with it (\"latchkey tenant set\" changes one)", flag.name)
		}
	}
	conf, err := c.configuration(s)
	if err != nil {
		return err
	}
	if c.BaseURL == "" && s.environ.Get(config.Variable("base_url")) == "" {
		return usageErrorf("--join needs --base-url: the address by which people reach the installation, as on its other nodes")
	}
	if err := server.Join(ctx, conf); err != nil {
		return err
	}
	if s.flags.JSON {
		return s.encode(map[string]string{"dir": conf.Dir(), "base_url": conf.BaseURL, "listen": conf.Listen, "config": conf.Path(config.File), "keys": conf.KeysName()})
	}
	return c.sayNext(s, conf, fmt.Sprintf("Made %s for the installation in %s; %s holds its keys.\n", conf.Path(config.File), store.Where(conf.Source()), conf.KeysName()), "")
}

// sayNext says what was made, what comes next, and where people go then; slug is empty
// where that is known already.
func (c *initCommand) sayNext(s *shell, conf config.Config, made, slug string, more ...string) error {
	next := []string{"set how mails leave, [mail] in " + conf.Path(config.File)}
	next = append(append(next, more...), "latchkey serve --dir "+conf.Dir())
	if conf.Validate() != nil {
		next = append([]string{"latchkey config validate --dir " + conf.Dir() + " says what is still missing"}, next...)
	}
	text := made + "\nWhat comes next:\n"
	for i, step := range next {
		text += fmt.Sprintf("  %d. %s\n", i+1, step)
	}
	if slug != "" {
		text += fmt.Sprintf("\nThen open %s/t/%s/me\n", conf.BaseURL, slug)
	}
	_, err := fmt.Fprint(s.stdout, text)
	return err
}

// defaultSlug is the slug of the first tenant where none is named.
const defaultSlug = "default"

// firstTenant is the tenant that a new installation begins with. At a terminal, what
// the flags do not say is asked for, unless they say its name.
func (c *initCommand) firstTenant(ctx context.Context, s *shell, conf config.Config) (identity.Tenant, error) {
	t := identity.Tenant{Slug: cmp.Or(s.flags.Tenant, s.getenv("LATCHKEY_TENANT"), defaultSlug),
		Name: c.Name, Organisation: c.Organisation, HelpContact: c.HelpContact, Language: c.Language}
	if f, ok := s.terminal(); ok && t.Name == "" {
		for _, q := range []struct {
			to       *string
			question string
		}{
			{&t.Name, "What people know the organisation by: "},
			{&t.Organisation, "What their phones show, if that is something else: "},
			{&t.HelpContact, "Whom people who cannot go on turn to (a mail address, a telephone number; may be empty): "},
			{&t.Language, "Language of readers who ask for none we speak, such as de (empty: English): "},
		} {
			if *q.to != "" {
				continue
			}
			answer, err := s.askLine(ctx, f, q.question)
			if err != nil {
				return t, err
			}
			if *q.to = answer; t.Name == "" {
				return t, usageErrorf("the first tenant needs a name: people read it on every page (--name)")
			}
		}
	}
	if t.Name == "" {
		base, err := conf.Base()
		if err != nil {
			return t, err
		}
		t.Name = base.Hostname()
	}
	return t, nil
}

// configuration is that of a new folder: of the flags and the environment.
func (c *initCommand) configuration(s *shell) (config.Config, error) {
	dir, err := filepath.Abs(s.dir())
	if err != nil {
		return config.Config{}, err
	}
	conf, err := config.FromEnvironment(dir, s.environ)
	if err != nil {
		return conf, err
	}
	conf = s.override(conf)
	if c.BaseURL != "" {
		if conf, err = conf.WithBase(c.BaseURL); err != nil {
			return conf, usageErrorf("--base-url %w", err)
		}
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return conf, usageErrorf("--tls-cert and --tls-key go together")
	}
	for _, file := range []struct {
		to   *string
		name string
	}{{&conf.TLSCert, c.TLSCert}, {&conf.TLSKey, c.TLSKey}} {
		if file.name != "" { // it is relative to where the command was typed
			if *file.to, err = filepath.Abs(file.name); err != nil {
				return conf, err
			}
		}
	}
	conf.Listen = cmp.Or(c.Listen, conf.Listen)
	return conf, nil
}

type migrateCommand struct {
	DryRun bool `name:"dry-run" help:"Only list what would be done."`
}

func (migrateCommand) Help() string {
	return `A server does this by itself when it starts. Migrations only add: servers of the version before go on working.

Example:

    latchkey migrate --dry-run --dir /var/lib/latchkey`
}

// Run brings the database up to date, or says what that would do.
func (c *migrateCommand) Run(ctx context.Context, s *shell) error {
	conf, err := s.config()
	if err != nil {
		return err
	}
	db, err := s.open(ctx, conf)
	if err != nil {
		return err
	}
	defer db.Close()
	pending, err := db.Pending(ctx)
	if err != nil {
		return err
	}
	pending = append([]string{}, pending...) // none is [], not null
	if c.DryRun {
		if len(pending) == 0 {
			return s.print(map[string][]string{"pending": pending}, "There is nothing to do; the database is up to date.")
		}
		return s.print(map[string][]string{"pending": pending}, "To be done, each in a transaction of its own:\n  %s", strings.Join(pending, "\n  "))
	}
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	return s.print(map[string][]string{"migrated": pending}, "%d migrations were to be done; the database is up to date.", len(pending))
}

type configValidate struct{}

func (configValidate) Help() string {
	return "Example:\n\n    latchkey config validate --dir /var/lib/latchkey"
}

// Run says all that is wrong at once.
func (configValidate) Run(s *shell) error {
	c, err := s.config()
	if err := config.JoinProblems(err, c.Validate()); err != nil {
		return err
	}
	return s.print(map[string]bool{"valid": true}, "%s can be used.", c.Path(config.File))
}
