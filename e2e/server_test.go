package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// A Server is a `latchkey serve`, set up by the commands an operator types beside
// it.
type Server struct {
	*program

	Base string
	User User // who has no authenticator yet

	source  string // of the database
	phone   *phone.Phone
	slowest time.Duration // from start to ready
}

// newServer prepares a server that is not started.
func newServer(t *testing.T, base, source string, env ...string) *Server {
	t.Helper()
	env = append(env, "LATCHKEY_BASE_URL="+base, "LATCHKEY_DATABASE="+source, "LATCHKEY_MAIL_FROM=login@example.org", "LATCHKEY_TENANT=default")
	return &Server{program: newProgram(t, buildRaced, env...), Base: base, source: source,
		phone: &phone.Phone{Dir: filepath.Join(t.TempDir(), "phone")}}
}

// StartServer starts a fresh server on an empty database, with one user and mails
// as files, and stops it with the test. Its configuration is in env besides.
func StartServer(t *testing.T, source string, env ...string) *Server {
	t.Helper()
	s := newServer(t, "http://"+freeAddr(t), source, append(env, "LATCHKEY_MAIL_FOLDER=mails")...)
	s.start()
	s.User = User{Name: "anna.berg", Password: "correct horse battery", Mail: "anna@example.org"}
	s.run(nil, "", "group", "add", "Nurses")
	s.run(nil, s.User.Password+"\n", "user", "add", s.User.Name, "--mail", s.User.Mail, "--display-name", "Anna Berg", "--group", "Nurses")
	return s
}

// start starts the server and waits until it takes logins.
func (s *Server) start() {
	s.t.Helper()
	began := time.Now()
	s.serve(s.command("serve"))
	awaitPage(s.t, s.Base+"/readyz")
	s.slowest = max(s.slowest, time.Since(began))
}

// selfService is what the first tenant's own pages are called: as the tenant, which has
// the name of the host where nobody gave it one.
const selfService = "localhost"

// Issuer is what the first tenant is called by OpenID Connect.
func (s *Server) Issuer() string { return s.Base + "/t/default" }

// SignIn goes the whole way into an application, enrolling an authenticator on
// the server's phone in the middle of it and reading a passcode from that.
func (s *Server) SignIn(b *Browser, application string) {
	s.t.Helper()
	w := &Flow{Desk: b, User: s.User, App: Application{URL: application}}
	w.SignIn()
	w.TypeMailed(s.awaitCode)
	w.PickPlatform("linux")
	account, err := s.phone.Activate(s.t.Context(), phone.Activation{Base: s.Base, Code: w.ShortCode(), Name: "Terminal"})
	if err != nil {
		s.t.Fatal(err)
	}
	w.continueWithoutScripts()
	w.TypePasscode(func() string {
		code, err := s.phone.Passcode(s.t.Context(), account.ID)
		if err != nil {
			s.t.Fatal(err)
		}
		return code.Code
	})
}

var mailedCode = regexp.MustCompile(`(?:Your code is|Ihr Code ist) ([0-9]{6})`)

// awaitCode waits for the first mail and returns the code in it.
func (s *Server) awaitCode() string {
	s.t.Helper()
	for end := time.Now().Add(maxWait); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if codes := s.mailedCodes(); len(codes) > 0 {
			return codes[0]
		}
	}
	s.t.Fatalf("no mail with a code came within %v", maxWait)
	return ""
}

// mailedCodes are the codes in the mails there are.
func (s *Server) mailedCodes() (codes []string) {
	s.t.Helper()
	mails, err := filepath.Glob(filepath.Join(s.dir, "mails", "*.eml"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, mail := range mails {
		text, err := os.ReadFile(mail)
		if err != nil {
			s.t.Fatal(err)
		}
		if found := mailedCode.FindSubmatch(text); found != nil {
			codes = append(codes, string(found[1]))
		}
	}
	return codes
}
