package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/server"
	"github.com/latchkey-id/latchkey/internal/web"
)

// Options are the folder and the address of a demo, and what it prints.
type Options struct {
	Dir    string    // its folder, created if necessary
	Addr   string    // host and port; empty means those of the folder, or localhost:8080
	Fresh  bool      // begin anew, forgetting what is in the folder
	JSON   bool      // print the addresses as JSON
	Stdout io.Writer // where the addresses are printed
	Stderr io.Writer // for warnings; everything else is logged to a file in the folder
}

// A Demo is what a demo adds to a server.
type Demo struct {
	dir     string
	state   *state
	site    *web.Site
	tenant  identity.Tenant
	mailbox *Mailbox
	payroll *payroll
	wiki    *wiki
	pages   map[string]*template.Template
}

// client is the HTTP client of the two applications.
var client = &http.Client{Timeout: 10 * time.Second}

// logFile is the log of the last run.
const logFile = "demo.log"

// Run runs a demo until ctx ends. Once it listens it prints the addresses.
func Run(ctx context.Context, o Options) error {
	base, err := locate(o)
	if err != nil {
		return err
	}
	s, err := prepare(o.Dir, base, o.Fresh)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(o.Dir, logFile), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer file.Close()
	log := slog.New(slog.NewMultiHandler(slog.NewJSONHandler(file, nil),
		slog.NewTextHandler(o.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	slog.SetDefault(log) // the OpenID Connect library logs to nothing else: its options for a logger have no effect

	mailbox, err := OpenMailbox(filepath.Join(o.Dir, "mails"), log)
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	post, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("demo: mail server: %w", err)
	}
	served := make(chan error, 1)
	go func() { served <- mailbox.Serve(post) }()

	err = serve(ctx, o, s, base, mailbox, post.Addr(), log)
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err = errors.Join(err, mailbox.Close(ending))
	_ = post.Close() // a server that is closed before it serves does not close its listener
	return errors.Join(err, <-served)
}

// shutdownTimeout is for how long a mail that is being received is waited for
// at the end.
const shutdownTimeout = 3 * time.Second

// serve runs the server with the demo until ctx ends.
func serve(ctx context.Context, o Options, s *state, base *url.URL, mailbox *Mailbox, post net.Addr, log *slog.Logger) (err error) {
	c, err := configure(ctx, o, s, base, post)
	if err != nil {
		return err
	}
	srv, err := server.New(ctx, c, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Close()) }()
	d, err := newDemo(ctx, o.Dir, s, srv.Site, mailbox)
	if err != nil {
		return err
	}
	if !s.Seeded {
		if err := d.seed(ctx, srv.Directory); err != nil {
			return err
		}
	}
	d.Routes(srv.Handle)
	if err := srv.Listen(ctx); err != nil {
		return err
	}
	if err := d.printSummary(ctx, o); err != nil {
		return err
	}
	return srv.Run(ctx)
}

// configure returns the configuration of the server: that of the folder, with
// the mailbox as mail server. In a new folder it is written, so that every
// command of latchkey works with --dir beside a running demo.
func configure(ctx context.Context, o Options, s *state, base *url.URL, post net.Addr) (config.Config, error) {
	c, err := config.Default(o.Dir).WithBase(base.String())
	if err != nil {
		return c, err
	}
	c.Listen, c.StopDelay = listenAddress(o.Addr, base), "0s" // nobody balances between demos
	if !s.Seeded {
		if err := server.Init(ctx, c, seedPrincipal, identity.Tenant{Slug: slug, Name: organisation, HelpContact: helpContact}); err != nil {
			return c, err
		}
	}
	tcp, ok := post.(*net.TCPAddr)
	if !ok {
		return c, fmt.Errorf("demo: mail server listens on %v", post)
	}
	c.Mail = config.Mail{Host: tcp.IP.String(), Port: int64(tcp.Port), TLS: config.NoTLS, From: "login@hospital.example"}
	return c, nil
}

func newDemo(ctx context.Context, dir string, s *state, site *web.Site, mailbox *Mailbox) (*Demo, error) {
	t, err := site.DB.TenantBySlug(ctx, slug)
	if err != nil {
		return nil, err
	}
	d := &Demo{dir: dir, state: s, site: site, tenant: t, mailbox: mailbox}
	if d.pages, err = parsePages(); err != nil {
		return nil, err
	}
	if d.payroll, err = newPayroll(d, site.Base, s); err != nil {
		return nil, err
	}
	d.wiki = newWiki(d, s)
	return d, nil
}

// seedOf is the seed of the authenticator that the demo added to a user; empty
// if there is none.
func (d *Demo) seedOf(user string) string {
	if seed := d.state.Seeds[user]; seed != nil {
		return otp.EncodeSecret(seed)
	}
	return ""
}

// A summary has all addresses, as JSON for programs.
type summary struct {
	Base          string       `json:"base"`
	Tenant        string       `json:"tenant"`
	Applications  []summaryApp `json:"applications"`
	Mailbox       string       `json:"mailbox"`
	Users         []user       `json:"users"`
	Authenticator string       `json:"authenticator"`
}

type summaryApp struct {
	Name     string            `json:"name"`
	Protocol identity.Protocol `json:"protocol"`
	URL      string            `json:"url"`
}

// printSummary prints the addresses: all of them as JSON, or the first ones for
// a person.
func (d *Demo) printSummary(ctx context.Context, o Options) error {
	users, err := d.users(ctx)
	if err != nil {
		return err
	}
	if o.JSON {
		return json.NewEncoder(o.Stdout).Encode(summary{Base: d.site.Base.String(), Tenant: slug, Mailbox: d.address(mailPath), Users: users,
			Authenticator: d.address("/authenticator/"), Applications: []summaryApp{
				{payrollName, identity.SAML, d.address(payrollPath)}, {wikiName, identity.OIDC, d.address(wikiPath)}}})
	}
	u := suggestedUser(users)
	_, err = fmt.Fprintf(o.Stdout, `Latchkey's demo is running, on this machine alone.

  Begin here        %s
  Sign in as        %s, with the password %s
  Mails arrive at   %s
  The phone is at   %s

Ctrl-C ends it. What happens stays in %s;
latchkey demo --fresh begins anew.
`, d.address("/"), u.Name, u.Password, d.address(mailPath), d.address("/authenticator/"), d.dir)
	return err
}

// suggestedUser is the user with whom most can be tried: one who has yet to
// enrol.
func suggestedUser(users []user) user {
	for _, u := range users {
		if u.Target && !u.Authenticator {
			return u
		}
	}
	if len(users) == 0 {
		return user{}
	}
	return users[0]
}
