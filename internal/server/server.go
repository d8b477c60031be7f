package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/idp"
	"github.com/latchkey-id/latchkey/idp/oidc"
	"github.com/latchkey-id/latchkey/idp/saml"
	"github.com/latchkey-id/latchkey/internal/appapi"
	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/location"
	"github.com/latchkey-id/latchkey/internal/mail"
	"github.com/latchkey-id/latchkey/internal/notify"
	"github.com/latchkey-id/latchkey/internal/outbound"
	"github.com/latchkey-id/latchkey/internal/privacyideaapi"
	"github.com/latchkey-id/latchkey/internal/signingkey"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/locales"
	"github.com/latchkey-id/latchkey/portal/self"
	"github.com/latchkey-id/latchkey/static"
	"github.com/latchkey-id/latchkey/templates"
)

// Bounds of a connection (QLT-3). Streams lift the last one for themselves.
const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 10 * time.Second
	idleTimeout    = 60 * time.Second
	writeTimeout   = 30 * time.Second
	maxHeaderBytes = 16 << 10
	grace          = 10 * time.Second // for requests under way when the server stops
)

// A Server is configured but does not listen until Run.
type Server struct {
	DB        *store.DB
	Site      *web.Site
	Directory *directory.Directory

	config           config.Config
	observe          Observer
	log              *slog.Logger
	node             string
	mux              *http.ServeMux // what the caller mounts, and behind it everything else
	authenticatorMux *http.ServeMux // the web authenticator at an address of its own; nil where it has none
	outbox           *mail.Outbox   // nil where mails have no way out
	notifier         *notify.Notifier
	apps             *appapi.API
	locations        *location.Database // nil where no file is configured
	streams          *web.Streams
	closing          chan struct{}
	stopping         atomic.Bool // it was told to stop, and still serves
	stopDelay        time.Duration

	outgoing *outbound.Client

	public, adminListener net.Listener
}

// An Observer is told of the work that a server does: for metrics and traces,
// and for the test that counts it. Its functions are called from many goroutines
// at once; those that are nil are not called.
type Observer struct {
	// Request wraps all that the public address answers. Whatever it puts into a
	// request's context, the others find in theirs.
	Request   func(http.Handler) http.Handler
	Statement func(context.Context, store.Statement) // after each statement of the database
	Hash      func(context.Context)                  // before each hash of a password
	Signature func(context.Context)                  // before each signature by a tenant's key
}

// New builds a server of a configuration, which must be valid, and opens the
// database.
func New(ctx context.Context, c config.Config, log *slog.Logger) (*Server, error) {
	return NewObserved(ctx, c, log, Observer{})
}

// NewObserved is New for a server whose work is observed.
func NewObserved(ctx context.Context, c config.Config, log *slog.Logger, observe Observer) (*Server, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	base, err := c.Base()
	if err != nil {
		return nil, err
	}
	authenticator, err := c.Authenticator()
	if err != nil {
		return nil, err
	}
	proxies, err := c.Proxies()
	if err != nil {
		return nil, err
	}
	allowed, err := c.Outgoing()
	if err != nil {
		return nil, err
	}
	services, err := c.PushServices()
	if err != nil {
		return nil, err
	}
	contact, err := c.PushContact()
	if err != nil {
		return nil, err
	}
	catalog, err := locales.Load()
	if err != nil {
		return nil, err
	}
	pages, err := templates.New(static.Asset)
	if err != nil {
		return nil, err
	}
	stopDelay, err := c.DelayStop()
	if err != nil {
		return nil, fmt.Errorf("stop_delay %w", err)
	}
	db, err := open(ctx, c, store.Options{Log: log, Observe: observe.Statement})
	if err != nil {
		return nil, err
	}
	// An operator who changes the address is told by doctor what that breaks.
	err = db.InTx(ctx, identity.Principal{Kind: identity.System}, func(tx *store.Tx) error { return tx.Installation().NoteOrigin(ctx, authenticator.String()) })
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s := &Server{DB: db, config: c, stopDelay: stopDelay, observe: observe, log: log, mux: http.NewServeMux(), streams: web.NewStreams(log), closing: make(chan struct{}),
		Site: &web.Site{DB: db, Catalog: catalog, Pages: pages, Log: log, Base: base, TrustedProxies: proxies, UseForwarded: c.ForwardedHeader == config.Forwarded,
			Sessions: web.NewSessions(db.CookieKeys(), base.Scheme == "https")},
		Directory: directory.New(db, runtime.NumCPU()), node: nodeName(), outgoing: outbound.New(allowed)}
	s.Directory.Hashed = observe.Hash
	if c.BreachedPasswords != "" {
		s.Directory.Breached = c.Path(c.BreachedPasswords)
	}
	if c.LocationDatabase != "" {
		s.locations = location.New(ctx, c.Path(c.LocationDatabase), log)
	}
	if c.AuthenticatorURL != "" {
		s.Site.Authenticator = authenticator
	}
	s.notifier = &notify.Notifier{DB: db, Client: s.outgoing, Disabled: len(services) == 0, Services: services, Catalog: catalog, Base: authenticator.String(), Contact: contact,
		Log: log, Node: s.node}
	sender, err := Sender(c)
	if err == nil && sender != nil {
		s.outbox = &mail.Outbox{DB: db, Sender: sender, Pages: pages, Catalog: catalog, From: c.Mail.From,
			Domain: base.Hostname(), Log: log, Node: s.node}
	}
	if err == nil {
		err = s.mount()
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// nodeName tells this node from others in the leases it takes, and from itself
// before a restart.
func nodeName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	return host + " " + identity.NewSecret()[:8]
}

// Sender is how mails leave; nil where the configuration names no way.
func Sender(c config.Config) (mail.Sender, error) {
	switch {
	case c.Mail.Folder != "":
		return mail.Folder{Dir: c.Path(c.Mail.Folder)}, nil
	case c.Mail.Host == "":
		return nil, nil
	}
	password, err := c.Mail.Password(c)
	return mail.SMTP{Host: c.Mail.Host, Port: int(c.Mail.Port), TLS: c.Mail.TLS, User: c.Mail.User, Password: password}, err
}

// mount puts every face where it stands.
func (s *Server) mount() error {
	k := s.Site
	logins := &idp.IdP{Site: k, DB: s.DB, Engine: &journey.Engine{DB: s.DB, Directory: s.Directory, Catalog: k.Catalog, Base: k.Base, Authenticator: k.Authenticator, Locations: s.locations},
		Keys: &signingkey.Cache{DB: s.DB, Signed: s.observe.Signature}, Closing: s.closing, Streams: s.streams}
	oidcFace := oidc.New(logins)
	samlFace := saml.New(logins)
	skew, err := s.config.ClockSkew()
	if err != nil {
		return fmt.Errorf("saml_clock_skew %w", err)
	}
	samlFace.Skew = skew
	logins.Protocols = map[identity.Protocol]idp.Protocol{
		identity.OIDC: oidcFace, identity.SAML: samlFace, identity.Portal: idp.Portal{}}
	s.apps = appapi.New(appapi.Options{DB: s.DB, Catalog: k.Catalog, Base: k.AuthenticatorOrigin(), SelfService: k.Base.String(), Notifier: s.notifier, Address: k.ClientIP, Streams: s.streams, Log: s.log})
	webApp, err := appapi.WebApp(k)
	if err != nil {
		return err
	}

	pages := http.NewServeMux()
	logins.Routes(pages)
	own := &self.Portal{Site: k, DB: s.DB, Directory: s.Directory, EndSession: logins.EndSession, BeginAdding: logins.BeginAdding}
	logins.SelfService = own.Names()
	own.Routes(pages)
	pages.Handle("GET /{$}", k.Handle(s.home))
	pages.Handle("/", k.Handle(func(http.ResponseWriter, *http.Request) error {
		return &identity.Error{Kind: identity.NotFound, Key: "error.notfound"}
	}))

	root := http.NewServeMux()
	oidcFace.Routes(root)
	samlFace.Routes(root)
	s.mountAuthenticator(root, webApp)
	privacyideaapi.New(k, s.DB).Routes(root)
	root.Handle("GET "+static.Prefix, static.Handler())
	s.proof(root)
	if s.config.MetricsListen == "" {
		s.health(root)
	}
	root.Handle("/", k.SameOrigin(pages))
	s.mux.Handle("/", root)
	return nil
}

// home sends who knows only the server's address to where they belong, if that
// is clear.
func (s *Server) home(w http.ResponseWriter, r *http.Request) error {
	tenants, err := store.Collect(s.DB.Tenants().All(r.Context()))
	if err != nil {
		return err
	}
	if len(tenants) != 1 {
		return &identity.Error{Kind: identity.NotFound, Key: "error.notfound"}
	}
	http.Redirect(w, r, "/t/"+tenants[0].Slug+"/me", http.StatusSeeOther)
	return nil
}

// Handle mounts more, before Run. What is mounted here comes before the
// server's own pages, inside the same headers.
func (s *Server) Handle(pattern string, h http.Handler) { s.mux.Handle(pattern, h) }

// Handler is everything the public address answers.
func (s *Server) Handler() http.Handler {
	h := s.endConnections(s.Site.Recover(s.Site.Headers(http.HandlerFunc(s.answer))))
	if s.observe.Request != nil {
		h = s.observe.Request(h)
	}
	return h
}

// Listen begins to listen, so that no connection is refused from now on.
// Run does it if it was not done.
func (s *Server) Listen(ctx context.Context) (err error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // its sockets take no filter, which refuseConnections needs
	if s.public, err = lc.Listen(ctx, "tcp", s.config.Listen); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	if s.config.MetricsListen == "" {
		return nil
	}
	if s.adminListener, err = lc.Listen(ctx, "tcp", s.config.MetricsListen); err != nil {
		return errors.Join(fmt.Errorf("server: %w", err), s.public.Close())
	}
	return nil
}

// Run serves until ctx ends, and then stops in order.
func (s *Server) Run(ctx context.Context) error {
	if s.public == nil {
		if err := s.Listen(ctx); err != nil {
			return err
		}
	}
	var work sync.WaitGroup
	defer work.Wait()
	working, stop := context.WithCancel(context.WithoutCancel(ctx)) // until nobody is served any more
	defer stop()
	if s.outbox != nil {
		work.Go(func() { s.outbox.Run(working) })
	} else {
		s.log.WarnContext(ctx, "no way for mails to leave is configured; they wait in the outbox")
	}
	work.Go(func() { (&enroll.CodeMailer{DB: s.DB, Log: s.log}).Run(working) })
	work.Go(func() { s.notifier.Run(working) })
	work.Go(func() { s.sweep(store.LongRunning(working)) })
	work.Go(func() { s.metadata(working) })
	work.Go(func() { s.watchClock(working) })
	if s.locations != nil {
		work.Go(func() { s.locations.Watch(working) })
	}

	failed := make(chan error, 2)
	public := s.serve(s.Handler())
	public.RegisterOnShutdown(sync.OnceFunc(func() { close(s.closing) }))
	public.RegisterOnShutdown(s.streams.Close)
	defer s.streams.Wait() // they read from the database
	if s.config.TLSCert != "" {
		public.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: (&certificate{config: s.config, log: s.log}).get}
		go func() { failed <- public.ServeTLS(s.public, "", "") }()
	} else {
		go func() { failed <- public.Serve(s.public) }()
	}
	servers := []*http.Server{public}
	if s.adminListener != nil {
		watched := http.NewServeMux()
		s.health(watched)
		profiling(watched)
		second := s.serve(watched)
		second.WriteTimeout = profileTimeout
		servers = append(servers, second)
		go func() { failed <- second.Serve(s.adminListener) }()
	}
	s.log.InfoContext(ctx, "listening", "address", s.public.Addr().String(), "base", s.Site.Base.String())

	var err error
	select {
	case err = <-failed:
		err = fmt.Errorf("server: %w", err)
	case <-ctx.Done():
		s.log.InfoContext(ctx, "stopping")
		s.drain(ctx)
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	for _, server := range servers {
		if late := server.Shutdown(ending); late != nil {
			err = errors.Join(err, server.Close())
		}
	}
	return err
}

// serve is an HTTP server with its bounds.
func (s *Server) serve(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		WriteTimeout: writeTimeout, MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
}

// Close closes the database. It comes after Run.
func (s *Server) Close() error {
	for _, l := range []net.Listener{s.public, s.adminListener} {
		if l != nil {
			_ = l.Close() // Run has closed it, unless it was never called
		}
	}
	return s.DB.Close()
}
