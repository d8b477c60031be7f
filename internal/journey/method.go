package journey

import (
	"context"
	"fmt"
	"slices"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// choosing are the steps at which a method may be chosen: the page of choice, and
// every page of a method, from which one goes to another.
var choosing = []Step{Choose, WaitForPush, PushOver, AskPasscode, AskNextPasscode, AskPasskey, AskChallenge, AskRecoveryCode}

// chooseMethod takes a method off the page of choice. A push is sent at once;
// self-provisioning begins with its mailed code.
func (f *flow) chooseMethod(ctx context.Context, tx *store.Tx, in ChooseMethod) error {
	if !f.at(choosing...) {
		return errNotHere
	}
	switch {
	case in.Method == identity.ByPush:
		return f.sendPush(ctx, tx)
	case in.Method == MethodEnroll && f.Step == Choose && f.Journey.Reset == identity.NotResetting:
		return f.sendEnrollmentCode(ctx, tx)
	case in.Method != identity.ByPasscode && !slices.Contains(f.Facts.OtherMethods, in.Method):
		f.Journey.Notice = "error.choice.missing"
		return nil
	}
	if err := f.cancelPush(ctx, tx); err != nil {
		return err
	}
	f.Journey.Method, f.unchanged = in.Method, true
	return nil
}

// goBack goes one page back: from a method to the choice; from there, or from the
// only method there is, to another user name; in self-provisioning, from what was
// issued to the choice of platform, and from there out of it. What depended on
// what was left must be passed anew (JRN-3).
func (f *flow) goBack(ctx context.Context, tx *store.Tx) error {
	j := f.Journey
	if f.at(EnrollCode, EnrollPlatform, EnrollScan, EnrollThirdParty) {
		return f.leaveEnrollment(ctx, tx)
	}
	if !j.Login() {
		return errNotHere // it is for one user, and nothing lies before it
	}
	if f.Reason == ReasonRejected {
		return errNotHere // and no other name is tried in this attempt
	}
	if err := f.cancelPush(ctx, tx); err != nil {
		return err
	}
	switch {
	case f.at(WaitForPush, PushOver, AskNextPasscode), f.at(AskPasscode) && j.Method != "",
		slices.Contains(f.Facts.OtherMethods, j.Method):
		f.dropResync(tx.Now())
		j.Method, j.PushID = "", ""
	case f.at(AskResetCode):
		j.Reset = identity.NotResetting
	case f.at(EnrollNoMail):
		j.Enroll = identity.NotEnrolling
	default:
		forget(j)
	}
	return nil
}

// cancel ends the journey because the person left it. One that could not go on
// anyway was refused.
func (f *flow) cancel(ctx context.Context, tx *store.Tx) error {
	kind, outcome, reason := audit.LoginCancelled, identity.Cancelled, ""
	switch j := f.Journey; {
	case j.Invitation != "":
		kind = audit.EnrollInvitationLeft
	case j.Adding:
		kind = audit.EnrollFurtherLeft
	}
	if f.at(Refused, Locked, PushLocked, AppTooOld) {
		kind, outcome, reason = audit.LoginDenied, identity.Denied, string(f.Reason)
	}
	return f.end(ctx, tx, outcome, kind, reason)
}

// end ends the journey without a success.
func (f *flow) end(ctx context.Context, tx *store.Tx, outcome identity.Outcome, kind audit.Kind, reason string) error {
	j := f.Journey
	if err := f.cancelPush(ctx, tx); err != nil {
		return err
	}
	j.EndedAt, j.Outcome = tx.Now(), outcome
	err := tx.Event(ctx, audit.Event{Tenant: j.Tenant, Kind: kind, User: j.UserID, Application: j.Application,
		Journey: j.ID, Reason: reason, Personal: personal(j)})
	if err != nil {
		return fmt.Errorf("journey: end %s: %w", j.ID, err)
	}
	return nil
}

// pickLanguage keeps the language picked on a page of the journey, for the mails
// and pages that follow. It changes nothing else.
func (f *flow) pickLanguage(ctx context.Context, tx *store.Tx, in PickLanguage) error {
	f.Journey.Language = f.engine.Catalog.Negotiate(in.Language, "", "", "").Lang()
	if !f.Journey.Has(identity.Password) {
		return nil // nobody's own until somebody proved to be it
	}
	return tx.Users().SetLanguage(ctx, f.Journey.Tenant, f.Journey.UserID, f.Journey.Language)
}

// language is the one to speak to the person in: picked in this journey, kept on
// the user once a password was proved, or as the client asks (ENR-13).
func (f *flow) language() string {
	picked := f.Journey.Language
	if picked == "" && f.Journey.Has(identity.Password) {
		picked = f.User.Language
	}
	if picked == "" {
		picked = f.client.Picked
	}
	return f.engine.Catalog.Negotiate(picked, f.request.UILocales, f.client.Accept, f.client.Tenant.Language).Lang()
}
