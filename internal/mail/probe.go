package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// A Stage is a step of sending a mail.
type Stage string

// The stages, in their order.
const (
	Connect  Stage = "connect"
	Secure   Stage = "tls"
	Login    Stage = "login"
	Accepted Stage = "accepted"
)

// A Fault is the stage at which sending fails, and what an operator can do
// about it.
type Fault struct {
	Stage Stage
	Hint  string // names the keys of the configuration to check
	Err   error
}

func (f *Fault) Error() string { return f.Hint + " (" + f.Err.Error() + ")" }
func (f *Fault) Unwrap() error { return f.Err }

// Probe does all stages up to the login, without sending a mail, and reports
// each that succeeds. It fails with a [*Fault].
func (s SMTP) Probe(ctx context.Context, report func(passed Stage, how string)) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout())
	defer cancel()
	how, err := s.secure(ctx, report)
	if err != nil {
		return err
	}
	report(Secure, how)
	// The login is done as before each mail, on a connection of its own.
	client, err := s.client()
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	dialled, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return &Fault{Login, loginHint(s, err), err}
	}
	how = "as " + s.User
	if s.User == "" {
		how = "none is configured"
	}
	report(Login, how)
	return client.CloseWithSMTPClient(dialled)
}

// secure connects and, if so configured, encrypts.
func (s SMTP) secure(ctx context.Context, report func(Stage, string)) (how string, err error) {
	began := time.Now()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	if err != nil {
		return "", &Fault{Connect, connectHint(s, err), err}
	}
	defer conn.Close()
	if end, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(end); err != nil {
			return "", fmt.Errorf("mail: %w", err)
		}
	}
	report(Connect, fmt.Sprintf("%s, in %d ms", conn.RemoteAddr(), time.Since(began).Milliseconds()))
	if s.TLS == ImplicitTLS {
		secured := tls.Client(conn, s.tlsConfig())
		if err := secured.HandshakeContext(ctx); err != nil {
			return "", &Fault{Secure, tlsHint(s, err), err}
		}
		return describe(secured.ConnectionState()), nil
	}
	client, err := smtp.NewClient(conn, s.Host)
	if err != nil {
		return "", &Fault{Connect, greetingHint(s, err), err}
	}
	defer client.Close()
	if s.TLS == Unencrypted {
		return "none, as configured", nil
	}
	if offered, _ := client.Extension("STARTTLS"); !offered {
		err := errors.New("STARTTLS is not among what it offers")
		return "", &Fault{Secure, `the server does not encrypt, so nothing is mailed by it: is there another port for that? mail.tls = "tls" with port 465, perhaps`, err}
	}
	if err := client.StartTLS(s.tlsConfig()); err != nil {
		return "", &Fault{Secure, tlsHint(s, err), err}
	}
	state, _ := client.TLSConnectionState()
	return describe(state), nil
}

// describe says how a connection is encrypted, and until when the certificate
// is valid.
func describe(state tls.ConnectionState) string {
	how := tls.VersionName(state.Version)
	if len(state.PeerCertificates) > 0 {
		how += ", certificate good until " + state.PeerCertificates[0].NotAfter.UTC().Format(time.DateOnly)
	}
	return how
}

func connectHint(s SMTP, err error) string {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Sprintf("nobody is called %q: look at mail.host", s.Host)
	case errors.As(err, &dns):
		return fmt.Sprintf("the name %q cannot be looked up now: look at this machine's DNS", s.Host)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("nothing listens on port %d of %s: look at mail.host and mail.port", s.Port, s.Host)
	case isTimeout(err):
		return fmt.Sprintf("port %d of %s does not answer: a firewall in between, or look at mail.port", s.Port, s.Host)
	}
	return "no connection: look at mail.host and mail.port"
}

func greetingHint(s SMTP, err error) string {
	if isTimeout(err) {
		return fmt.Sprintf(`the server is there and says nothing: port %d may want TLS from the start, mail.tls = "tls"`, s.Port)
	}
	return fmt.Sprintf("what listens on port %d does not greet as a mail server does: look at mail.port and mail.tls", s.Port)
}

func tlsHint(s SMTP, err error) string {
	var record tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &record):
		return fmt.Sprintf(`port %d does not speak TLS from the start: mail.tls = "starttls", perhaps`, s.Port)
	case errors.As(err, &authority):
		return "this machine does not trust who signed the server's certificate: install that authority's certificate here"
	case errors.As(err, &host):
		return fmt.Sprintf("the server's certificate is for another name than %q: set mail.host to the one it is for", s.Host)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the server's certificate has expired, or the clock of this machine is wrong"
	case isTimeout(err):
		return "the server does not answer while encrypting: look at mail.port and mail.tls"
	}
	return "encrypting failed: look at mail.tls"
}

func loginHint(s SMTP, err error) string {
	var reply *textproto.Error
	switch {
	case errors.As(err, &reply) && reply.Code == 535:
		return fmt.Sprintf("the server refuses the name %q or its password: look at mail.user and mail.password_file", s.User)
	case errors.As(err, &reply) && (reply.Code == 534 || reply.Code == 538):
		return "the server refuses this way of logging in"
	case errors.Is(err, gomail.ErrNoSupportedAuthDiscovered) && s.TLS == Unencrypted:
		return "the server offers no login that keeps the password from being read on the way: mail.tls must not be \"none\""
	case errors.Is(err, gomail.ErrNoSupportedAuthDiscovered), strings.Contains(err.Error(), "does not support SMTP AUTH"):
		return "the server offers no login that we know: leave out mail.user, or look at mail.port"
	}
	return "the server was reached, and the login failed: look at mail.user and mail.password_file"
}

// SendFault is the fault of an error of Send.
func (s SMTP) SendFault(err error) *Fault {
	if errors.Is(err, ErrNoSMTPUTF8) {
		return &Fault{Accepted, "the part of the address before the @ has letters beyond ASCII, and the server takes none (SMTPUTF8): " +
			"another address, or another server", err}
	}
	var refused *gomail.SendError
	if !errors.As(err, &refused) {
		return &Fault{Accepted, "the server did not take the mail", err}
	}
	switch refused.Reason {
	case gomail.ErrSMTPMailFrom:
		return &Fault{Accepted, "the server takes no mail from our address, for this login: look at mail.from", err}
	case gomail.ErrSMTPRcptTo:
		return &Fault{Accepted, "the server takes no mail for this recipient: does the address exist, and may we mail there (relaying)?", err}
	case gomail.ErrSMTPData, gomail.ErrSMTPDataClose, gomail.ErrWriteContent:
		return &Fault{Accepted, "the server refused the mail after reading it: its size, or its filter", err}
	}
	return &Fault{Accepted, "the server did not take the mail", err}
}

// isTimeout reports whether an error is a timeout.
func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}
