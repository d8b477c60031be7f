package idp

import (
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/templates"
)

// render shows a prompt.
func (b *browser) render(w http.ResponseWriter, r *http.Request, p *journey.Prompt) error {
	page, err := b.page(r, p)
	if err != nil {
		return err
	}
	if p.Step == journey.Ended && p.Login() { // ended elsewhere, or by time
		if err := b.idp.Site.Sessions.Unbind(w, r, b.Tenant, p.Journey); err != nil {
			return err
		}
	}
	status := http.StatusOK
	if page.Problem != "" {
		status = http.StatusUnprocessableEntity
	}
	if end, ok := page.Body.(templates.EnrollEnd); p.Step == journey.Ended && !(ok && end.Ready()) {
		status = http.StatusGone
	}
	return b.idp.Site.Render(w, r, status, page, b.idp.Protocols[p.Protocol].Origin(p.Request.Payload))
}

// page makes the page of a prompt: what every page is told, and its own body.
func (b *browser) page(r *http.Request, p *journey.Prompt) (templates.Page, error) {
	page := templates.Page{L: b.idp.Site.Catalog.Negotiate(p.Language, "", "", ""), Tenant: web.Brand(b.Tenant),
		Languages: b.idp.Site.Catalog.Languages(), State: p.State, Action: address(b.Tenant, p.Journey), Problem: p.Problem, Notice: p.Notice}
	page.Session = p.Session
	if p.Remember != nil {
		page.Remember = &templates.Remember{Days: p.Remember.Days, Checked: p.Remember.Ticked}
	}
	if pin := p.FirstPIN; pin != nil {
		page.FirstPIN = &templates.FirstPIN{PIN: pin.PIN, AfterPasscode: pin.After, Change: pin.Change}
	}
	if p.Step.Executor() == journey.Phone {
		page.Stream = page.Action + "/events?state=" + url.QueryEscape(p.State)
	}
	var err error
	page.Body, err = b.body(r, p, &page)
	return page, err
}

// body makes the part of the page that is the prompt's own.
func (b *browser) body(r *http.Request, p *journey.Prompt, page *templates.Page) (templates.Body, error) {
	if !p.Login() && (p.Reason != "" || p.Step == journey.Ended) {
		return enrollEnd(b.Tenant, p), nil
	}
	if why, ok := unsentPushes[p.Problem]; ok && (p.Step == journey.Choose || p.Step == journey.AskPasscode) {
		page.Problem = ""
		return pushUnsent(p, why), nil
	}
	switch ask := p.Ask.(type) {
	case journey.AskedName:
		return b.identify(r, p, ask)
	case journey.AskedPassword:
		return templates.Password{Application: p.Application, Name: p.Name, Reset: ask.Reset}, nil
	case journey.AskedMethod:
		return templates.Choose{Application: p.Application, Name: p.Name, Methods: methodRows(ask.Methods)}, nil
	case journey.AskedPush:
		return b.push(p, ask), nil
	case journey.AskedAnother:
		return pushEnded(p, ask), nil
	case journey.AskedPasscode:
		return passcode(r, p, ask), nil
	case journey.AskedResponse:
		return templates.Challenge{Application: p.Application, Name: p.Name, Digits: ask.Digits, Only: ask.Only, Recovery: ask.Recovery}, nil
	case journey.AskedPasskey:
		request, err := passkeyRequest(ask)
		return templates.Passkey{Application: p.Application, Name: p.Name, Request: request, Recovery: ask.Recovery}, err
	case journey.AskedRecoveryCode:
		return templates.RecoveryCode{Application: p.Application, Name: p.Name}, nil
	case journey.AskedMailCode:
		return mailCode(r, p, ask), nil
	case journey.AskedPIN:
		return templates.NewPIN{Application: p.Application, Name: p.Name, MinLength: int(ask.Least), MaxLength: int(ask.Most), TrivialAllowed: ask.Trivial, AfterPasscode: ask.After}, nil
	case journey.AskedNewPassword:
		return templates.NewPassword{Application: p.Application, Name: p.Name, Forgotten: ask.Forgotten, MinLength: int(ask.Least), CommonAllowed: ask.Common}, nil
	case journey.AskedToEnroll:
		return templates.EnrollOffer{Application: p.Application, Name: p.Name, Address: ask.Address}, nil
	case journey.AskedPlatform:
		return templates.EnrollPlatform{Application: p.Application, Name: p.Name, Platforms: platformRows(ask.Platforms)}, nil
	case journey.AskedActivation:
		return b.activation(p, ask)
	case journey.AskedConfirmation:
		return confirmation(r, p, ask)
	}
	return without(p, page), nil
}

// without is the page of a prompt that asks for nothing: it is refused, or ended.
func without(p *journey.Prompt, page *templates.Page) templates.Body {
	switch p.Step {
	case journey.EnrollNoMail:
		return templates.EnrollNoMail{Application: p.Application, Name: p.Name}
	case journey.Refused, journey.Locked, journey.PushLocked, journey.AppTooOld:
		refused := templates.Refused{Application: p.Application, Name: p.Name, Why: refusedPages[p.Reason], Until: p.Until.Time}
		if refused.Why == "" { // self-provisioning is closed to somebody who has no authenticator
			refused.Why = templates.RefusedNotTarget
		}
		if p.Push != nil {
			refused.TooOld = oldApps(p.Push.TooOld)
		}
		return refused
	}
	page.Languages = nil
	return templates.Ended{Application: p.Application, Home: p.Home, Done: p.Outcome == identity.Succeeded}
}

func (b *browser) identify(r *http.Request, p *journey.Prompt, ask journey.AskedName) (templates.Body, error) {
	typed := r.PostFormValue("username") // nothing typed is lost when another language is picked
	if typed == "" {
		typed = p.Request.LoginHint
	}
	body := templates.Identify{Application: p.Application, Name: identity.CleanTyped(typed), Label: b.Tenant.NameLabel, Mail: !b.Tenant.NoMailNames}
	var err error
	if ask.Passkey != nil {
		body.Passkey, err = passkeyRequest(*ask.Passkey)
	}
	return body, err
}

// passkeyRequest is what the page's script asks the browser for: the options of
// WebAuthn, section 5.5, as JSON, bytes in base64url.
func passkeyRequest(ask journey.AskedPasskey) (string, error) {
	options := templates.PasskeyRequest{Challenge: ask.Challenge, RPID: ask.RelyingID, UserVerification: "preferred", Timeout: 120_000}
	if ask.Verified {
		options.UserVerification = "required"
	}
	for _, c := range ask.Allow {
		options.Allow = append(options.Allow, templates.PasskeyCredential{ID: base64.RawURLEncoding.EncodeToString(c.ID), Type: "public-key", Transports: c.Transports})
	}
	text, err := json.Marshal(options)
	return string(text), err
}

// methodRows are the rows of the page of choice.
func methodRows(choices []journey.MethodChoice) []templates.Method {
	var rows []templates.Method
	for _, c := range choices {
		row := templates.Method{Kind: string(c.Method), Preselected: c.Picked, Used: c.LastUsed.Time}
		switch {
		case c.Disabled != "":
			row.Disabled = templates.Text{Key: disabledTexts[c.Disabled]}
		case c.Method != identity.ByPush:
			row.Detail = templates.Text{Key: "choose.detail." + strings.ReplaceAll(string(c.Method), " ", "-")}
		case c.Device != "":
			row.Detail = templates.Text{Key: "choose.detail.device", Args: []any{"device", c.Device}}
		case c.Devices > 1:
			row.Detail = templates.Text{Key: "choose.detail.devices", Args: []any{"n", c.Devices}}
		}
		row.Until = c.Until.Time
		rows = append(rows, row)
	}
	return rows
}

var disabledTexts = map[journey.Reason]string{
	journey.ReasonPushLocked: "choose.disabled.locked",
	journey.ReasonPushLimit:  "choose.disabled.limit",
	journey.ReasonAppTooOld:  "choose.disabled.old",
}

// push is the page that waits for the phone.
func (b *browser) push(p *journey.Prompt, ask journey.AskedPush) templates.Push {
	body := templates.Push{Application: p.Application, Name: p.Name, Number: ask.Number, Pick: ask.Pick, IP: ask.Address, Place: ask.Place, Browser: ask.Browser,
		At: ask.StartedAt.Time, Left: ask.Left, Total: ask.Total, AgainIn: p.Push.AgainIn, Again: !p.Push.Last, OtherWays: ways(p.Push.OtherMethods), Silent: ask.Silent, TooOld: oldApps(p.Push.TooOld)}
	if ask.OnThisDevice {
		body.App = b.idp.Site.AuthenticatorOrigin() + "/authenticator/"
	}
	return body
}

func ways(methods []identity.Method) []templates.Way {
	var ways []templates.Way
	for _, m := range methods {
		ways = append(ways, templates.Way(m))
	}
	return ways
}

// endedPushes says by its own name how a request ended without a login.
var endedPushes = map[store.PushOutcome]string{
	store.PushMistake:     templates.PushMistake,
	store.PushWrongNumber: templates.PushWrongNumber,
	store.PushSuperseded:  templates.PushSuperseded,
	store.PushCancelled:   templates.PushSuperseded,
	store.PushResync:      templates.PushResync,
	store.PushNoLonger:    templates.PushNoLonger,
	store.PushUnreachable: templates.PushUnreachable,
}

// pushEnded says how the request ended, and what can be done now.
func pushEnded(p *journey.Prompt, ask journey.AskedAnother) templates.PushEnded {
	body := templates.PushEnded{Application: p.Application, Name: p.Name, Why: templates.PushExpired, Newer: ask.Newer.Time, TooOld: oldApps(p.Push.TooOld),
		Again: p.Push.Offered, AgainIn: p.Push.AgainIn, OtherWays: ways(p.Push.OtherMethods), Last: p.Push.Last}
	if why, ok := endedPushes[ask.Outcome]; ok {
		body.Why = why
	}
	switch until := p.Push.LockedUntil.Time; {
	case body.Why == templates.PushUnreachable && len(body.TooOld) > 0:
		body.Why = templates.PushTooOld
	case body.Why == templates.PushSuperseded && !until.IsZero():
		// One too many was asked for, and ended this one: no newer one was sent (PUSH-9).
		body.Why, body.Until, body.Newer = templates.PushLocked, until, time.Time{}
	}
	return body
}

// unsentPushes are the problems of a push that was asked for and not sent which
// have a page of their own.
var unsentPushes = map[string]string{
	"error.push.elsewhere": templates.PushElsewhere,
	"error.push.locked":    templates.PushLocked,
}

func pushUnsent(p *journey.Prompt, why string) templates.PushEnded {
	return templates.PushEnded{Application: p.Application, Name: p.Name, Why: why, Until: p.Push.LockedUntil.Time,
		Again: p.Push.Offered, AgainIn: p.Push.AgainIn, OtherWays: ways(p.Push.OtherMethods)}
}

// passcode is the page that asks for one; where push would be offered, were it not
// for a lock or an old app, it says so (PUSH-9a, PUSH-22).
func passcode(r *http.Request, p *journey.Prompt, ask journey.AskedPasscode) templates.Passcode {
	body := templates.Passcode{Application: p.Application, Name: p.Name, Push: p.Push.Offered, Only: ask.Only, Recovery: ask.Recovery,
		PIN: ask.PIN, Typed: r.PostFormValue("passcode"), Approved: ask.Approved, Counter: ask.Counter}
	if ask.PIN != "" {
		body.Typed = "" // it may have the PIN in it
	}
	if !body.Push && !body.Approved {
		body.Paused, body.TooOld = p.Push.LockedUntil.Time, oldApps(p.Push.TooOld)
	}
	return body
}

// oldApps lists the apps that keep push from being offered.
func oldApps(apps []journey.OldApp) []templates.OldApp {
	var old []templates.OldApp
	for _, a := range apps {
		old = append(old, templates.OldApp{Name: a.Name, App: strings.ReplaceAll(a.App, "/", " "), Least: a.Least})
	}
	return old
}

// mailCode is the page that asks for a mailed code.
func mailCode(r *http.Request, p *journey.Prompt, ask journey.AskedMailCode) templates.Body {
	typed := r.PostFormValue("code")
	if p.Step == journey.AskResetCode {
		return templates.ResetCode{Application: p.Application, Name: p.Name, ResendIn: ask.ResendIn, Minutes: ask.Minutes, Typed: typed}
	}
	return templates.EnrollCode{Application: p.Application, Name: p.Name, Address: ask.Address, ResendIn: ask.ResendIn, Minutes: ask.Minutes, Typed: typed}
}

func platformRows(choices []journey.PlatformChoice) []templates.PlatformChoice {
	var rows []templates.PlatformChoice
	for _, c := range choices {
		rows = append(rows, templates.PlatformChoice{Platform: c.Platform, Here: c.Here, Preselected: c.Picked})
	}
	return rows
}

// activation is the page of an activation: a QR code, or a link where the
// authenticator will be on this very device (ENR-7).
func (b *browser) activation(p *journey.Prompt, ask journey.AskedActivation) (body templates.Body, err error) {
	var code templates.QR
	if ask.Link != "" {
		if code, err = qr(ask.Link); err != nil {
			return nil, err
		}
	}
	if ask.Platform == identity.PrivacyIDEA {
		app := templates.EnrollPrivacyIDEA{Application: p.Application, Name: p.Name, Install: ask.Install, Left: ask.Left, Over: ask.Over, QR: code}
		if ask.Here && ask.Link != "" {
			app.Link = template.URL(ask.Link) // ours: otpauth is a scheme html/template does not know
		}
		return app, nil
	}
	origin := b.idp.Site.AuthenticatorOrigin()
	return templates.EnrollScan{Application: p.Application, Name: p.Name, Platform: ask.Platform, Here: ask.Here, Install: ask.Install,
		Code: ask.ShortCode, Address: strings.TrimPrefix(strings.TrimPrefix(origin, "https://"), "http://") + "/authenticator/",
		Left: ask.Left, Link: ask.Link, QR: code, Taken: ask.Taken, PIN: ask.PIN, Over: ask.Over}, nil
}

// confirmation is the page that brings a secret into another vendor's app
// (ENR-12): a QR code, and on what may be a phone or a tablet, which may hold the
// app itself and cannot scan its own screen, a link that opens it.
func confirmation(r *http.Request, p *journey.Prompt, ask journey.AskedConfirmation) (templates.Body, error) {
	body := templates.EnrollThirdParty{Application: p.Application, Name: p.Name, Over: ask.Over, Typed: r.PostFormValue("passcode")}
	if ask.Over {
		return body, nil
	}
	body.Secret, body.Left = ask.Secret, ask.Left
	if ask.Here {
		body.Link = template.URL(ask.Link) // ours: otpauth is a scheme html/template does not know
	}
	var err error
	body.QR, err = qr(ask.Link)
	return body, err
}

// refusedPages are the words of the page for what keeps a login from going on.
var refusedPages = map[journey.Reason]string{
	journey.ReasonDisabled:         templates.RefusedByPolicy,
	journey.ReasonPolicy:           templates.RefusedByPolicy,
	journey.ReasonLocked:           templates.RefusedLocked,
	journey.ReasonLockedByOperator: templates.RefusedLockedByOperator,
	journey.ReasonPushLocked:       templates.RefusedPushLocked,
	journey.ReasonAppTooOld:        templates.RefusedAppTooOld,
	journey.ReasonNoPasskey:        templates.RefusedNoPasskey,
	journey.ReasonNoReset:          templates.RefusedNoReset,
	journey.ReasonRejected:         templates.RefusedRejected,
	journey.ReasonPushOnly:         templates.RefusedPushOnly,
	journey.ReasonNoWay:            templates.RefusedNoMethod,

	journey.Reason(policy.NeedsPermit):         templates.RefusedNoPermit,
	journey.Reason(policy.OperatorNeedsPermit): templates.RefusedNoPermit,
}
