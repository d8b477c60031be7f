package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// inTime is how soon a request is answered while the database is silent: after its
// deadline, and the look whether it is the database. A server that runs under the race
// detector, among the other tests, has half as much again.
func inTime() time.Duration {
	if raced() {
		return 9 * time.Second
	}
	return 6 * time.Second
}

// PostgreSQL vanishes without a word, under load: connections stay open, and nothing comes
// through them. Every request is told in time to try again, and when the server is back,
// logins and enrolments go on by themselves. (Without deadlines a request hangs for as long
// as its client waits; without the probe of package store its error page makes it ten
// seconds.)
func TestFaultQLT2_PostgresSilent(t *testing.T) {
	needServer(t)
	t.Parallel()
	relay := storetest.NewRelay(t, startPostgres(t).source())
	w := newFaultServer(t, relay.Source)
	w.addUsers(400, 40)
	w.start()
	begun := w.newUserAgent("owner-0")
	if err := begun.to(t.Context(), "password"); err != nil {
		t.Fatal(err)
	}
	w.under(t, func() {
		relay.FallSilent()
		w.refusesInTime(t, begun)
		w.refusesInTime(t, begun) // and it stays so
		w.healthAnswers(t, gone)
		relay.Resume()
	})
	if err := begun.reload(t.Context()); err != nil || begun.step() != "password" {
		t.Errorf("the sign-in that was begun before: %q, %v", begun.step(), err)
	}
	w.stopAndCheck(t)
}

// refusesInTime asks for a page of a journey that was begun, for a new one, and for a
// token, all at once and more often than there are connections to the database.
func (w *faultServer) refusesInTime(t *testing.T, begun *userAgent) {
	t.Helper()
	request := func(method, address string, form url.Values) func() *http.Request {
		return func() *http.Request {
			r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return r
		}
	}
	var all sync.WaitGroup
	for what, ask := range map[string]func() *http.Request{
		"page":  request(http.MethodGet, begun.at, nil),
		"login": request(http.MethodGet, begun.authorize(), nil),
		"token": request(http.MethodPost, w.Base+"/t/default/oauth/token",
			url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"unknown"}, "client_id": {w.client}}),
	} {
		for range 10 {
			r := ask()
			all.Go(func() {
				began := time.Now()
				res, err := begun.client.Do(r)
				if err != nil {
					t.Errorf("%s: %v", what, err)
					return
				}
				res.Body.Close()
				if took := time.Since(began); res.StatusCode != http.StatusServiceUnavailable || took > inTime() {
					t.Errorf("%s: %s after %v, want 503 within %v", what, res.Status, took.Round(time.Millisecond), inTime())
				}
			})
		}
	}
	all.Wait()
}
