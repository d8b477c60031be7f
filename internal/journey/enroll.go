package journey

import (
	"context"
	"errors"
	"slices"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// enrollment are the documents of these that self-provisioning goes by.
func (r Rules) enrollment() enroll.Rules {
	return enroll.Rules{Limits: r.Limits, SelfProvisioning: r.SelfProvisioning, Platforms: r.Platforms,
		Template: r.Template, Templates: r.Templates}
}

// noticeThrottled makes a limit of self-provisioning something that the same page
// says, instead of an error of its own.
func (f *flow) noticeThrottled(err error) error {
	if refused, ok := errors.AsType[*identity.Error](err); ok && refused.Kind == identity.Throttled {
		f.Journey.Notice = refused.Key
		return nil
	}
	return err
}

// sendEnrollmentCode mails the verification code, if there is somebody to mail it
// to who may enrol; the page does not tell (ENR-4).
func (f *flow) sendEnrollmentCode(ctx context.Context, tx *store.Tx) error {
	var user *identity.User
	if f.Facts.MayEnroll {
		user = &f.User
	}
	return f.noticeThrottled(enroll.SendCode(ctx, tx, f.Journey, user, f.Rules.enrollment(), f.language()))
}

// enterEnrollmentCode takes the verification code.
func (f *flow) enterEnrollmentCode(ctx context.Context, tx *store.Tx, in EnterMailCode) (err error) {
	f.Journey.Notice, err = enroll.CheckCode(ctx, tx, f.Journey, in.Code, f.Rules.enrollment())
	return f.noticeThrottled(err)
}

// choosePlatform takes a row of the choice of platform, of which another vendor's
// app is one.
func (f *flow) choosePlatform(ctx context.Context, tx *store.Tx, platform identity.Platform) (err error) {
	j, rules := f.Journey, f.Rules.enrollment()
	switch {
	case platform == identity.ThirdParty && f.Rules.AllowsThirdParty(f.Groups):
		j.Notice, err = enroll.ChooseThirdParty(ctx, tx, j, f.User, rules, f.language())
	case platform == identity.PrivacyIDEA && !f.Rules.AllowsPrivacyIDEA(f.Groups):
		j.Notice = "error.platform.missing" // of no use to this user
	default:
		j.Notice, err = enroll.ChoosePlatform(ctx, tx, j, f.User, platform, rules, f.language())
	}
	return f.noticeThrottled(err)
}

// platforms are the rows of the choice of platform.
func (f *flow) platforms() []PlatformChoice {
	own := policy.PlatformsOfBrowser(f.client.UserAgent, f.client.Platform)
	offer := f.Rules.Platforms.Offer(f.client.UserAgent, f.client.Platform)
	var rows []PlatformChoice
	for _, p := range slices.Concat(offer.Mobile, offer.Computer) {
		rows = append(rows, PlatformChoice{Platform: p, Here: len(own) == 1 && own[0] == p, Picked: p == offer.Preselected})
	}
	if f.Rules.AllowsPrivacyIDEA(f.Groups) {
		rows = append(rows, PlatformChoice{Platform: identity.PrivacyIDEA})
	}
	if f.Rules.AllowsThirdParty(f.Groups) {
		rows = append(rows, PlatformChoice{Platform: identity.ThirdParty})
	}
	return rows
}

// onlyPlatform returns the one platform there is to choose where none was chosen
// yet: a page would ask nothing (ENR-7).
func (f *flow) onlyPlatform() (identity.Platform, bool) {
	if f.Step != EnrollPlatform || f.Journey.Platform != "" {
		return "", false
	}
	rows := f.platforms()
	if len(rows) != 1 {
		return "", false
	}
	return rows[0].Platform, true
}

// runsHere reports whether the client may be the device on which an app of the
// platform runs.
func (f *flow) runsHere(platform identity.Platform) bool {
	return slices.Contains(policy.PlatformsOfBrowser(f.client.UserAgent, f.client.Platform), platform)
}

// runsOnMobile reports whether the client may be a phone or a tablet.
func (f *flow) runsOnMobile() bool {
	return slices.ContainsFunc(policy.PlatformsOfBrowser(f.client.UserAgent, f.client.Platform), identity.Platform.Mobile)
}

// renewActivation issues another activation in place of the one that was shown.
func (f *flow) renewActivation(ctx context.Context, tx *store.Tx) error {
	return f.noticeThrottled(enroll.Issue(ctx, tx, f.Journey, f.User, f.Rules.enrollment(), f.language()))
}

// renewThirdParty issues another secret for another vendor's app.
func (f *flow) renewThirdParty(ctx context.Context, tx *store.Tx) error {
	return f.noticeThrottled(enroll.IssueThirdParty(ctx, tx, f.Journey, f.User, f.Rules.enrollment(), f.language()))
}

// confirmThirdParty takes the passcode that proves that another vendor's app is
// set up (ENR-12).
func (f *flow) confirmThirdParty(ctx context.Context, tx *store.Tx, in EnterPasscode) error {
	name := f.engine.Catalog.Negotiate(f.language(), "", "", "").T("enroll.third.name")
	problem, err := enroll.ConfirmThirdParty(ctx, tx, f.Journey, f.User, in.Passcode, name)
	if problem != "" {
		f.Journey.Notice = problem
	}
	return f.noticeThrottled(err)
}

// leaveNewAuthenticator ends self-provisioning with the first thing that is done after
// the authenticator is ready. Until then each page says that it is.
func (f *flow) leaveNewAuthenticator(in Input) {
	_, language := in.(PickLanguage)
	if j := f.Journey; j.Enroll == identity.EnrollScan && j.Login() && f.Step != EnrollScan && !language {
		j.Enroll = identity.NotEnrolling
	}
}

// leaveEnrollment goes back from the code or the platform to before them, and from
// what was issued to the choice of platform.
func (f *flow) leaveEnrollment(ctx context.Context, tx *store.Tx) error {
	if f.at(EnrollScan, EnrollThirdParty) {
		f.Journey.Enroll = identity.EnrollPlatform
		return nil
	}
	return enroll.Cancel(ctx, tx, f.Journey)
}
