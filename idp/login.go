package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/locales"
	"github.com/latchkey-id/latchkey/templates"
)

// A sitting is a browser at a journey: what every page and every input of it
// needs.
type sitting struct {
	idp    *IdP
	tenant identity.Tenant
	app    identity.Application
	want   Request
	view   *journey.View
	l      locales.Printer
}

// sit loads a journey for the browser it is bound to. Anybody else's browser,
// even with the address, is refused (JRN-4).
func (p *IdP) sit(r *http.Request) (*sitting, error) {
	t, err := p.Site.Tenant(r)
	if err != nil {
		return nil, err
	}
	id := r.PathValue("journey")
	if !identity.IsID(identity.JourneyID, id) {
		return nil, &identity.Error{Kind: identity.NotFound, Key: "error.notfound"}
	}
	v, err := p.look(r, t.ID, id)
	if err != nil {
		return nil, err
	}
	if browser, ok := p.Site.Browser(r, t); !ok || browser != v.Journey.Browser {
		return nil, &identity.Error{Kind: identity.Forbidden, Key: "error.journey.browser", Err: fmt.Errorf("journey %s belongs to another browser", id)}
	}
	s := &sitting{idp: p, tenant: t, view: v}
	if s.app, err = p.DB.Applications().Get(r.Context(), t.ID, v.Journey.Application); err != nil {
		return nil, err
	}
	if !v.Journey.Login() {
		s.app.Name = "" // nobody is on the way to an application
	}
	if err := json.Unmarshal(v.Journey.Request, &s.want); err != nil {
		return nil, fmt.Errorf("idp: request of %s: %w", id, err)
	}
	s.speak(r)
	return s, nil
}

// look reads a journey and what its page depends on. For the inputs of every
// login, whose step looks at all of that in its transaction again, it reads the
// journey alone, and takes the browser's word for where it stands until then.
func (p *IdP) look(r *http.Request, tenant, id string) (*journey.View, error) {
	if !alone(r) {
		return p.Engine.Look(r.Context(), tenant, id)
	}
	v, err := p.Engine.Glance(r.Context(), tenant, id, journey.Step(r.PostFormValue("step")))
	if err == nil && !v.Journey.Login() {
		return p.Engine.Look(r.Context(), tenant, id)
	}
	return v, err
}

// alone reports whether an input needs nothing but its journey before its step:
// a name, a passcode, or one of the ways to confirm.
func alone(r *http.Request) bool {
	do, method := r.PostFormValue("do"), r.PostFormValue("method")
	if r.Method != http.MethodPost || r.PostFormValue("language") != "" || do != "" && do != "continue" {
		return false
	}
	switch journey.Step(r.PostFormValue("step")) {
	case journey.Identify, journey.AskPasscode:
		return true
	case journey.Choose:
		return method == string(identity.ByPush) || method == string(identity.ByPasscode)
	}
	return false
}

// speak chooses the language: picked in this journey, kept on the user once a
// password was proved, or as the browser says.
func (s *sitting) speak(r *http.Request) {
	picked := s.view.Journey.Language
	if picked == "" && s.view.Journey.Has(identity.Password) {
		picked = s.view.User.Language
	}
	s.l = s.idp.Site.Printer(r, picked, s.want.UILocales, s.tenant.Language)
}

// show renders the present step. It changes nothing.
func (p *IdP) show(w http.ResponseWriter, r *http.Request) error {
	s, err := p.sit(r)
	if err != nil {
		return err
	}
	return s.render(w, r, "")
}

// take applies an input and answers with a 303 to the same address, so that
// reloading and going back repeat nothing; or, when the journey is done, with
// the answer to the application.
func (p *IdP) take(w http.ResponseWriter, r *http.Request) error {
	if err := web.Form(w, r); err != nil {
		return err
	}
	s, err := p.sit(r)
	if err != nil {
		return err
	}
	if language := r.PostFormValue("language"); language != "" {
		return s.pick(w, r, language)
	}
	a := p.visit(r, s.tenant)
	a.session(p.Site.Session(r, s.tenant))
	if s.view.Step == journey.Ended {
		return s.render(w, r, "")
	}
	if !s.view.Journey.Login() {
		return s.takeInvited(w, r, a)
	}
	present, err := s.present(r)
	if err != nil {
		return err
	}
	if present {
		v, err := s.apply(w, r, a)
		switch {
		case errors.Is(err, identity.Conflict):
		case s.view.Step == journey.Ended: // while we waited; whoever ended it had the answer
		case err != nil:
			return err
		case v.Journey.Outcome == identity.Succeeded:
			return a.send(w, r)
		case v.Journey.Outcome == identity.Cancelled:
			return p.refuse(w, r, s.tenant, s.app, s.want.Payload, Cancelled)
		case v.Journey.Outcome == identity.Denied:
			return p.refuse(w, r, s.tenant, s.app, s.want.Payload, AccessDenied)
		}
	}
	http.Redirect(w, r, address(s.tenant, s.view.Journey.ID), http.StatusSeeOther)
	return nil
}

// present reports whether a form was sent by the page the journey is at. What
// was decided on a page it has left is not applied to the next one: the browser
// is shown where it is now.
func (s *sitting) present(r *http.Request) (bool, error) {
	mark, err := s.mark(r.Context())
	return r.PostFormValue("step") == mark && r.PostFormValue("version") == fmt.Sprint(s.view.Journey.Version), err
}

// pick changes the language and shows the same page again, with what was typed
// and is no secret (ENR-13).
func (s *sitting) pick(w http.ResponseWriter, r *http.Request, language string) error {
	language = s.idp.Site.Catalog.Negotiate(language, "", "", "").Lang()
	s.idp.Site.PickLanguage(w, language)
	if s.view.Step != journey.Ended {
		v, err := s.idp.Engine.SetLanguage(r.Context(), s.idp.visit(r, s.tenant).Visit, s.view, language)
		if err != nil && !errors.Is(err, identity.Conflict) {
			return err
		}
		if err == nil {
			s.view = v
		}
	}
	s.l = s.idp.Site.Catalog.Negotiate(language, "", "", "")
	return s.render(w, r, r.PostFormValue("username"))
}

// apply takes the input of the present step.
func (s *sitting) apply(w http.ResponseWriter, r *http.Request, a *answer) (*journey.View, error) {
	ctx, e, v, visit := r.Context(), s.idp.Engine, s.view, a.Visit
	do := r.PostFormValue("do")
	switch do {
	case "cancel":
		if slices.Contains([]journey.Step{journey.Refused, journey.Locked, journey.PushLocked, journey.AppTooOld}, v.Step) {
			return e.Deny(ctx, visit, v)
		}
		return e.Cancel(ctx, visit, v)
	case "back":
		if slices.Contains(wizard, v.Step) {
			return s.leaveEnrollment(ctx, visit)
		}
		return e.Back(ctx, visit, v)
	case "passcode":
		return e.Choose(ctx, visit, v, identity.ByPasscode)
	case "recovery":
		return e.Choose(ctx, visit, v, identity.ByRecoveryCode)
	case "forgot":
		return s.forgotPassword(ctx, visit)
	case "push", "again":
		return e.SendPush(ctx, visit, v, s.app.Name)
	}
	switch v.Step {
	case journey.AskPasskey:
		return s.passkey(r, visit)
	case journey.Identify:
		if do == "passkey" {
			return s.passkey(r, visit)
		}
		return e.Identify(ctx, visit, v, r.PostFormValue("username"))
	case journey.AskPassword:
		return e.Password(ctx, visit, v, r.PostFormValue("password"))
	case journey.Choose:
		switch r.PostFormValue("method") {
		case "push":
			return e.SendPush(ctx, visit, v, s.app.Name)
		case "enrol":
			if v.Journey.Reset == identity.NotResetting {
				return s.sendCode(ctx, visit)
			}
		}
		return e.Choose(ctx, visit, v, identity.Method(r.PostFormValue("method")))
	case journey.WaitForPush:
		if err := s.hold(w, r); err != nil {
			return nil, err
		}
		return e.Claim(ctx, visit, s.view)
	case journey.AskPasscode, journey.AskNextPasscode:
		return e.Passcode(ctx, visit, v, r.PostFormValue("passcode"))
	case journey.AskChallenge:
		return s.respond(ctx, r, visit)
	case journey.AskRecoveryCode:
		return e.RecoveryCode(ctx, visit, v, r.PostFormValue("code"))
	case journey.AskResetCode:
		if do == "resend" {
			return s.forgotPassword(ctx, visit)
		}
		return s.checkResetCode(r, visit)
	case journey.AskNewPIN:
		return e.NewPIN(ctx, visit, v, r.PostFormValue("new"), r.PostFormValue("again"))
	case journey.AskNewPassword:
		return e.NewPassword(ctx, visit, v, s.tenant.OrganisationName(), r.PostFormValue("new"), r.PostFormValue("again"))
	case journey.EnrollOffer:
		return s.sendCode(ctx, visit)
	case journey.EnrollCode:
		if do == "resend" {
			return s.sendCode(ctx, visit)
		}
		return s.checkCode(r, visit)
	case journey.EnrollPlatform:
		return s.choosePlatform(ctx, visit, identity.Platform(r.PostFormValue("platform")))
	case journey.EnrollThirdParty:
		if do == "renew" {
			return s.renewThirdParty(ctx, visit)
		}
		return s.confirmThirdParty(ctx, visit, r.PostFormValue("passcode"))
	case journey.EnrollScan:
		if do == "renew" {
			return s.renew(ctx, visit)
		}
		if err := s.hold(w, r); err != nil {
			return nil, err
		}
	}
	return s.view, nil
}

// holdTime is how long the answer to "continue" waits for the phone where no
// script does (JRN-11).
const holdTime = 20 * time.Second

// hold waits until the phone has done its part, or for as long as a person
// without scripts can be asked to, and looks at the journey again.
func (s *sitting) hold(w http.ResponseWriter, r *http.Request) error {
	if err := patient(w); err != nil {
		return err
	}
	woken, stop := s.idp.DB.Subscribe(store.JourneyTopic(s.view.Journey.ID))
	defer stop()
	deadline := time.NewTimer(holdTime)
	defer deadline.Stop()
	before, err := s.mark(r.Context())
	if err != nil {
		return err
	}
	for {
		v, err := s.idp.Engine.Look(r.Context(), s.tenant.ID, s.view.Journey.ID)
		if err != nil {
			return err
		}
		s.view = v
		now, err := s.mark(r.Context())
		if err != nil || now != before || v.Request.Outcome == store.PushApproved {
			return err
		}
		expiry := time.NewTimer(s.untilExpiry())
		select {
		case <-woken:
		case <-expiry.C:
		case <-deadline.C:
			return nil
		case <-s.idp.Closing:
			return nil
		case <-r.Context().Done():
			return r.Context().Err()
		}
		expiry.Stop()
	}
}

// untilExpiry is how long the page can wait before what it waits for expires by
// itself, which wakes nobody.
func (s *sitting) untilExpiry() time.Duration {
	if s.view.Step != journey.WaitForPush {
		return holdTime
	}
	return s.view.Request.Left + 10*time.Millisecond
}

// mark names what the page shows: the step and, where the phone changes that
// without a step of the journey, how far the phone has come. A form carries it,
// and so does the address of the stream.
func (s *sitting) mark(ctx context.Context) (string, error) {
	if s.view.Step != journey.EnrollScan {
		return string(s.view.Step), nil
	}
	shown, err := enroll.Shown(ctx, s.idp.DB.Reader, s.view.Journey)
	if err != nil && !errors.Is(err, identity.NotFound) {
		return "", err
	}
	return string(s.view.Step) + ", " + string(shown.State), nil
}

// patient lets a response take its time: the server's deadlines are for those
// who keep it waiting, not for those whom it keeps waiting.
func patient(w http.ResponseWriter) error {
	control := http.NewResponseController(w)
	if err := errors.Join(control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{})); err != nil {
		return fmt.Errorf("idp: deadlines: %w", err)
	}
	return nil
}

// enrolment runs an act of self-provisioning as a step of the journey.
func (s *sitting) enrollment(ctx context.Context, visit journey.Visit, act func(tx *store.Tx, j *identity.Journey, rules enroll.Rules) error, at ...journey.Step) (*journey.View, error) {
	return s.idp.Engine.Step(ctx, visit, s.view, func(tx *store.Tx, v *journey.View) error {
		rules, err := enroll.ReadRules(ctx, tx.Reader, s.tenant.ID)
		if err != nil {
			return err
		}
		err = act(tx, v.Journey, rules)
		if refused, ok := errors.AsType[*identity.Error](err); ok && refused.Kind == identity.Throttled {
			v.Journey.Notice = refused.Key
			return nil
		}
		return err
	}, at...)
}

// sendCode mails the verification code, if there is somebody to mail it to who
// may enrol; the page does not tell (ENR-4).
func (s *sitting) sendCode(ctx context.Context, visit journey.Visit) (*journey.View, error) {
	var user *identity.User
	if s.view.Facts.MayEnroll {
		user = &s.view.User
	}
	return s.enrollment(ctx, visit, func(tx *store.Tx, j *identity.Journey, rules enroll.Rules) error {
		return enroll.SendCode(ctx, tx, j, user, rules, s.l.Lang())
	}, journey.EnrollOffer, journey.EnrollCode, journey.Choose)
}

// checkCode takes the verification code. Where one platform alone is allowed,
// its choice is skipped (ENR-7).
func (s *sitting) checkCode(r *http.Request, visit journey.Visit) (*journey.View, error) {
	ctx := r.Context()
	return s.enrollment(ctx, visit, func(tx *store.Tx, j *identity.Journey, rules enroll.Rules) error {
		problem, err := enroll.CheckCode(ctx, tx, j, r.PostFormValue("code"), rules)
		if err != nil {
			return err
		}
		j.Notice = problem
		choices := s.platforms(r)
		if problem != "" || len(choices) != 1 {
			return nil
		}
		j.Notice, err = s.enrollOn(ctx, tx, j, choices[0].Platform, rules)
		return err
	}, journey.EnrollCode)
}

func (s *sitting) choosePlatform(ctx context.Context, visit journey.Visit, platform identity.Platform) (*journey.View, error) {
	return s.enrollment(ctx, visit, func(tx *store.Tx, j *identity.Journey, rules enroll.Rules) (err error) {
		j.Notice, err = s.enrollOn(ctx, tx, j, platform, rules)
		return err
	}, journey.EnrollPlatform)
}

// enrollOn takes a row of the choice of platform, of which another vendor's app
// is one.
func (s *sitting) enrollOn(ctx context.Context, tx *store.Tx, j *identity.Journey, platform identity.Platform, rules enroll.Rules) (problem string, err error) {
	if platform == identity.ThirdParty && s.view.ThirdParty() {
		return enroll.ChooseThirdParty(ctx, tx, j, s.view.User, rules, s.l.Lang())
	}
	if platform == identity.PrivacyIDEA && !s.view.PrivacyIDEA() {
		return "error.platform.missing", nil // of no use to this user
	}
	return enroll.ChoosePlatform(ctx, tx, j, s.view.User, platform, rules, s.l.Lang())
}

func (s *sitting) renew(ctx context.Context, visit journey.Visit) (*journey.View, error) {
	return s.enrollment(ctx, visit, func(tx *store.Tx, j *identity.Journey, rules enroll.Rules) error {
		return enroll.Issue(ctx, tx, j, s.view.User, rules, s.l.Lang())
	}, journey.EnrollScan)
}

// wizard are the steps of self-provisioning that are left by going back in it.
var wizard = []journey.Step{journey.EnrollCode, journey.EnrollPlatform, journey.EnrollScan, journey.EnrollThirdParty}

// leaveEnrollment goes back from the code or the platform to before them, and
// from the QR code to the choice of platform.
func (s *sitting) leaveEnrollment(ctx context.Context, visit journey.Visit) (*journey.View, error) {
	return s.enrollment(ctx, visit, func(tx *store.Tx, j *identity.Journey, rules enroll.Rules) error {
		if j.Enroll == identity.EnrollScan || j.Enroll == identity.EnrollThirdParty {
			j.Enroll = identity.EnrollPlatform
			return nil
		}
		return enroll.Cancel(ctx, tx, j)
	}, wizard...)
}

// render shows the present step. typed replaces the user name shown where one
// is asked for.
func (s *sitting) render(w http.ResponseWriter, r *http.Request, typed string) error {
	page, err := s.page(r, typed)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if page.Problem != "" {
		status = http.StatusUnprocessableEntity
	}
	if end, ok := page.Body.(templates.EnrollEnd); s.view.Step == journey.Ended && !(ok && end.Ready()) {
		status = http.StatusGone
	}
	return s.idp.Site.Render(w, r, status, page, s.idp.Protocols[s.app.Protocol].Origin(s.want.Payload))
}
