package journey

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// identify takes the user name. A name that is nobody's, or a disabled user's,
// makes the journey a decoy: it goes on as it would for somebody, and cannot
// succeed.
func (f *flow) identify(ctx context.Context, tx *store.Tx, in EnterName) error {
	j, name := f.Journey, identity.CleanTyped(in.Name)
	if name == "" {
		j.Notice = "error.name.empty"
		return nil
	}
	forget(j)
	j.Name = name
	u, found, err := tx.Users().ByNameOrStandIn(ctx, j.Tenant, name, !f.client.Tenant.NoMailNames)
	switch {
	case err != nil && !errors.Is(err, identity.NotFound):
		return err
	case err != nil || !found || !u.Enabled():
		j.Decoy, j.StandIn = true, u.ID
	default:
		j.UserID = u.ID
	}
	if err := f.anchor(ctx, tx); err != nil {
		return err
	}
	if err := f.identified(ctx, tx); err != nil {
		return err
	}
	// Naming somebody of whom less is required writes as many rows (T-LOG-02).
	required := f.Journey.Required
	f.Journey.Spared = slices.DeleteFunc(f.Rules.Access.RequiresOfAnybody(j.Application, addressOf(j)), func(v identity.Validation) bool {
		return slices.Contains(required, v)
	})
	return nil
}

// anchor makes the browser as it is now the one in which the journey's failures
// count, from this name on. It may not be the one the journey began in: of two
// begun at once in a browser without cookies, the later answer's cookie stayed.
// Afterwards it cannot change, or failures would be counted where nobody looks.
func (f *flow) anchor(ctx context.Context, tx *store.Tx) (err error) {
	j := f.Journey
	j.Browser = cmp.Or(f.client.Browser, j.Browser)
	j.KnownBrowser, _, err = tx.Users().KnownBrowser(ctx, j.Tenant, cmp.Or(j.UserID, nobody), j.Browser)
	return err
}

// identified loads whom the journey is about from now on, and fixes what it
// requires.
func (f *flow) identified(ctx context.Context, tx *store.Tx) error {
	fresh, err := f.engine.loadUnder(ctx, tx.Reader, f.client, f.Journey, f.Rules)
	if err != nil {
		return err
	}
	*f, f.unchanged = *fresh, true
	return f.require()
}

// forget takes back everything that depended on the name (JRN-3). Counters stay.
func forget(j *identity.Journey) {
	j.UserID, j.Name, j.Decoy, j.StandIn, j.KnownBrowser, j.Refused = "", "", false, "", false, ""
	j.Required, j.Spared, j.Passed, j.Steps = nil, nil, nil, nil
	j.Method, j.PushID, j.PushAt = "", "", time.Time{}
	j.Enroll, j.Platform, j.Reset = identity.NotEnrolling, "", identity.NotResetting
	j.Remember = identity.NotRemembered
	j.Resync.Authenticator = "" // a journey has one resynchronisation, and it was had
	// A new code may be sent no sooner than without going back.
	j.Code = identity.Code{SentAt: j.Code.SentAt, Sends: j.Code.Sends}
}

// require fixes what the journey requires (JRN-15), from the policy as it stands
// now. A password is asked of every name if any rule of the application asks
// anybody for one; the person's own rules are looked at afterwards (JRN-10).
func (f *flow) require() error {
	j, access, address := f.Journey, f.Rules.Access, addressOf(f.Journey)
	need, reachable := f.Rules.asked(j.ACR)
	if !reachable {
		return &identity.Error{Kind: identity.Invalid, Key: "error.request.invalid", Err: fmt.Errorf("no authentication context of %v can be reached", j.ACR)}
	}
	if access.AsksPassword(j.Application, address) {
		need = append(need, identity.Password)
	}
	j.Remember = identity.NotRemembered
	j.Refused, j.Steps, j.Policy = "", nil, f.Rules.AccessVersion
	if j.UserID == "" {
		if access.AsksSecondFactor(j.Application, address) {
			need = append(need, identity.SecondFactor)
		}
	} else {
		d := access.Decide(policy.Subject{Groups: f.Groups, Application: j.Application, Address: address})
		if d.Deny {
			// Said once something was proved; until then all is as for others.
			j.Refused = string(ReasonPolicy)
			if access.AsksSecondFactor(j.Application, address) {
				need = append(need, identity.SecondFactor)
			}
		}
		need = append(need, d.Require...)
		j.Steps, j.Remember = slices.Clone(d.Steps), allowRemembered(d)
		if d.MaxAge > 0 {
			if after := j.StartedAt.Add(-atMostSeconds(d.MaxAge)); after.After(j.FreshAfter) {
				j.FreshAfter = after
			}
		}
	}
	j.Required = nil
	for _, validation := range []identity.Validation{identity.Password, identity.SecondFactor, identity.VerifiedPasskey} {
		if slices.Contains(need, validation) {
			j.Required = append(j.Required, validation)
		}
	}
	if len(j.Required) == 0 {
		// A rule denies it to everybody here. Nobody passes without proof.
		j.Required = []identity.Validation{identity.Password}
	}
	return nil
}
