package self

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// The history covers historyDays, with historyPage rows on a page. historyRead is how
// many events are read at a time.
const (
	historyDays = 90
	historyPage = 25
	historyRead = 50
)

// signIns are the kinds of events in the history, and whether each is a success. A right
// password and a push request are rows only where nothing else tells of them, see
// [entry.shown].
var signIns = map[audit.Kind]bool{
	audit.LoginSucceeded: true, audit.LoginFailed: false, audit.LoginDenied: false, audit.LoginCancelled: false,
	audit.PasswordRight: false, audit.PasswordWrong: false, audit.PasscodeWrong: false, audit.RecoveryCodeWrong: false, audit.PasskeyWrong: false,
	audit.PushChallenge: false, audit.PushRefused: false,
	audit.UserLocked: false, audit.UserUnlocked: true, audit.AuthenticatorLocked: false, audit.PasscodesLocked: false,
	audit.DeviceAdded: true, audit.SessionEnded: true, audit.EnrollFinished: true, audit.EnrollInvitationLeft: false,
}

// signInKinds lists them.
func signInKinds() (kinds []audit.Kind) {
	for kind := range signIns {
		kinds = append(kinds, kind)
	}
	return kinds
}

// history lists the sign-ins and failed attempts with the person's name, newest
// first: every attempt that proved the password is among them, whatever became of it. It
// contains nothing about other users.
func (p *Portal) history(pr *PageRequest) (templates.Body, error) {
	names, err := p.applicationNames(pr)
	if err != nil {
		return nil, err
	}
	body := templates.MeHistory{Name: pr.User.Name, Days: historyDays, Sessions: pr.Address("sessions")}
	if pr.User.Password != "" {
		body.Password = pr.Address("password")
	}
	entries, err := p.historyEntries(pr)
	if err != nil {
		return nil, err
	}
	if len(entries) > historyPage {
		entries = entries[:historyPage]
		last := entries[historyPage-1]
		body.Older = pr.Address(pr.Page.Name) + "?before=" + strconv.FormatInt(last.At.UnixMilli(), 10) + "-" + last.ID
	}
	for _, e := range entries {
		body.Rows = append(body.Rows, templates.MeSignIn{Kind: e.what(), Good: signIns[e.Kind], Proved: e.proved(), At: e.At,
			Application: names[e.Application], Methods: methods(e.Event), Browser: e.browser(), IP: e.address()})
	}
	return body, nil
}

// An entry is an event with what else happened in the same attempt, which is a journey.
type entry struct {
	audit.Event
	attempt []entry           // the person's events of the attempt, without theirs in turn
	request push.HistoryEntry // of a push challenge
}

// historyEntries returns the entries of a page, and one more if there is another page.
func (p *Portal) historyEntries(pr *PageRequest) ([]entry, error) {
	ctx := pr.Request.Context()
	filter := store.EventFilter{User: pr.User.ID, Since: p.DB.Now().AddDate(0, 0, -historyDays), Kinds: signInKinds(), Limit: historyRead,
		Beyond: parseCursor(pr.Request.URL.Query().Get("before"))}
	var entries []entry
	for {
		events, err := store.Collect(p.DB.Events().List(ctx, pr.Tenant.ID, filter))
		if err != nil {
			return nil, err
		}
		attempts, err := p.attempts(pr, events)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			i := slices.IndexFunc(attempts[e.Journey], func(same entry) bool { return same.ID == e.ID })
			one := entry{Event: e}
			if i >= 0 {
				one = attempts[e.Journey][i]
				one.attempt = attempts[e.Journey]
			}
			if one.shown() {
				entries = append(entries, one)
			}
		}
		if len(entries) > historyPage || len(events) < historyRead {
			return entries, nil
		}
		filter.Beyond = events[len(events)-1]
	}
}

// attempts returns the attempts that events belong to, each as all its events.
func (p *Portal) attempts(pr *PageRequest, events []audit.Event) (map[string][]entry, error) {
	ctx, attempts := pr.Request.Context(), make(map[string][]entry)
	var journeys []string
	for _, e := range events {
		if e.Journey != "" && !slices.Contains(journeys, e.Journey) {
			journeys = append(journeys, e.Journey)
		}
	}
	if len(journeys) == 0 {
		return attempts, nil
	}
	for e, err := range p.DB.Events().List(ctx, pr.Tenant.ID, store.EventFilter{User: pr.User.ID, Journeys: journeys, Kinds: signInKinds(), Limit: -1}) {
		if err != nil {
			return nil, err
		}
		one := entry{Event: e}
		if e.Kind == audit.PushChallenge {
			one.request, err = push.EntryOf(ctx, p.DB.Reader, pr.Tenant.ID, e.Data["push"])
			switch {
			case errors.Is(err, identity.NotFound):
				one.request.Outcome = store.PushCancelled // nothing is known of it any more
			case err != nil:
				return nil, err
			}
		}
		attempts[e.Journey] = append(attempts[e.Journey], one)
	}
	return attempts, nil
}

// shown reports whether an entry is a row. Of a push request that was answered, or that
// its own browser ended, another event tells. Of a right password whatever came of it
// tells; where nothing did, it is the only trace of somebody who knows the password.
func (e entry) shown() bool {
	switch e.Kind {
	case audit.PushChallenge:
		return slices.Contains([]store.PushOutcome{"", store.PushExpired, store.PushMistake, store.PushNoLonger}, e.request.Outcome)
	case audit.PasswordRight:
		return !slices.ContainsFunc(e.attempt, func(later entry) bool {
			if later.Kind == audit.PasswordRight {
				return later.At.After(e.At) // proved again after going back
			}
			return !later.At.Before(e.At) && later.shown()
		})
	}
	return true
}

// proved reports whether the password had been proved in the attempt.
func (e entry) proved() bool {
	return slices.ContainsFunc(e.attempt, func(before entry) bool { return before.Kind == audit.PasswordRight && !before.At.After(e.At) })
}

// what says what happened, as the end of a locale key.
func (e entry) what() string {
	switch {
	case e.Kind == audit.PushChallenge && e.request.Outcome == "":
		return "push.waiting"
	case e.Kind == audit.PushChallenge && e.request.Outcome == store.PushMistake:
		return "push.mistake"
	case e.Kind == audit.PushChallenge && e.request.Answered: // and claimed too late, or not at all
		return "push.unused"
	case e.Kind == audit.PushChallenge:
		return "push.expired"
	case e.Kind == audit.PushRefused && e.Reason == "rejected by user":
		return templates.HistoryNotMe
	case e.Kind == audit.PushRefused && e.Reason == "wrong number":
		return "push.wrong-number"
	}
	return string(e.Kind)
}

// browser is the browser of the attempt; may be empty.
func (e entry) browser() string {
	return e.ofBrowser(func(e audit.Event) string { return e.Personal["browser"] })
}

// address is the address that the attempt came from; may be empty.
func (e entry) address() string {
	return e.ofBrowser(func(e audit.Event) string { return e.Actor.IP })
}

// ofBrowser is what an event tells of its browser or, where it does not, what the newest
// one before it tells. What a phone answered has the address of the phone, and who reads
// the history wants to know where the attempt came from.
func (e entry) ofBrowser(tells func(audit.Event) string) string {
	for _, one := range append([]entry{e}, e.attempt...) {
		if told := tells(one.Event); told != "" && one.Actor.Kind != identity.AuthenticatorApp && !one.At.After(e.At) {
			return told
		}
	}
	return ""
}

// methods are the methods of a successful sign-in.
func methods(e audit.Event) (by []string) {
	if e.Kind != audit.LoginSucceeded {
		return nil
	}
	for _, validation := range []identity.Validation{identity.Password, identity.SecondFactor} {
		if method := e.Data[string(validation)]; method != "" {
			by = append(by, method)
		}
	}
	if by == nil {
		by = []string{"session"}
	}
	return by
}

// parseCursor reads where a page of the history ended. Without a valid cursor
// the history begins at the newest event.
func parseCursor(s string) audit.Event {
	at, id, _ := strings.Cut(s, "-")
	ms, err := strconv.ParseInt(at, 10, 64)
	if err != nil || !identity.IsID(identity.EventID, id) {
		return audit.Event{}
	}
	return audit.Event{At: time.UnixMilli(ms), ID: id}
}
