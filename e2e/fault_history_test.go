package e2e

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the databases' drivers, to look behind the server's back
	_ "modernc.org/sqlite"
)

// A history is what the users were told, and what went wrong meanwhile. Who was told
// that something is done may rely on it.
type history struct {
	mu      sync.Mutex
	faults  []string
	counts  map[string]int
	logins  map[string]string   // journeys that led back to the application → the user
	serials []string            // of authenticators that were finished
	trials  map[string][]string // user and passcode → journeys it was typed in
	newest  []login             // the latest logins, whose passcodes may still be in time
	live    []string            // refresh tokens that were given and not used
	spent   []string            // refresh tokens that were exchanged for others
}

type login struct {
	user, code string
	at         time.Time
}

func newHistory(t *testing.T) *history {
	t.Helper()
	return &history{counts: map[string]int{}, logins: map[string]string{}, trials: map[string][]string{}}
}

func (l *history) locked(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

func (l *history) count(what string) { l.locked(func() { l.counts[what]++ }) }

// note adds what must not have happened.
func (l *history) note(err error) {
	if err != nil {
		l.locked(func() { l.faults = append(l.faults, err.Error()) })
	}
}

func (l *history) tried(user, code, journey string) {
	l.locked(func() { l.trials[user+" "+code] = append(l.trials[user+" "+code], journey) })
}

// done is how many logins were acknowledged so far.
func (l *history) done() (n int) {
	l.locked(func() { n = l.counts["logins"] })
	return n
}

func (l *history) loggedIn(journey, user, code string) {
	l.locked(func() {
		l.counts["logins"]++
		l.logins[journey] = user
		l.newest = append(l.newest, login{user, code, time.Now()})
	})
}

func (l *history) enrolled(serial string) {
	l.locked(func() {
		l.counts["enrolments"]++
		l.serials = append(l.serials, serial)
	})
}

func (l *history) refreshed(old, next string) {
	l.locked(func() {
		l.counts["refreshes"]++
		l.spent, l.live = append(l.spent, old), append(l.live, next)
	})
}

// replay brings what was used up once more, and what was given and never used,
// to the server that came up after the last kill.
func (w *faultServer) replay() {
	ctx, l := w.t.Context(), w.history
	fresh := 0
	for i := len(l.newest) - 1; i >= 0 && fresh < 5; i-- {
		last := l.newest[i]
		if time.Since(last.at) > 20*time.Second || !strings.HasPrefix(last.user, "owner") {
			continue
		}
		fresh++
		v := w.newUserAgent(last.user)
		err := v.to(ctx, "passcode")
		if err == nil {
			_, err = v.post(ctx, "passcode", last.code, "do", "continue")
		}
		if err == nil && (v.code != "" || v.status != http.StatusUnprocessableEntity) {
			err = fmt.Errorf("%s: a used passcode was accepted (%d)", last.user, v.status)
		}
		l.note(err)
	}
	l.counts["used passcodes refused"] = fresh
	ask := func(tokens []string, want int, wrong string) {
		for _, token := range tokens[max(0, len(tokens)-20):] {
			_, status, err := w.token(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
			l.note(err)
			if status != want {
				l.note(fmt.Errorf("%s: %d", wrong, status))
			}
		}
	}
	ask(l.live, http.StatusOK, "a refresh token that was given is worth nothing")
	ask(l.spent, http.StatusBadRequest, "a spent refresh token was taken")
}

// checkHistory compares the history with the database.
func (w *faultServer) checkHistory() {
	w.t.Helper()
	driver := "sqlite"
	if strings.HasPrefix(w.source, "postgres") {
		driver = "pgx"
	}
	db, err := sql.Open(driver, w.source)
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	count := func(query string, args ...any) (n int) {
		if err := db.QueryRowContext(w.t.Context(), query, args...).Scan(&n); err != nil {
			w.t.Fatalf("%v\n%s", err, query)
		}
		return n
	}
	l := w.history
	// Nothing acknowledged is lost.
	for journey, user := range l.logins {
		if count(`SELECT COUNT(*) FROM journeys WHERE id = $1 AND outcome = 'success'`, journey) != 1 {
			l.note(fmt.Errorf("the login of %s by %s is lost", user, journey))
		}
	}
	for _, serial := range l.serials {
		if count(`SELECT COUNT(*) FROM authenticators WHERE serial = $1 AND activated_at IS NOT NULL AND revoked_at IS NULL`, serial) != 1 {
			l.note(fmt.Errorf("the authenticator %s is lost", serial))
		}
	}
	// Nothing is accepted twice.
	for trial, journeys := range l.trials {
		passed := 0
		for _, journey := range journeys {
			passed += count(`SELECT COUNT(*) FROM journey_passed WHERE journey_id = $1 AND validation = 'otp'`, journey)
		}
		if passed > 1 {
			l.note(fmt.Errorf("%s: accepted in %d journeys", trial, passed))
		}
	}
	// No success without its event, nor an event without its success.
	for what, query := range map[string]string{
		"logins without their one event": `SELECT COUNT(*) FROM journeys j WHERE j.outcome = 'success' AND 1 <>
			(SELECT COUNT(*) FROM events e WHERE e.tenant_id = j.tenant_id AND e.journey_id = j.id AND e.kind = 'login.success')`,
		"events of logins that were none": `SELECT COUNT(*) FROM events e WHERE e.kind = 'login.success' AND NOT EXISTS
			(SELECT 1 FROM journeys j WHERE j.tenant_id = e.tenant_id AND j.id = e.journey_id AND j.outcome = 'success')`,
		"passcodes that counted without their one event": `SELECT COUNT(*) FROM journey_passed p WHERE p.validation = 'otp' AND p.revoked_at IS NULL AND 1 <>
			(SELECT COUNT(*) FROM events e WHERE e.tenant_id = p.tenant_id AND e.journey_id = p.journey_id AND e.kind = 'passcode.success')`,
		"enrolled authenticators without their one event": `SELECT COUNT(*) FROM authenticators a WHERE a.kind = 'app' AND a.activated_at IS NOT NULL AND 1 <>
			(SELECT COUNT(*) FROM events e WHERE e.tenant_id = a.tenant_id AND e.authenticator_id = a.id AND e.kind = 'enrolment.finished')`,
		"codes said to be sent that were never queued": `SELECT ABS((SELECT COUNT(*) FROM events WHERE kind = 'enrolment.code-sent') -
			(SELECT COUNT(*) FROM outbox WHERE kind = 'verification-code'))`,
		// A restore invalidates the codes of all journeys that were begun before it.
		"codes that were asked for and are lost": `SELECT COUNT(*) FROM journeys j WHERE j.code_sends > 0
			AND j.started_at > (SELECT COALESCE(MAX(began_at), 0) FROM epochs)
			AND NOT EXISTS (SELECT 1 FROM code_requests r WHERE r.tenant_id = j.tenant_id AND r.journey_id = j.id)
			AND NOT EXISTS (SELECT 1 FROM mailed_codes m WHERE m.tenant_id = j.tenant_id AND m.journey_id = j.id AND m.number = j.code_sends)`,
		"tokens of codes that were never redeemed": `SELECT COUNT(*) FROM oidc_tokens t JOIN oidc_grants g
			ON g.tenant_id = t.tenant_id AND g.id = t.grant_id WHERE g.code_used_at IS NULL`,
	} {
		if n := count(query); n != 0 {
			l.note(fmt.Errorf("%d %s", n, what))
		}
	}
	l.counts["mails that came twice"] = w.smtp.repeated()
}

// report says what was done, and fails on what must not have been.
func (l *history) report(t *testing.T, kills int, slowest time.Duration) {
	t.Helper()
	t.Logf("%d kills, ready again within %v: %v", kills, slowest.Round(time.Millisecond), l.counts)
	for _, fault := range l.faults {
		t.Error(fault)
	}
	for _, what := range []string{"logins", "enrolments", "refreshes", "codes redeemed"} {
		if l.counts[what] == 0 {
			t.Errorf("no %s at all: nothing was shown", what)
		}
	}
}
