package mail

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// An Envelope is a rendered mail, ready to be sent.
type Envelope struct {
	From      string // address
	FromName  string
	To        string
	MessageID string // without angle brackets
	Subject   string
	Text      string
	HTML      string
}

// A Sender sends a mail. An error wrapped in Permanent must not be tried again.
type Sender interface {
	Send(ctx context.Context, e Envelope) error
}

// A Permanent error means that this mail will never be accepted.
type Permanent struct{ Err error }

func (p Permanent) Error() string { return p.Err.Error() }
func (p Permanent) Unwrap() error { return p.Err }

// build makes the message that both senders send.
func (e Envelope) build() (*gomail.Msg, error) {
	// A line break in the value of a header would begin another header
	// (T-ADM-06).
	for _, part := range []string{e.From, e.FromName, e.To, e.MessageID, e.Subject} {
		if strings.ContainsAny(part, "\r\n\x00") {
			return nil, Permanent{fmt.Errorf("mail: line break in %q", part)}
		}
	}
	from, to, err := e.addresses()
	if err != nil {
		return nil, err
	}
	m := gomail.NewMsg()
	m.FromMailAddress(&mail.Address{Name: e.FromName, Address: from.Sent()})
	if err := m.To(to.Sent()); err != nil {
		return nil, Permanent{fmt.Errorf("mail: to: %w", err)}
	}
	m.SetMessageIDWithValue(e.MessageID)
	m.SetDate()
	m.Subject(e.Subject)
	// This prevents out-of-office replies (RFC 3834).
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetBodyString(gomail.TypeTextPlain, e.Text)
	m.AddAlternativeString(gomail.TypeTextHTML, e.HTML)
	return m, nil
}

// addresses are those of the sender and the recipient.
func (e Envelope) addresses() (from, to identity.MailAddress, err error) {
	if from, err = identity.ParseMailAddress(e.From); err != nil {
		return from, to, fmt.Errorf("mail: from: %w", err)
	}
	if to, err = identity.ParseMailAddress(e.To); err != nil {
		return from, to, Permanent{fmt.Errorf("mail: to: %w", err)}
	}
	return from, to, nil
}

// How SMTP protects the connection.
const (
	StartTLS    = "starttls" // refuse a server that does not offer it
	ImplicitTLS = "tls"
	Unencrypted = "none" // for a server on this machine
)

// defaultTimeout is how long a server may take for one mail.
const defaultTimeout = 20 * time.Second

// SMTP sends through a mail server.
type SMTP struct {
	Host     string
	Port     int
	TLS      string // StartTLS, ImplicitTLS or Unencrypted
	User     string
	Password string
	Timeout  time.Duration // for one mail; 0 means 20 seconds
	// Roots are the trusted certificate authorities; nil means those of this
	// machine.
	Roots *x509.CertPool
}

// ErrNoSMTPUTF8 is the error of a mail from or to an address that needs SMTPUTF8 (RFC
// 6531), by a server that does not offer it.
var ErrNoSMTPUTF8 = errors.New("the server does not offer SMTPUTF8")

// Send sends e to the server. Only a refusal of the recipient, and a recipient of whom
// the server cannot be told, are permanent: an operator can correct any other, such as
// one of the password or of the sender, and no mail must be lost until then.
func (s SMTP) Send(ctx context.Context, e Envelope) error {
	m, err := e.build()
	if err != nil {
		return err
	}
	from, to, err := e.addresses()
	if err != nil {
		return err
	}
	// Where SMTPUTF8 is not needed it is not asked for: a server further on that lacks it
	// would have to refuse the mail.
	needed := from.NeedsSMTPUTF8() || to.NeedsSMTPUTF8()
	var options []gomail.Option
	if !needed {
		options = append(options, gomail.WithoutSMTPUTF8())
	}
	client, err := s.client(options...)
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout())
	defer cancel()
	connected, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	defer func() { _ = client.CloseWithSMTPClient(connected) }() // what the server took it keeps, however that ends
	if offered, _ := connected.Extension("SMTPUTF8"); needed && !offered {
		err := fmt.Errorf("mail: %w", ErrNoSMTPUTF8)
		if !to.NeedsSMTPUTF8() {
			return err
		}
		return Permanent{err}
	}
	err = client.SendWithSMTPClient(connected, m)
	var refused *gomail.SendError
	if errors.As(err, &refused) && refused.Reason == gomail.ErrSMTPRcptTo && !refused.IsTemp() {
		return Permanent{fmt.Errorf("mail: %w", err)}
	}
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	return nil
}

// timeout is how long the server may take for one mail.
func (s SMTP) timeout() time.Duration { return cmp.Or(s.Timeout, defaultTimeout) }

func (s SMTP) tlsConfig() *tls.Config {
	return &tls.Config{ServerName: s.Host, MinVersion: tls.VersionTLS12, RootCAs: s.Roots}
}

// client is a client for the server, not connected yet.
func (s SMTP) client(options ...gomail.Option) (*gomail.Client, error) {
	options = append(options, gomail.WithPort(s.Port), gomail.WithTimeout(s.timeout()), gomail.WithTLSConfig(s.tlsConfig()))
	switch s.TLS {
	case ImplicitTLS:
		options = append(options, gomail.WithSSL())
	case Unencrypted:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if s.User != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(s.User), gomail.WithPassword(s.Password))
	}
	return gomail.NewClient(s.Host, options...)
}

// Folder writes each mail to a file in a folder, for development. A mail that
// is sent again replaces the one with the same Message-ID.
type Folder struct{ Dir string }

// Send writes e to a file of its own.
func (f Folder) Send(_ context.Context, e Envelope) error {
	m, err := e.build()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	name, _, _ := strings.Cut(e.MessageID, "@")
	if err := m.WriteToFile(filepath.Join(f.Dir, filepath.Base(name)+".eml")); err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	return nil
}
