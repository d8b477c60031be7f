package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// awaitLog waits until the server has logged something after so many bytes.
func (p *program) awaitLog(after int, text string) {
	p.t.Helper()
	for end := time.Now().Add(maxWait); !strings.Contains(p.log.String()[after:], text); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("%q is not logged within %v:\n%s", text, maxWait, p.log.String())
		}
	}
}

// A database server that is down when Latchkey starts is waited for, at the first start
// in an empty folder and at each later one; the log says what is missing in words of
// ours. Once it is there, people log in. Without WaitForDatabase the program ends.
func TestFaultDatabaseDownAtStart(t *testing.T) {
	t.Parallel()
	postgres := startPostgres(t)
	s := newServer(t, "http://"+freeAddr(t), postgres.source(), "LATCHKEY_MAIL_FOLDER=mails")
	for _, start := range []string{"the first", "a later one"} {
		postgres.control("stop", "-m", "fast")
		before := len(s.log.String())
		s.serve(s.command("serve"))
		s.awaitLog(before, "waiting for the database")
		if res, err := http.Get(s.Base + "/healthz"); err == nil {
			res.Body.Close()
			t.Errorf("%s: it listens without a database", start)
		}
		postgres.start()
		awaitPage(t, s.Base+"/readyz")
		said := s.log.String()[before:]
		if !strings.Contains(said, "nothing listens there") || !strings.Contains(said, "the database answers") {
			t.Errorf("%s: the log does not say what is missing, or that it came:\n%s", start, said)
		}
		for _, driver := range []string{"failed to connect", "dial unix", "dial tcp"} {
			if strings.Contains(said, driver) {
				t.Errorf("%s: the log has the driver's words %q:\n%s", start, driver, said)
			}
		}
		s.stop()
	}
}
