package idp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/templates"
)

// page makes the page of the present step.
func (s *sitting) page(r *http.Request, typed string) (templates.Page, error) {
	j := s.view.Journey
	mark, err := s.mark(r.Context())
	if err != nil {
		return templates.Page{}, err
	}
	page := templates.Page{L: s.l, Tenant: web.Brand(s.tenant), Languages: s.idp.Site.Catalog.Languages(),
		Version: j.Version, Step: mark, Action: address(s.tenant, j.ID)}
	if strings.HasPrefix(j.Notice, "error.") {
		page.Problem = j.Notice
	} else {
		page.Notice = j.Notice
	}
	if s.view.OffersRemember() {
		page.Remember = &templates.Remember{Days: s.view.RememberDays(), Ticked: j.Remember == identity.WillRemember}
	}
	if page.Body, err = s.body(r, typed, &page); err != nil {
		return page, err
	}
	page.FirstPIN, err = s.firstPIN(r.Context())
	return page, err
}

// firstPIN is the PIN that goes with the authenticator that was set up a moment
// ago, to be shown from then on until it was used.
func (s *sitting) firstPIN(ctx context.Context) (*templates.FirstPIN, error) {
	if s.view.Journey.Enroll != identity.EnrollScan || s.view.Step == journey.EnrollScan || s.view.Step == journey.AskNewPIN {
		return nil, nil
	}
	pin, err := enroll.FirstPIN(ctx, s.idp.DB.Reader, s.view.Journey)
	if pin == "" || err != nil {
		return nil, err
	}
	rules := s.view.Rules.PIN
	return &templates.FirstPIN{PIN: pin, After: rules.Position == policy.PINAfter, Change: rules.ChangeFirst}, nil
}

// body makes the part of the page that is the step's own.
func (s *sitting) body(r *http.Request, typed string, page *templates.Page) (_ templates.Body, err error) {
	v, j, app := s.view, s.view.Journey, s.app.Name
	if !j.Login() && slices.Contains(invitationOver, v.Step) {
		page.Problem, page.Notice = "", ""
		return s.enrollEnd(), nil
	}
	if why := s.unsent(); why != "" {
		page.Problem = ""
		return s.pushUnsent(why), nil
	}
	switch v.Step {
	case journey.Identify:
		if typed == "" {
			typed = s.want.LoginHint
		}
		b := templates.Identify{Application: app, Name: identity.CleanTyped(typed)}
		if v.OffersPasswordless() {
			if b.Passkey, err = s.passkeyRequest(r.Context()); err != nil {
				return nil, err
			}
		}
		return b, nil
	case journey.AskPasskey:
		request, err := s.passkeyRequest(r.Context())
		return templates.Passkey{Application: app, Name: j.Name, Request: request, Recovery: s.recoveryOffered()}, err
	case journey.AskPassword:
		return templates.Password{Application: app, Name: j.Name, Reset: v.Rules.Passwords.Reset}, nil
	case journey.AskResetCode:
		return templates.ResetCode{Application: app, Name: j.Name, ResendIn: s.resendIn(),
			Minutes: int(v.Rules.Limits.MailCodeLife / 60), Typed: r.PostFormValue("code")}, nil
	case journey.AskNewPIN:
		pin := v.Rules.PIN
		return templates.NewPIN{Application: app, Name: j.Name, Least: int(pin.Least), Most: int(pin.Most), Trivial: pin.TrivialPINs, After: pin.Position == policy.PINAfter}, nil
	case journey.AskNewPassword:
		return s.newPassword(), nil
	case journey.Choose:
		if j.Enroll == identity.EnrollScan {
			page.Notice = "notice.enrolled"
		}
		return templates.Choose{Application: app, Name: j.Name, Methods: s.methods()}, nil
	case journey.WaitForPush:
		return s.waiting(r, page)
	case journey.PushOver:
		return s.pushEnded(), nil
	case journey.AskPasscode, journey.AskNextPasscode:
		if j.Method == "" && j.Enroll == identity.EnrollScan {
			page.Notice = "notice.enrolled"
		}
		return s.passcode(r), nil
	case journey.AskChallenge:
		return s.challenge(page), nil
	case journey.AskRecoveryCode:
		return s.recoveryCode(), nil
	case journey.EnrollOffer:
		return templates.EnrollOffer{Application: app, Name: j.Name, Address: s.masked()}, nil
	case journey.EnrollCode:
		return templates.EnrollCode{Application: app, Name: j.Name, Address: s.masked(),
			ResendIn: s.resendIn(), Minutes: int(v.Rules.Limits.MailCodeLife / 60), Typed: r.PostFormValue("code")}, nil
	case journey.EnrollNoMail:
		return templates.EnrollNoMail{Application: app, Name: j.Name}, nil
	case journey.EnrollPlatform:
		return templates.EnrollPlatform{Application: app, Name: j.Name, Platforms: s.platforms(r)}, nil
	case journey.EnrollScan:
		if j.Platform == identity.PrivacyIDEA {
			return s.privacyIDEA(r, page)
		}
		return s.scan(r, page)
	case journey.EnrollThirdParty:
		return s.thirdParty(r)
	case journey.Locked:
		if !v.User.LockedAt.IsZero() {
			return templates.Refused{Application: app, Name: j.Name, Why: templates.RefusedLockedByOperator}, nil
		}
		return templates.Refused{Application: app, Name: j.Name, Why: templates.RefusedLocked, Until: v.Facts.LockedUntil}, nil
	case journey.Refused, journey.PushLocked, journey.AppTooOld:
		b := templates.Refused{Application: app, Name: j.Name, Why: s.whyRefused()}
		switch b.Why {
		case templates.RefusedPushLocked:
			page.Problem, b.Until = "", v.Facts.PushLockedUntil // the page says it
		case templates.RefusedAppTooOld:
			b.TooOld = s.tooOld()
		}
		return b, nil
	}
	page.Languages, page.Problem, page.Notice = nil, "", ""
	return templates.Ended{Application: app, Home: s.app.Home, Done: j.Outcome == identity.Succeeded}, nil
}

func (s *sitting) now() time.Time { return s.idp.DB.Now() }

// left is how many seconds there are until a moment, rounded up.
func left(until, now time.Time) int {
	return max(0, int((until.Sub(now)+time.Second-1)/time.Second))
}

// resendIn is how many seconds there are until another code may be mailed.
func (s *sitting) resendIn() int {
	return left(s.view.Journey.Code.SentAt.Add(time.Duration(s.view.Rules.Limits.MailCodeResend)*time.Second), s.now())
}

// masked is the address a code goes to, for who has proved a password; nobody
// else learns whether there is one (ENR-5).
func (s *sitting) masked() string {
	if !s.view.Journey.Has(identity.Password) || s.view.User.Mail == "" {
		return ""
	}
	return enroll.MaskMail(s.view.User.Mail)
}

// platforms are the rows of the choice of platform.
func (s *sitting) platforms(r *http.Request) []templates.PlatformChoice {
	agent, hint := r.UserAgent(), r.Header.Get("Sec-CH-UA-Platform")
	own := policy.Browsers(agent, hint)
	offer := s.view.Rules.Platforms.Offer(agent, hint)
	var rows []templates.PlatformChoice
	for _, p := range slices.Concat(offer.Mobile, offer.Computer) {
		rows = append(rows, templates.PlatformChoice{Platform: p, Here: len(own) == 1 && own[0] == p, Picked: p == offer.Preselected})
	}
	if s.view.PrivacyIDEA() {
		rows = append(rows, templates.PlatformChoice{Platform: identity.PrivacyIDEA})
	}
	if s.view.ThirdParty() {
		rows = append(rows, templates.PlatformChoice{Platform: identity.ThirdParty})
	}
	return rows
}

// scan is the page of the activation: a QR code, or a link where the
// authenticator will be on this very device (ENR-7).
func (s *sitting) scan(r *http.Request, page *templates.Page) (templates.Body, error) {
	j := s.view.Journey
	shown, err := enroll.Shown(r.Context(), s.idp.DB.Reader, j)
	if err != nil && !errors.Is(err, identity.NotFound) {
		return nil, err
	}
	page.Stream = s.stream(page.Step)
	base := s.idp.Site.AuthenticatorOrigin()
	b := templates.EnrollScan{Application: s.app.Name, Name: j.Name, Platform: j.Platform,
		Here:    slices.Contains(policy.Browsers(r.UserAgent(), r.Header.Get("Sec-CH-UA-Platform")), j.Platform),
		Install: s.view.Rules.Platforms.Install(j.Platform), Code: shown.ShortCode,
		Address: strings.TrimPrefix(strings.TrimPrefix(base, "https://"), "http://") + "/authenticator/",
		Left:    left(shown.ExpiresAt, s.now())}
	switch shown.State {
	case enroll.Waiting:
		b.Link = shown.Link(base)
		if b.QR, err = qr(b.Link); err != nil {
			return nil, err
		}
	case enroll.KeyRegistered:
		b.Taken, b.PIN = true, shown.InitialPIN()
	default:
		b.Over = true
	}
	return b, nil
}

// whyRefused tells the person what can be told.
func (s *sitting) whyRefused() string {
	v := s.view
	switch {
	case v.Step == journey.PushLocked:
		return templates.RefusedPushLocked
	case v.Step == journey.AppTooOld:
		return templates.RefusedAppTooOld
	case v.Facts.Disabled || v.Journey.Refused != "":
		return templates.RefusedByPolicy
	case v.Journey.Reset != identity.NotResetting && (v.Facts.Assigned == 0 || !v.Facts.Password):
		return templates.RefusedNoReset
	case slices.Contains(v.Journey.Missing(), identity.VerifiedPasskey):
		return templates.RefusedNoPasskey
	case v.Facts.Assigned > 0 && v.Codes && !v.Facts.Codes:
		return templates.RefusedPushOnly
	case v.Facts.Assigned > 0:
		return templates.RefusedNoWay
	case v.Facts.WhyNotEnroll == policy.NeedsLeave || v.Facts.WhyNotEnroll == policy.OperatorNeedsLeave:
		return templates.RefusedLeave
	}
	return templates.RefusedNotTarget
}

// stream is the address that says when a waiting page has something new.
func (s *sitting) stream(mark string) string {
	return address(s.tenant, s.view.Journey.ID) + "/events?at=" + url.QueryEscape(s.at(mark))
}

// at is what a page shows, and of several pushes which: a tab with the number of
// one before the last learns that there is another.
func (s *sitting) at(mark string) string {
	if s.view.Step == journey.WaitForPush {
		return fmt.Sprintf("%s.%d", mark, s.view.Journey.Pushes)
	}
	return mark
}
