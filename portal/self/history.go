package self

import (
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// The history covers historyDays, with historyPage rows on a page.
const (
	historyDays = 90
	historyPage = 25
)

// signIns are the kinds of events in the history, and whether each is a
// success.
var signIns = map[audit.Kind]bool{
	audit.LoginSucceeded: true, audit.LoginFailed: false, audit.LoginDenied: false, audit.LoginCancelled: false,
	audit.PasswordWrong: false, audit.PasscodeWrong: false, audit.RecoveryCodeWrong: false, audit.PushRefused: false,
	audit.UserLocked: false, audit.UserUnlocked: true, audit.AuthenticatorLocked: false, audit.PasscodesLocked: false,
	audit.DeviceAdded: true, audit.SessionEnded: true,
}

// history lists the sign-ins and failed attempts with the person's name, newest
// first. It contains nothing about other users.
func (p *Portal) history(pr *PageRequest) (templates.Body, error) {
	names, err := p.applicationNames(pr)
	if err != nil {
		return nil, err
	}
	filter := store.EventFilter{User: pr.User.ID, Since: p.DB.Now().AddDate(0, 0, -historyDays), Limit: historyPage + 1,
		Beyond: parseCursor(pr.Request.URL.Query().Get("before"))}
	for kind := range signIns {
		filter.Kinds = append(filter.Kinds, kind)
	}
	events, err := store.Collect(p.DB.Events().List(pr.Request.Context(), pr.Tenant.ID, filter))
	if err != nil {
		return nil, err
	}
	body := templates.MeHistory{Name: pr.User.Name, Days: historyDays}
	if len(events) > historyPage {
		events = events[:historyPage]
		last := events[historyPage-1]
		body.Older = pr.Address(pr.Page.Name) + "?before=" + strconv.FormatInt(last.At.UnixMilli(), 10) + "-" + last.ID
	}
	for _, e := range events {
		body.Rows = append(body.Rows, templates.MeSignIn{Kind: string(e.Kind), Good: signIns[e.Kind], At: e.At,
			Application: names[e.Application], Methods: methods(e), Browser: e.Personal["browser"], IP: e.Actor.IP})
	}
	return body, nil
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
