package demo

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/mail"
)

// open opens the mailbox of a folder and serves it, and returns how to send to it.
func open(t *testing.T, dir string) (*Mailbox, mail.SMTP) {
	t.Helper()
	box, err := OpenMailbox(dir, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- box.Serve(l) }()
	ctx := t.Context()
	t.Cleanup(func() {
		err := box.server.Close()
		_ = l.Close() // a server that is closed before it serves does not close l
		if err := errors.Join(err, <-done); err != nil {
			t.Errorf("close: %v, %v", err, ctx.Err())
		}
	})
	return box, mail.SMTP{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, TLS: mail.Unencrypted}
}

func envelope(n int) mail.Envelope {
	return mail.Envelope{From: "login@hospital.example", FromName: "Example Hospital", To: "anna@hospital.example",
		MessageID: fmt.Sprintf("%d@localhost", n), Subject: fmt.Sprintf("Größe №%d", n),
		Text: "Ihr Code: 123456\nNur für Sie.", HTML: `<p style="color:red">Ihr Code: <b>123456</b></p>`}
}

// Mails of the outbox's sender are stored in order, and are there again when
// the mailbox is reopened.
func TestMailboxKeeps(t *testing.T) {
	dir := t.TempDir()
	box, smtp := open(t, dir)
	for n := range 3 {
		if err := smtp.Send(t.Context(), envelope(n)); err != nil {
			t.Fatal(err)
		}
	}
	again, _ := open(t, dir)
	for name, got := range map[string][]Mail{"at once": box.Mails(), "opened again": again.Mails()} {
		if len(got) != 3 {
			t.Fatalf("%s: %d mails, want 3", name, len(got))
		}
		for n, m := range got {
			want := envelope(n)
			if m.To != want.To || m.Subject != want.Subject || strings.TrimSpace(m.Text) != want.Text || strings.TrimSpace(m.HTML) != want.HTML {
				t.Errorf("%s: mail %d is %+v, want %+v", name, n, m, want)
			}
			if n > 0 && !m.At.After(got[n-1].At) {
				t.Errorf("%s: mail %d came at %v, not after %v", name, n, m.At, got[n-1].At)
			}
			if found, ok := box.Mail(m.ID); !ok || found != m {
				t.Errorf("%s: Mail(%q) = %+v, %t", name, m.ID, found, ok)
			}
		}
	}
}

// A sender that did not get the answer sends again; there is one mail.
func TestMailboxKnowsWhatItHas(t *testing.T) {
	box, smtp := open(t, t.TempDir())
	other := envelope(1)
	other.To = "bashir@hospital.example"
	for _, e := range []mail.Envelope{envelope(1), envelope(1), other, envelope(2)} {
		if err := smtp.Send(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(box.Mails()); got != 3 {
		t.Errorf("%d mails, want 3", got)
	}
}

// A file that is no mail, or only half of one, does not prevent opening the
// mailbox, and is not removed.
func TestMailboxLeavesWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	box, smtp := open(t, dir)
	if err := smtp.Send(t.Context(), envelope(1)); err != nil {
		t.Fatal(err)
	}
	garbage := filepath.Join(dir, "0000000000001-garbage.eml")
	if err := os.WriteFile(garbage, []byte("no\x00 mail"), 0o600); err != nil {
		t.Fatal(err)
	}
	again, _ := open(t, dir)
	if got, want := len(again.Mails()), len(box.Mails()); got != want {
		t.Errorf("%d mails, want %d", got, want)
	}
	if _, err := os.Stat(garbage); err != nil {
		t.Error(err)
	}
}

func TestReadMail(t *testing.T) {
	multipart := "Delivered-To: a@example.org\r\nContent-Type: multipart/%s; boundary=b\r\n\r\n%s--b--\r\n"
	part := "--b\r\nContent-Type: %s\r\n%s\r\n%s\r\n"
	nested := "Subject: deep\r\n"
	for i := range maxDepth + 2 { // each needs its own boundary
		nested += fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	for _, tt := range []struct {
		name, raw  string
		text, html string
		wrong      bool
	}{
		{"plain", "Subject: x\r\n\r\nHello\r\nworld\r\n", "Hello\nworld\n", "", false},
		{"quoted-printable", "Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=\r\nn\r\n", "Grün\n", "", false},
		{"base64", "Content-Transfer-Encoding: BASE64\r\nContent-Type: text/html\r\n\r\nPGI+SGk8L2I+\r\n", "", "<b>Hi</b>", false},
		{"alternatives", fmt.Sprintf(multipart, "alternative", fmt.Sprintf(part, "text/plain", "", "T")+fmt.Sprintf(part, "text/html", "", "<i>H</i>")), "T", "<i>H</i>", false},
		{"the first counts", fmt.Sprintf(multipart, "mixed", fmt.Sprintf(part, "text/plain", "", "one")+fmt.Sprintf(part, "text/plain", "", "two")), "one", "", false},
		{"attachment", fmt.Sprintf(multipart, "mixed", fmt.Sprintf(part, "application/pdf", "Content-Transfer-Encoding: base64\r\n", "AAAA")), "", "", false},
		{"not UTF-8", "Subject: x\r\n\r\n\xff\xfe", "\uFFFD", "", false},
		{"no header", "hello", "", "", true},
		{"nothing", "", "", "", true},
		{"damaged base64", "Content-Transfer-Encoding: base64\r\n\r\n!!!!", "", "", true},
		{"odd type", "Content-Type: text/\r\n\r\nx", "", "", true},
		{"no boundary", "Content-Type: multipart/mixed\r\n\r\nx", "", "", true},
		{"endless depth", nested, "", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := readMail([]byte(tt.raw))
			if (err != nil) != tt.wrong {
				t.Fatalf("readMail: %v, want an error: %t", err, tt.wrong)
			}
			if err == nil && (m.Text != tt.text || m.HTML != tt.html) {
				t.Errorf("readMail: %q and %q, want %q and %q", m.Text, m.HTML, tt.text, tt.html)
			}
		})
	}
}

func FuzzReadMail(f *testing.F) {
	f.Add([]byte("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n"))
	f.Add([]byte("Content-Transfer-Encoding: base64\r\n\r\nAAAA"))
	f.Fuzz(func(_ *testing.T, raw []byte) {
		_, _ = readMail(raw) // it must return
	})
}
