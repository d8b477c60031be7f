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

// History goes back historyDays, a page of historyPage at a time.
const (
	historyDays = 90
	historyPage = 25
)

// signIns are the events a person finds in the history of sign-ins, and whether
// each let somebody in.
var signIns = map[audit.Kind]bool{
	audit.LoginSucceeded: true, audit.LoginFailed: false, audit.LoginDenied: false, audit.LoginCancelled: false,
	audit.PasswordWrong: false, audit.PasscodeWrong: false, audit.RecoveryCodeWrong: false, audit.PushRefused: false,
	audit.UserLocked: false, audit.UserUnlocked: true, audit.AuthenticatorLocked: false, audit.PasscodesLocked: false,
	audit.DeviceAdded: true, audit.SessionEnded: true,
}

// history shows what happened with the person's name, newest first: the sign-ins,
// and what failed of them, whoever tried. Nothing of anybody else is in it.
func (p *Portal) history(v *Visit) (templates.Body, error) {
	names, err := p.names(v)
	if err != nil {
		return nil, err
	}
	filter := store.EventFilter{User: v.User.ID, Since: p.DB.Now().AddDate(0, 0, -historyDays), Limit: historyPage + 1,
		Beyond: mark(v.Request.URL.Query().Get("before"))}
	for kind := range signIns {
		filter.Kinds = append(filter.Kinds, kind)
	}
	events, err := store.Collect(p.DB.Events().List(v.Request.Context(), v.Tenant.ID, filter))
	if err != nil {
		return nil, err
	}
	body := templates.MeHistory{Name: v.User.Name, Days: historyDays}
	if len(events) > historyPage {
		events = events[:historyPage]
		last := events[historyPage-1]
		body.Older = v.Address(v.Page.Name) + "?before=" + strconv.FormatInt(last.At.UnixMilli(), 10) + "-" + last.ID
	}
	for _, e := range events {
		body.Rows = append(body.Rows, templates.MeSignIn{Kind: string(e.Kind), Good: signIns[e.Kind], At: e.At,
			Application: names[e.Application], Methods: methods(e), Browser: e.Personal["browser"], IP: e.Actor.IP})
	}
	return body, nil
}

// methods are those of a sign-in that succeeded.
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

// mark reads where a page of the history ended. What cannot be one begins at the
// newest.
func mark(s string) audit.Event {
	at, id, _ := strings.Cut(s, "-")
	ms, err := strconv.ParseInt(at, 10, 64)
	if err != nil || !identity.IsID(identity.EventID, id) {
		return audit.Event{}
	}
	return audit.Event{At: time.UnixMilli(ms), ID: id}
}
