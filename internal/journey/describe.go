package journey

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// outline describes where the journey stands, without what is asked.
func (f *flow) outline() *Prompt {
	j := f.Journey
	return &Prompt{Journey: j.ID, State: f.state(), Step: f.Step, Reason: f.Reason, Until: f.until(),
		Application: f.applicationName(), Home: j.ApplicationHome, Name: j.Name, Language: f.language(),
		Outcome: j.Outcome, EndedNow: f.endedNow, ApplicationID: j.Application, Protocol: j.Protocol, Request: f.request,
		Adding: j.Adding, Invited: j.Invitation != ""}
}

// answer is what a client is told that handed something in.
func (f *flow) answer(ctx context.Context, r store.Reader) (*Prompt, error) {
	if f.client.Redirects {
		return f.outline(), nil
	}
	return f.prompt(ctx, r)
}

// prompt describes the journey as it stands for whoever shows it.
func (f *flow) prompt(ctx context.Context, r store.Reader) (*Prompt, error) {
	j, p := f.Journey, f.outline()
	if f.endedNow && p.Login() {
		return p, nil // the application is answered, and nothing is shown
	}
	f.describeNotice(p)
	if f.offersRemember() {
		p.Remember = &RememberBox{Days: int(f.Rules.Devices.Days), Ticked: j.Remember == identity.WillRemember}
	}
	if f.at(Choose, WaitForPush, PushOver, AskPasscode, AskNextPasscode) {
		p.Push = f.pushStatus(r.Now())
	}
	if f.Step == AppTooOld {
		p.Push = &PushStatus{TooOld: f.TooOld}
	}
	var err error
	if p.Ask, err = f.ask(ctx, r); err != nil {
		return nil, err
	}
	if p.Session, err = f.namedBySession(ctx, r); err != nil {
		return nil, err
	}
	p.FirstPIN, err = f.firstPIN(ctx, r)
	return p, err
}

// stale is what a client is told that came too late with an input.
func (f *flow) stale(ctx context.Context, r store.Reader) (*Prompt, error) {
	p, err := f.answer(ctx, r)
	if err == nil {
		p.Stale = true
	}
	return p, err
}

// describeNotice says what the prompt begins with.
func (f *flow) describeNotice(p *Prompt) {
	j := f.Journey
	if strings.HasPrefix(j.Notice, "error.") {
		p.Problem = j.Notice
	} else {
		p.Notice = j.Notice
	}
	switch {
	case f.Step == Ended, !j.Login() && f.at(Done, Refused, Locked):
		p.Problem, p.Notice = "", ""
	case f.Step == PushLocked:
		p.Problem = "" // the reason says it
	case j.Enroll == identity.EnrollScan && (f.Step == Choose || j.Method == "" && f.at(AskPasscode, AskNextPasscode, AskChallenge)):
		p.Notice = "notice.enrolled"
	}
}

// until is when what keeps the journey from going on ends by itself.
func (f *flow) until() Time {
	switch f.Reason {
	case ReasonLocked:
		return Time{f.Facts.LockedUntil}
	case ReasonPushLocked:
		return Time{f.Facts.PushLockedUntil}
	case ReasonCancelled, ReasonLate:
		return Time{f.Invitation.ExpiresAt}
	}
	return Time{}
}

// firstPIN is the PIN that goes with the authenticator that was set up in this
// journey, to be shown from then on until it was used.
func (f *flow) firstPIN(ctx context.Context, r store.Reader) (*FirstPIN, error) {
	if f.Journey.Code.PassedAt.IsZero() || f.at(EnrollPlatform, EnrollScan, EnrollThirdParty, AskNewPIN) {
		return nil, nil
	}
	pin, err := enroll.FirstPIN(ctx, r, f.Journey)
	if pin == "" || err != nil {
		return nil, err
	}
	return &FirstPIN{PIN: pin, After: f.Rules.PIN.Position == policy.PINAfter, Change: f.Rules.PIN.ChangeFirst}, nil
}

// ask is what the step asks or shows.
func (f *flow) ask(ctx context.Context, r store.Reader) (Ask, error) {
	j := f.Journey
	switch f.Step {
	case Identify:
		return f.askName(ctx, r)
	case AskPassword:
		return AskedPassword{Reset: f.Rules.Passwords.Reset}, nil
	case AskPasskey:
		ask, err := f.askPasskey(ctx, r)
		if err != nil {
			return nil, err
		}
		ask.Recovery = f.recoveryOffered()
		return *ask, nil
	case Choose:
		return AskedMethod{Methods: f.methodChoices(r.Now())}, nil
	case WaitForPush:
		return f.askPush(r.Now()), nil
	case PushOver:
		return f.askAnother(), nil
	case AskPasscode, AskNextPasscode:
		return f.askPasscode(), nil
	case AskChallenge:
		return AskedResponse{Digits: f.Challenge.Digits, Only: j.Method == "", Recovery: f.recoveryOffered()}, nil
	case AskRecoveryCode:
		return AskedRecoveryCode{}, nil
	case AskResetCode:
		return f.askMailCode("", r.Now()), nil
	case EnrollCode:
		return f.askMailCode(f.maskedMail(), r.Now()), nil
	case AskNewPIN:
		rules := f.Rules.PIN
		return AskedPIN{Least: rules.MinLength, Most: rules.MaxLength, Trivial: rules.TrivialPINs, After: rules.Position == policy.PINAfter}, nil
	case AskNewPassword:
		rules := f.Rules.Passwords
		return AskedNewPassword{Forgotten: j.Reset != identity.NotResetting, Least: rules.MinLength, Common: rules.AllowCommon}, nil
	case EnrollOffer:
		return AskedToEnroll{Address: f.maskedMail()}, nil
	case EnrollPlatform:
		return AskedPlatform{Platforms: f.platforms()}, nil
	case EnrollScan:
		return f.askActivation(ctx, r)
	case EnrollThirdParty:
		return f.askConfirmation(ctx, r)
	}
	return nil, nil
}

func (f *flow) askName(ctx context.Context, r store.Reader) (ask AskedName, err error) {
	if f.offersPasswordless() {
		ask.Passkey, err = f.askPasskey(ctx, r)
	}
	return ask, err
}

// seconds is how many there are until a moment, rounded up.
func seconds(until, now time.Time) int {
	return max(0, int((until.Sub(now)+time.Second-1)/time.Second))
}

func (f *flow) askMailCode(address string, now time.Time) AskedMailCode {
	limits := f.Rules.Limits
	return AskedMailCode{Address: address, Minutes: int(limits.MailCodeLifetime / 60),
		ResendIn: seconds(f.Journey.Code.SentAt.Add(time.Duration(limits.MailCodeResend)*time.Second), now)}
}

// maskedMail is the address a code goes to, for whoever proved a password; nobody
// else learns whether there is one (ENR-5).
func (f *flow) maskedMail() string {
	if !f.Journey.Has(identity.Password) || f.User.Mail == "" {
		return ""
	}
	return enroll.MaskMail(f.User.Mail)
}

// recoveryOffered reports whether a recovery code may be typed in this journey.
func (f *flow) recoveryOffered() bool {
	return slices.Contains(f.Facts.OtherMethods, identity.ByRecoveryCode)
}

// pushOffered reports whether a push may be chosen. Without a proved password it is
// shown to all alike, whoever can be reached (ENR-4).
func (f *flow) pushOffered() bool { return slices.Contains(f.Methods, identity.ByPush) }

// lastPushSent reports whether this journey has sent all the requests it may.
func (f *flow) lastPushSent() bool { return f.Journey.Pushes >= f.Rules.Push.PerJourney }

func (f *flow) pushStatus(now time.Time) *PushStatus {
	others := slices.DeleteFunc(slices.Clone(f.Methods), func(m identity.Method) bool { return m == identity.ByPush })
	s := &PushStatus{OtherMethods: others, Offered: f.pushOffered(), Last: f.lastPushSent(),
		AgainIn: seconds(f.Journey.PushAt.Add(time.Duration(f.Rules.Push.Spacing)*time.Second), now)}
	if f.Facts.Push && f.Journey.Proved() {
		s.LockedUntil, s.TooOld = Time{f.Facts.PushLockedUntil}, f.TooOld
	}
	return s
}

// methodChoices are the rows of the page of choice: what may be chosen, in the
// order of the journey, what may not and why, and for whoever has proved nothing
// yet the way to an authenticator (JRN-10).
func (f *flow) methodChoices(now time.Time) []MethodChoice {
	proved := f.Journey.Proved()
	var rows []MethodChoice
	for _, method := range f.Methods {
		row := MethodChoice{Method: method, Picked: method == f.Preselected}
		if method == identity.ByPush && proved {
			f.describeDevices(&row, now)
		}
		rows = append(rows, row)
	}
	if reason := f.whyPushDisabled(); reason != "" && proved {
		row := MethodChoice{Method: identity.ByPush, Disabled: reason}
		if reason == ReasonPushLocked {
			row.Until = Time{f.Facts.PushLockedUntil}
		}
		rows = append(rows, row)
	}
	if !proved || f.Facts.MayEnroll {
		rows = append(rows, MethodChoice{Method: MethodEnroll, Picked: len(rows) == 0})
	}
	return rows
}

// whyPushDisabled says what keeps a push from being chosen that would be offered
// otherwise; empty where nothing does, or none would.
func (f *flow) whyPushDisabled() Reason {
	switch {
	case !f.Facts.Push || f.pushOffered():
		return ""
	case !f.Facts.PushLockedUntil.IsZero():
		return ReasonPushLocked
	case f.lastPushSent():
		return ReasonPushLimit
	case len(f.TooOld) > 0:
		return ReasonAppTooOld
	}
	return ""
}

// describeDevices says which device a push goes to, if it is one, and when it was
// last used.
func (f *flow) describeDevices(row *MethodChoice, now time.Time) {
	for _, a := range f.Authenticators {
		if f.reaches(a, now) {
			row.Devices++
			row.Device, row.LastUsed = a.Name, Time{a.LastUsedAt}
		}
	}
	if row.Devices > 1 {
		row.Device, row.LastUsed = "", Time{}
	}
}

func (f *flow) reaches(a identity.Authenticator, now time.Time) bool {
	return policy.Reaches(a, f.Rules.Platforms, f.Presence, now)
}

func (f *flow) askPush(now time.Time) AskedPush {
	j, request := f.Journey, f.Request.Request
	return AskedPush{Number: f.Request.Number, Pick: request.Presence == policy.Pick, Address: j.IP, Place: f.place(), Browser: j.Fingerprint,
		StartedAt: Time{j.StartedAt}, Left: int((f.Request.Left + time.Second - 1) / time.Second), Total: int(f.Rules.Push.Lifetime),
		Silent: f.silent(now), OnThisDevice: f.appOnThisDevice(now), Approved: f.Request.Outcome == store.PushApproved}
}

// silent reports whether a push goes to an app that gives no notification. Without
// a proved password nothing tells what a user has (ENR-4).
func (f *flow) silent(now time.Time) bool {
	return f.Journey.Proved() && slices.ContainsFunc(f.Authenticators, func(a identity.Authenticator) bool {
		return a.Protocol == identity.PrivacyIDEAPush && policy.Reaches(a, f.Rules.Platforms, f.Request.Request.Presence, now)
	})
}

// appOnThisDevice reports whether the client runs on what may be the device of the
// web authenticator: a phone, or, once a password was proved, the kind of computer
// that one of the user's runs on.
func (f *flow) appOnThisDevice(now time.Time) bool {
	here := policy.PlatformsOfBrowser(f.client.UserAgent, f.client.Platform)
	own := func(a identity.Authenticator) bool { return f.reaches(a, now) && slices.Contains(here, a.Platform) }
	return slices.ContainsFunc(here, identity.Platform.Mobile) || f.Journey.Proved() && slices.ContainsFunc(f.Authenticators, own)
}

func (f *flow) askAnother() AskedAnother {
	ask := AskedAnother{Outcome: f.Request.Outcome}
	if ask.Outcome == store.PushSuperseded || ask.Outcome == store.PushCancelled {
		ask.Newer = Time{f.Request.Request.EndedAt}
	}
	return ask
}

// countsPresses reports whether one of the user's authenticators makes its passcodes by a
// counter: it has no clock that could be off.
func (f *flow) countsPresses(id string) bool {
	return slices.ContainsFunc(f.Authenticators, func(a identity.Authenticator) bool { return a.ID == id && !a.TimeBased() })
}

func (f *flow) askPasscode() AskedPasscode {
	j := f.Journey
	ask := AskedPasscode{Next: f.Step == AskNextPasscode, Only: j.Method == "", Recovery: f.recoveryOffered(),
		Approved: f.Step == AskNextPasscode && j.Method == identity.ByPush}
	ask.Counter = ask.Next && f.countsPresses(f.resyncing)
	if j.Proved() && slices.ContainsFunc(f.Authenticators, func(a identity.Authenticator) bool { return a.ServerPIN }) {
		ask.PIN = f.Rules.PIN.Position
	}
	return ask
}

// askActivation shows the activation that waits for an app.
func (f *flow) askActivation(ctx context.Context, r store.Reader) (Ask, error) {
	j := f.Journey
	shown, err := enroll.Show(ctx, r, f.opened)
	if err != nil {
		return nil, err
	}
	ask := AskedActivation{Platform: j.Platform, Here: f.runsHere(j.Platform), Install: f.Rules.Platforms.InstallLink(j.Platform),
		ShortCode: shown.ShortCode, Left: seconds(shown.ExpiresAt, r.Now()), PIN: shown.InitialPIN(),
		Taken: shown.State == enroll.KeyRegistered, Over: shown.State != enroll.Waiting && shown.State != enroll.KeyRegistered}
	if j.Platform == identity.PrivacyIDEA { // whose app tells nothing until it is set up
		ask.Here, ask.Taken, ask.PIN, ask.Over = f.runsOnMobile(), false, "", shown.State != enroll.Waiting
	}
	switch {
	case shown.State != enroll.Waiting:
	case j.Platform == identity.PrivacyIDEA:
		ask.Link = shown.PrivacyIDEALink(f.engine.Base.String(), f.client.Tenant, f.User.Name, r.Now())
	default:
		ask.Link = shown.Link(f.engine.authenticatorOrigin())
	}
	return ask, nil
}

// authenticatorOrigin is where the web authenticator is.
func (e *Engine) authenticatorOrigin() string {
	if e.Authenticator != nil {
		return e.Authenticator.String()
	}
	return e.Base.String()
}

// askConfirmation shows the secret for another vendor's app.
func (f *flow) askConfirmation(ctx context.Context, r store.Reader) (Ask, error) {
	shown, err := enroll.ShownThirdParty(ctx, r, f.Journey)
	if err != nil || shown.Secret == nil {
		return AskedConfirmation{Over: true}, err
	}
	return AskedConfirmation{Link: shown.Link(f.client.Tenant.OrganisationName(), f.User.Name), Secret: shown.Typed(),
		Here: f.runsOnMobile(), Left: seconds(shown.ExpiresAt, r.Now())}, nil
}
