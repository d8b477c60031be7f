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
)

type initCommand struct {
	BaseURL string `name:"base-url" placeholder:"URL" help:"The address people will reach Latchkey by. Default: http://localhost:8080."`
	Listen  string `placeholder:"ADDR" help:"The address to listen on. Default: the port of the base URL."`
	Name    string `help:"The first tenant's name. Default: its slug."`
}

func (initCommand) Help() string {
	return `The first tenant's slug is "default" unless --tenant names another; it can never be changed.

Example:

    latchkey init --dir /var/lib/latchkey --base-url https://login.example.org --listen :8443 --tenant example --name "Example Hospital"`
}

// Run makes the folder and says what comes next.
func (c *initCommand) Run(ctx context.Context, s *shell) error {
	conf, err := s.initialise(ctx, c)
	if err != nil {
		return err
	}
	slug := s.firstTenant()
	if s.flags.JSON {
		return s.encode(map[string]string{"dir": conf.Dir(), "base_url": conf.BaseURL, "listen": conf.Listen, "tenant": slug,
			"config": conf.Path(config.File), "keys": conf.Path(conf.KeysFile), "issuer": conf.BaseURL + "/t/" + slug})
	}
	steps := fmt.Sprintf(`Made %s with
  %s  the configuration
  %s  the keys: keep a copy of this file apart from the database's
and the tenant %q.

What comes next:
`, conf.Dir(), config.File, conf.KeysFile, slug)
	next := []string{
		"set how mails leave, [mail] in " + conf.Path(config.File),
		"latchkey user add anna --mail anna@example.org --dir " + conf.Dir(),
		"latchkey serve --dir " + conf.Dir(),
	}
	if conf.Validate() != nil {
		next = append([]string{"latchkey config validate --dir " + conf.Dir() + " says what is still missing"}, next...)
	}
	for i, step := range next {
		steps += fmt.Sprintf("  %d. %s\n", i+1, step)
	}
	_, err = fmt.Fprintf(s.stdout, "%s\nThen open %s/t/%s/me\n", steps, conf.BaseURL, slug)
	return err
}

// firstTenant is the slug of the tenant a new folder begins with.
func (s *shell) firstTenant() string {
	return cmp.Or(s.flags.Tenant, s.getenv("LATCHKEY_TENANT"), "default")
}

// initialise makes a folder with a configuration of the flags and the environment.
func (s *shell) initialise(ctx context.Context, c *initCommand) (config.Config, error) {
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
	conf.Listen = cmp.Or(c.Listen, conf.Listen)
	slug := s.firstTenant()
	return conf, server.Init(ctx, conf, s.principal(), identity.Tenant{Slug: slug, Name: cmp.Or(c.Name, slug)})
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
