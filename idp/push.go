package idp

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// pushOffered reports whether a push may be chosen. Without a proved password
// it is shown to all alike, whoever can be reached (ENR-4).
func (s *sitting) pushOffered() bool { return slices.Contains(s.view.Methods, identity.ByPush) }

// methods are the rows of the page of choice: what may be chosen, in the order
// of the journey, what may not and why, and for who has proved nothing yet the
// way to an authenticator (JRN-10).
func (s *sitting) methods() []templates.Method {
	v := s.view
	proved := v.Journey.Proved()
	var methods []templates.Method
	if m, ok := s.noPush(); ok && proved {
		methods = append(methods, m)
	}
	for _, by := range v.Methods {
		m := templates.Method{Kind: string(by), Picked: by == v.Preselected}
		switch {
		case by == identity.ByPasscode:
			m.Detail = templates.Text{Key: "choose.detail.passcode"}
		case by == identity.ByChallenge:
			m.Detail = templates.Text{Key: "choose.detail.challenge"}
		case by == identity.ByPasskey:
			m.Detail = templates.Text{Key: "choose.detail.passkey"}
		case by == identity.ByRecoveryCode:
			m.Detail = templates.Text{Key: "choose.detail.recovery-code"}
		case proved:
			m.Detail, m.Used = s.device()
		}
		methods = append(methods, m)
	}
	if !proved || v.Facts.MayEnroll {
		methods = append(methods, templates.Method{Kind: "enrol", Detail: templates.Text{Key: "choose.detail.enrol"}, Picked: len(methods) == 0})
	}
	return methods
}

// noPush is the row of a push that would be offered, were it not for what it
// says; false where there is none.
func (s *sitting) noPush() (templates.Method, bool) {
	v, m := s.view, templates.Method{Kind: string(identity.ByPush)}
	switch {
	case !v.Facts.Push || s.pushOffered():
	case !v.Facts.PushLockedUntil.IsZero():
		m.Disabled, m.Until = templates.Text{Key: "choose.disabled.locked"}, v.Facts.PushLockedUntil
	case s.last():
		m.Disabled = templates.Text{Key: "choose.disabled.limit"}
	case len(v.TooOld) > 0:
		m.Disabled = templates.Text{Key: "choose.disabled.old"}
	}
	return m, m.Disabled.Key != ""
}

// device names the phone a push will go to, if it is one, and says when it was
// last used.
func (s *sitting) device() (templates.Text, time.Time) {
	var reached []identity.Authenticator
	for _, a := range s.view.Authenticators {
		if s.reached(a) {
			reached = append(reached, a)
		}
	}
	switch {
	case len(reached) == 0:
		return templates.Text{}, time.Time{}
	case len(reached) == 1:
		return templates.Text{Key: "choose.detail.device", Args: []any{"device", reached[0].Name}}, reached[0].LastUsedAt
	}
	return templates.Text{Key: "choose.detail.devices", Args: []any{"n", len(reached)}}, time.Time{}
}

func (s *sitting) reached(a identity.Authenticator) bool {
	return push.Reaches(a, s.view.Rules.Platforms, s.view.Presence, s.now())
}

// waiting is the page of an open push request.
func (s *sitting) waiting(r *http.Request, page *templates.Page) (templates.Body, error) {
	v, j := s.view, s.view.Journey
	page.Stream = s.stream(page.Step)
	return templates.Push{Application: s.app.Name, Name: j.Name, Number: v.Request.Number, Pick: v.Request.Request.Presence == policy.Pick,
		IP: j.IP, Place: v.Request.Request.Place, At: j.StartedAt,
		Left: int((v.Request.Left + time.Second - 1) / time.Second), Total: int(v.Rules.Push.Lifetime),
		AgainIn: s.againIn(), Again: !s.last(), Passcode: v.Facts.Codes, Silent: s.silent(), App: s.appHere(r)}, nil
}

// appHere is the address of the web authenticator for a browser on what may be
// the device it runs on: a phone, or, once a password was proved, the kind of
// computer that one of the user's runs on. A tab of it beside this one is all it
// takes to answer there.
func (s *sitting) appHere(r *http.Request) string {
	here := policy.Browsers(r.UserAgent(), r.Header.Get("Sec-CH-UA-Platform"))
	mine := func(a identity.Authenticator) bool { return s.reached(a) && slices.Contains(here, a.Platform) }
	if slices.ContainsFunc(here, identity.Platform.Mobile) || s.view.Journey.Proved() && slices.ContainsFunc(s.view.Authenticators, mine) {
		return s.idp.Site.AuthenticatorOrigin() + "/authenticator/"
	}
	return ""
}

// last reports whether this journey has sent all the requests it may.
func (s *sitting) last() bool { return s.view.Journey.Pushes >= s.view.Rules.Push.PerJourney }

func (s *sitting) againIn() int {
	return left(s.view.Journey.PushAt.Add(time.Duration(s.view.Rules.Push.Spacing)*time.Second), s.now())
}

// ends says by its own name how a request ended without a login.
var ends = map[store.PushOutcome]string{
	store.PushNotMe:       templates.PushNotMe,
	store.PushMistake:     templates.PushMistake,
	store.PushWrongNumber: templates.PushWrongNumber,
	store.PushSuperseded:  templates.PushSuperseded,
	store.PushCancelled:   templates.PushSuperseded,
	store.PushResync:      templates.PushResync,
	store.PushNoLonger:    templates.PushNoLonger,
}

// pushEnded says how the request ended, and what can be done now.
func (s *sitting) pushEnded() templates.PushEnded {
	v, j := s.view, s.view.Journey
	b := templates.PushEnded{Application: s.app.Name, Name: j.Name, Why: templates.PushExpired,
		Again: s.pushOffered(), AgainIn: s.againIn(), Passcode: v.Facts.Codes, Last: s.last()}
	if why, ok := ends[v.Request.Outcome]; ok {
		b.Why = why
	}
	switch b.Why {
	case templates.PushNotMe:
		b.Again, b.Last = false, false // no resend for this attempt, whoever asks
	case templates.PushSuperseded:
		b.Newer = v.Request.Request.EndedAt
	}
	return b
}

// refusedPushes are the notices of a push that was asked for and not sent which
// have a page of their own.
var refusedPushes = map[string]string{
	"error.push.elsewhere": templates.PushElsewhere,
	"error.push.locked":    templates.PushLocked,
}

// unsent says why the push just asked for was not sent, where passcodes or other
// pushes may follow; empty where none was.
func (s *sitting) unsent() string {
	if s.view.Step != journey.Choose && s.view.Step != journey.AskPasscode {
		return ""
	}
	return refusedPushes[s.view.Journey.Notice]
}

// pushUnsent is the page of such a push.
func (s *sitting) pushUnsent(why string) templates.PushEnded {
	v := s.view
	return templates.PushEnded{Application: s.app.Name, Name: v.Journey.Name, Why: why, Until: v.Facts.PushLockedUntil,
		Again: s.pushOffered(), AgainIn: s.againIn(), Passcode: v.Facts.Codes}
}

// passcode is the page that asks for one; where push would be offered, were it
// not for a lock or an old app, it says so (PUSH-9a, PUSH-22).
func (s *sitting) passcode(r *http.Request) templates.Passcode {
	v, j := s.view, s.view.Journey
	b := templates.Passcode{Application: s.app.Name, Name: j.Name, Push: s.pushOffered(), Only: j.Method == "", Recovery: s.recoveryOffered(), Typed: r.PostFormValue("passcode"),
		Approved: v.Step == journey.AskNextPasscode && j.Method == identity.ByPush}
	if j.Proved() && slices.ContainsFunc(v.Authenticators, func(a identity.Authenticator) bool { return a.ServerPIN }) {
		b.PIN = v.Rules.PIN.Position
		b.Typed = "" // it may have the PIN in it
	}
	if v.Facts.Push && j.Proved() && !b.Push && !b.Approved {
		b.Paused = v.Facts.PushLockedUntil
		b.TooOld = s.tooOld()
	}
	return b
}

// tooOld lists the apps that keep push from being offered.
func (s *sitting) tooOld() []templates.OldApp {
	var old []templates.OldApp
	for _, a := range s.view.TooOld {
		old = append(old, templates.OldApp{Name: a.Name, App: strings.ReplaceAll(a.App, "/", " "), Least: a.Least})
	}
	return old
}
