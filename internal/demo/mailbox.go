package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// A Mailbox is a mail server that stores all mails and delivers none: each is a
// file in its folder, and the newest are in memory too.
type Mailbox struct {
	dir    string
	log    *slog.Logger
	server *smtp.Server

	mu    sync.Mutex
	mails []Mail // oldest first
}

// Limits of a mailbox.
const (
	maxMail       = 1 << 20
	maxMails      = 1000
	maxRecipients = 10
	smtpTimeout   = 30 * time.Second
)

// OpenMailbox opens the mailbox in a folder, which it creates if necessary. A
// file in it that is no mail is left unchanged.
func OpenMailbox(dir string, log *slog.Logger) (*Mailbox, error) {
	b := &Mailbox{dir: dir, log: log}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("demo: mailbox: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"+suffix)) // sorted by name, and so by time
	if err != nil {
		return nil, fmt.Errorf("demo: mailbox: %w", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("demo: mailbox: %w", err)
		}
		m, err := readMail(raw)
		if err != nil {
			log.Warn("not a mail", "file", file, "err", err)
			continue
		}
		m.ID = strings.TrimSuffix(filepath.Base(file), suffix)
		m.At = arrivalTime(m.ID)
		b.mails = append(b.mails, m)
	}
	b.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &smtpSession{box: b}, nil }))
	b.server.Domain = "localhost"
	b.server.MaxMessageBytes = maxMail
	b.server.MaxRecipients = maxRecipients
	b.server.ReadTimeout, b.server.WriteTimeout = smtpTimeout, smtpTimeout
	b.server.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	return b, nil
}

// Serve accepts mails until Close.
func (b *Mailbox) Serve(l net.Listener) error {
	if err := b.server.Serve(l); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("demo: mail server: %w", err)
	}
	return nil
}

// Close stops the server. It waits for a mail that is being received, until ctx
// ends.
func (b *Mailbox) Close(ctx context.Context) error {
	if err := b.server.Shutdown(ctx); err != nil && !errors.Is(err, smtp.ErrServerClosed) {
		return fmt.Errorf("demo: mail server: %w", err)
	}
	return nil
}

// Mails returns all mails, oldest first.
func (b *Mailbox) Mails() []Mail {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.mails)
}

// Mail returns the mail with an id, and false if there is none.
func (b *Mailbox) Mail(id string) (Mail, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.mails, func(m Mail) bool { return m.ID == id })
	if i < 0 {
		return Mail{}, false
	}
	return b.mails[i], true
}

// store stores a mail as it was received. It returns once the mail is on the
// disk, because the sender deletes it then.
func (b *Mailbox) store(to []string, raw []byte) error {
	// The recipients are those of the envelope; the headers may name others.
	raw = append([]byte("Delivered-To: "+strings.Join(to, ", ")+"\r\n"), raw...)
	m, err := readMail(raw)
	if err != nil {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "not a mail: " + err.Error()}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	// A sender that died before it recorded our answer sends again. The mail is
	// recognised by its Message-ID.
	if m.MessageID != "" && slices.ContainsFunc(b.mails, func(k Mail) bool { return k.MessageID == m.MessageID && k.To == m.To }) {
		return nil
	}
	now := time.Now().UnixMilli()
	if n := len(b.mails); n > 0 {
		now = max(now, b.mails[n-1].At.UnixMilli()+1) // names sort in the order of arrival, even if the clock is set back
	}
	m.ID = fmt.Sprintf("%013d-%s", now, strings.ToLower(rand.Text()[:8]))
	m.At = arrivalTime(m.ID)
	if err := writeFile(filepath.Join(b.dir, m.ID+suffix), raw); err != nil {
		return fmt.Errorf("demo: mailbox: %w", err)
	}
	b.mails = append(b.mails, m)
	for len(b.mails) > maxMails {
		if err := os.Remove(filepath.Join(b.dir, b.mails[0].ID+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			b.log.Warn("old mail not removed", "err", err)
		}
		b.mails = slices.Delete(b.mails, 0, 1)
	}
	return nil
}

// suffix is that of the files with mails.
const suffix = ".eml"

// arrivalTime is the time in the id of a mail; zero if there is none.
func arrivalTime(id string) time.Time {
	text, _, _ := strings.Cut(id, "-")
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// writeFile writes a file completely or not at all, readable only by its owner.
func writeFile(name string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// An smtpSession is the session of one client with the mail server.
type smtpSession struct {
	box *Mailbox
	to  []string
}

// Mail implements smtp.Session: any sender is accepted.
func (d *smtpSession) Mail(string, *smtp.MailOptions) error { return nil }

// Rcpt implements smtp.Session: any recipient is accepted.
func (d *smtpSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	d.to = append(d.to, to)
	return nil
}

// Data implements smtp.Session.
func (d *smtpSession) Data(r io.Reader) error {
	var raw bytes.Buffer
	if _, err := raw.ReadFrom(r); err != nil {
		return err
	}
	return d.box.store(d.to, raw.Bytes())
}

// Reset implements smtp.Session.
func (d *smtpSession) Reset() { d.to = nil }

// Logout implements smtp.Session.
func (d *smtpSession) Logout() error { return nil }
