package main

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/demo"
)

// mailbox is a real mail server, and the port it listens on.
func mailbox(t *testing.T) (*demo.Mailbox, int) {
	t.Helper()
	box, err := demo.OpenMailbox(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go box.Serve(l)
	t.Cleanup(func() { box.Close(t.Context()) })
	return box, l.Addr().(*net.TCPAddr).Port
}

func TestSMTPTest(t *testing.T) {
	p := newInstallation(t)
	p.fails(exitFailed, "no mail server is configured", "", "smtp", "test", "anna@example.org")
	box, port := mailbox(t)
	t.Setenv("LATCHKEY_MAIL_HOST", "127.0.0.1")
	t.Setenv("LATCHKEY_MAIL_PORT", fmt.Sprint(port))
	t.Setenv("LATCHKEY_MAIL_FROM", "login@example.org")
	t.Setenv("LATCHKEY_MAIL_TLS", "none")
	p.fails(exitUsage, "no mail address", "", "smtp", "test", "anna")
	said := p.succeeds("", "smtp", "test", "anna@example.org")
	for _, want := range []string{"connect   127.0.0.1:", "tls       none, as configured", "login     none is configured", "accepted  from login@example.org to anna@example.org"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	if mails := box.Mails(); len(mails) != 1 || !strings.Contains(mails[0].To, "anna@example.org") || mails[0].Subject != "Test: mail from Latchkey arrives" {
		t.Errorf("arrived: %+v", mails)
	}
	if stages := read[[]stageRow](p, "", "smtp", "test", "anna@example.org", "--language", "de"); len(stages) != 4 || !stages[3].Passed {
		t.Errorf("stages: %+v", stages)
	}

	t.Setenv("LATCHKEY_MAIL_TLS", "starttls")
	p.fails(exitFailed, "the server does not encrypt", "", "smtp", "test", "anna@example.org")
	code, out, errs := p.run("", "smtp", "test", "anna@example.org", "--json")
	if code != exitFailed || !strings.Contains(out, `"passed": false`) || !strings.Contains(errs, `"error"`) {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	t.Setenv("LATCHKEY_MAIL_TLS", "none")
	t.Setenv("LATCHKEY_MAIL_PORT", "1")
	p.fails(exitFailed, "nothing listens on port 1", "", "smtp", "test", "anna@example.org")
	t.Setenv("LATCHKEY_MAIL_TLS", "sometimes")
	p.fails(exitFailed, "LATCHKEY_MAIL_TLS must be", "", "smtp", "test", "anna@example.org")
	if n := len(box.Mails()); n != 2 {
		t.Errorf("%d mails, want 2", n)
	}
}

// Into a folder, for development.
func TestSMTPTest_Folder(t *testing.T) {
	p := newInstallation(t)
	t.Setenv("LATCHKEY_MAIL_FOLDER", "mails")
	t.Setenv("LATCHKEY_MAIL_FROM", "login@example.org")
	if said := p.succeeds("", "smtp", "test", "anna@example.org"); !strings.Contains(said, "nothing is sent") {
		t.Errorf("said %q", said)
	}
	if files, err := os.ReadDir(filepath.Join(p.dir, "mails")); err != nil || len(files) != 1 {
		t.Errorf("%v, %v, want one file", files, err)
	}
}
