package mail

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// An authServer requires a login.
type authServer struct{ *smtpServer }

func (g authServer) NewSession(*smtp.Conn) (smtp.Session, error) {
	return &authSession{smtpSession: smtpSession{g.smtpServer}}, nil
}

type authSession struct {
	smtpSession
	in bool
}

func (*authSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *authSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, name, password string) error {
		if name != "latchkey" || password != "secret" {
			return smtp.ErrAuthFailed
		}
		s.in = true
		return nil
	}), nil
}

func (s *authSession) Mail(from string, o *smtp.MailOptions) error {
	if !s.in {
		return smtp.ErrAuthRequired
	}
	return s.smtpSession.Mail(from, o)
}

// tlsServer starts a server with a certificate for 127.0.0.1, and returns how
// to reach it: with STARTTLS, or with TLS from the start.
func tlsServer(t *testing.T, backend smtp.Backend, mode string) SMTP {
	t.Helper()
	web := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(web.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := SMTP{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, TLS: mode, Timeout: 2 * time.Second, Roots: x509.NewCertPool()}
	to.Roots.AddCert(web.Certificate())
	server := smtp.NewServer(backend)
	server.Domain = "localhost"
	server.TLSConfig = &tls.Config{Certificates: web.TLS.Certificates}
	if mode == ImplicitTLS {
		l = tls.NewListener(l, server.TLSConfig)
	}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return to
}

// Each fault is reported with its stage and the key of the configuration to
// check.
func TestProbe(t *testing.T) {
	server := authServer{&smtpServer{}}
	plain := smtpAt((&smtpServer{}).listen(t, "127.0.0.1:0"))
	start, whole := tlsServer(t, server, StartTLS), tlsServer(t, server, ImplicitTLS)
	dumb, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer dumb.Close()
	with := func(s SMTP, change func(*SMTP)) SMTP {
		s.User, s.Password = "latchkey", "secret"
		change(&s)
		return s
	}
	for _, tt := range []struct {
		name   string
		way    SMTP
		passed []Stage
		hint   string // empty: nothing is wrong
	}{
		{"STARTTLS", with(start, func(*SMTP) {}), []Stage{Connect, Secure, Login}, ""},
		{"TLS", with(whole, func(*SMTP) {}), []Stage{Connect, Secure, Login}, ""},
		{"in clear, no login", plain, []Stage{Connect, Secure, Login}, ""},
		{"nobody of that name", with(start, func(s *SMTP) { s.Host = "nobody.invalid" }), nil, "mail.host"},
		{"nobody listens", with(start, func(s *SMTP) { s.Port = closedPort(t) }), nil, "nothing listens on port"},
		{"says nothing", with(start, func(s *SMTP) { s.Port = dumb.Addr().(*net.TCPAddr).Port }), []Stage{Connect}, `mail.tls = "tls"`},
		{"TLS from the start, said otherwise", with(whole, func(s *SMTP) { s.TLS = StartTLS }), []Stage{Connect}, `mail.tls = "tls"`},
		{"STARTTLS, said otherwise", with(start, func(s *SMTP) { s.TLS = ImplicitTLS }), []Stage{Connect}, `mail.tls = "starttls"`},
		{"no STARTTLS", with(plain, func(s *SMTP) { s.TLS = StartTLS }), []Stage{Connect}, "does not encrypt"},
		{"nobody trusts it", with(start, func(s *SMTP) { s.Roots = x509.NewCertPool() }), []Stage{Connect}, "does not trust"},
		{"another name", with(start, func(s *SMTP) { s.Host = "localhost" }), []Stage{Connect}, "another name"},
		{"wrong password", with(start, func(s *SMTP) { s.Password = "guess" }), []Stage{Connect, Secure}, `refuses the name "latchkey"`},
		{"a login in clear", with(plain, func(*SMTP) {}), []Stage{Connect, Secure}, "mail.user"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var passed []Stage
			err := tt.way.Probe(t.Context(), func(stage Stage, _ string) { passed = append(passed, stage) })
			var fault *Fault
			if errors.As(err, &fault) != (tt.hint != "") || tt.hint != "" && !strings.Contains(fault.Hint, tt.hint) || tt.hint == "" && err != nil {
				t.Errorf("%v, want %q", err, tt.hint)
			}
			if !slices.Equal(passed, tt.passed) {
				t.Errorf("passed %v, want %v", passed, tt.passed)
			}
			if strings.Contains(fmt.Sprint(err), "secret") {
				t.Errorf("the password is said: %v", err)
			}
		})
	}
	if n := len(server.got()); n != 0 {
		t.Errorf("%d mails were sent", n)
	}
}

func closedPort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestSendFault(t *testing.T) {
	for _, tt := range []struct {
		name   string
		refuse func(*smtpServer)
		hint   string
	}{
		{"sender", func(p *smtpServer) { p.from = &smtp.SMTPError{Code: 550, Message: "not you"} }, "mail.from"},
		{"recipient", func(p *smtpServer) { p.rcpt = &smtp.SMTPError{Code: 554, Message: "relay access denied"} }, "recipient"},
	} {
		server := &smtpServer{}
		tt.refuse(server)
		to := smtpAt(server.listen(t, "127.0.0.1:0"))
		err := to.Send(t.Context(), Envelope{From: "a@example.org", To: "b@example.org", MessageID: "m@example.org", Subject: "s", Text: "t", HTML: "t"})
		if err == nil {
			t.Fatalf("%s: sent", tt.name)
		}
		if fault := to.SendFault(err); fault.Stage != Accepted || !strings.Contains(fault.Hint, tt.hint) {
			t.Errorf("%s: %v, want %q", tt.name, fault, tt.hint)
		}
	}
}
