package journey

import (
	"context"
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// newerSession reports whether the client's session proved something since the journey
// began that the journey still asks for, as when the person finished a sign-in in
// another tab (JRN-8). A journey that asks for a fresh sign-in, and one for another
// user, gain nothing by it.
func newerSession(c Client, j *identity.Journey, want Request) bool {
	s := c.Session
	return s.ID != "" && j.Login() && j.EndedAt.IsZero() && !want.ForceLogin && j.Reset == identity.NotResetting &&
		(j.Name == "" || j.UserID == s.UserID) &&
		slices.ContainsFunc(s.Passed, func(p identity.CompletedFactor) bool {
			asked := len(j.Required) == 0 || slices.Contains(j.Missing(), p.Validation)
			return asked && !p.At.Before(j.StartedAt) && !p.At.Before(j.FreshAfter)
		})
}

// canUseSession reports whether the journey could go on with the newer session of its
// client. One that is refused could not: after *it wasn't me* the attempt is over (PUSH-14).
func (f *flow) canUseSession() bool {
	return !f.at(Ended, Refused) && newerSession(f.client, f.Journey, f.request)
}

// usesSession reports whether an input goes on with the newer session of its client
// instead of what it would do else. A name that was typed must be that session's: who
// types another one stays where they are.
func (f *flow) usesSession(ctx context.Context, r store.Reader, in Input) (bool, error) {
	if !f.canUseSession() {
		return false, nil
	}
	switch in := in.(type) {
	case Cancel, GoBack, PickLanguage, ForgotPassword:
		return false, nil
	case EnterName:
		u, err := r.Users().Get(ctx, f.Journey.Tenant, f.client.Session.UserID)
		typed := identity.CleanTyped(in.Name)
		mail := identity.FoldMailAddress(typed)
		return err == nil && (identity.FoldName(typed) == identity.FoldName(u.Name) ||
			!f.client.Tenant.NoMailNames && mail != "" && mail == identity.FoldMailAddress(u.Mail)), err
	}
	return true, nil
}

// joinSession takes over what the client's session proved since the journey began. It
// counts as if the journey had begun with that session, so that what was taken over
// goes when the session ends (T-LOG-27).
func (f *flow) joinSession(ctx context.Context, tx *store.Tx) error {
	if err := f.cancelPush(ctx, tx); err != nil {
		return err
	}
	j := f.Journey
	if j.UserID == "" {
		u, err := tx.Users().Get(ctx, j.Tenant, f.client.Session.UserID)
		if err != nil {
			return err
		}
		j.UserID, j.Name, j.KnownBrowser = u.ID, u.Name, true
		if err := f.identified(ctx, tx); err != nil {
			return err
		}
	}
	f.dropResync(tx.Now())
	j.Method, j.PushID, j.Enroll = "", "", identity.NotEnrolling
	own := len(j.Passed) > 0
	j.StartedAt = tx.Now()
	if err := f.takePassed(ctx, tx.Reader); err != nil {
		return err
	}
	f.joined = !own && len(j.Missing()) == 0
	return nil
}

// takePassed takes over from the client's session what counts in the journey.
func (f *flow) takePassed(ctx context.Context, r store.Reader) error {
	j := f.Journey
	for _, p := range f.client.Session.Passed {
		if j.Has(p.Validation) || staleFactor(f.request, p, r.Now()) {
			continue
		}
		counts, err := f.counts(ctx, r, p)
		if err != nil {
			return err
		}
		if counts {
			j.Passed = append(j.Passed, p)
		}
	}
	return nil
}

// namedBySession is the name of the person whose newer session the journey could go
// on with; empty where there is none.
func (f *flow) namedBySession(ctx context.Context, r store.Reader) (string, error) {
	if !f.canUseSession() {
		return "", nil
	}
	u, err := r.Users().Get(ctx, f.Journey.Tenant, f.client.Session.UserID)
	return u.Name, err
}
