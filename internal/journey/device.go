package journey

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A Device is a remembered device as the browser is to keep it (JRN-9).
type Device struct {
	Cookie store.DeviceCookie
	Life   time.Duration
}

// rememberingSteps are the steps at which a second factor is given, and beside it
// whether to remember the device.
var rememberingSteps = []Step{Choose, WaitForPush, AskPasscode, AskNextPasscode, AskPasskey, AskChallenge}

// offersRemember reports whether the page asks if this device shall be
// remembered. Before a password was typed in this journey it does not: whether it
// may be remembered depends on the user.
func (f *flow) offersRemember() bool {
	return f.Journey.Remember != identity.NotRemembered && passwordTyped(f.Journey) && f.at(rememberingSteps...)
}

// passwordTyped reports whether the password was typed in this journey.
func passwordTyped(j *identity.Journey) bool {
	return slices.ContainsFunc(j.Passed, func(p identity.CompletedFactor) bool {
		return p.Validation == identity.Password && p.Method == identity.ByPassword && !p.At.Before(j.StartedAt)
	})
}

// setRemember notes whether the person asked to be remembered beside an input.
func (f *flow) setRemember(in Input) {
	beside, ok := in.(interface{ remember() *bool })
	if !ok || beside.remember() == nil || !f.offersRemember() {
		return
	}
	f.Journey.Remember = identity.MayRemember
	if *beside.remember() {
		f.Journey.Remember = identity.WillRemember
	}
}

// mayRecognise reports whether a remembered device may stand for the second factor
// now: where the rule that decided allows it, the application asks for no second
// factor, the password was given and nothing else is missing. It lets nobody in
// whom a passcode would not let in, nor anybody who has no authenticator that
// could have been used before (ENR-1).
func (f *flow) mayRecognise(now time.Time) bool {
	j, facts := f.Journey, f.Facts
	return j.Remember != identity.NotRemembered && !f.Rules.asksFactor(j.ACR) &&
		j.Has(identity.Password) && slices.Equal(j.Missing(), []identity.Validation{identity.SecondFactor}) &&
		j.Refused == "" && !facts.Disabled && facts.Assigned > 0 && !now.Before(facts.LockedUntil)
}

// recognise counts the device whose cookie the browser sent. The cookie alone
// grants nothing: it is checked after the password, for the same user, in the same
// browser, and replaced in this transaction. One that was replaced before is a
// copy: the device is forgotten and the user told (T-LOG-26); the login goes on as
// without it.
func (f *flow) recognise(ctx context.Context, tx *store.Tx) error {
	if f.client.Device.ID == "" || !f.mayRecognise(tx.Now()) {
		return nil
	}
	j := f.Journey
	verdict, err := tx.Devices().Use(ctx, store.DeviceUse{Tenant: j.Tenant, User: j.UserID, Browser: j.Browser, Agent: j.Fingerprint, IP: j.IP,
		Cookie: f.client.Device, ProvedAfter: j.FreshAfter})
	switch {
	case err != nil:
		return err
	case verdict.Stolen:
		return directory.ReportStolenDevice(ctx, tx, f.User, verdict.Device, f.origin(tx))
	case verdict.Counts:
		j.Passed = append(j.Passed, identity.CompletedFactor{Validation: identity.SecondFactor, Method: identity.ByRememberedDevice,
			Authenticator: verdict.Device.ID, At: tx.Now()})
		f.recognised, f.device = true, Device{verdict.Cookie, verdict.Device.ExpiresAt.Sub(tx.Now())}
		return tx.Event(ctx, audit.Event{Tenant: j.Tenant, Kind: audit.DeviceRight, User: j.UserID, Application: j.Application, Journey: j.ID,
			Data: map[string]string{"device": verdict.Device.ID}, Personal: personal(j)})
	}
	return nil
}

// stillCounts reports whether the remembered device that stood for the second
// factor in a session would do so here and now: it may have been forgotten since,
// and this application may want more than the one it stood for.
func (f *flow) stillCounts(ctx context.Context, r store.Reader, p identity.CompletedFactor) (bool, error) {
	j := f.Journey
	if j.Remember == identity.NotRemembered || f.Rules.asksFactor(j.ACR) || f.Facts.Assigned == 0 {
		return false, nil
	}
	d, err := r.Devices().Get(ctx, j.Tenant, p.Authenticator)
	if errors.Is(err, identity.NotFound) {
		return false, nil
	}
	return d.ValidAt(r.Now()) && d.User == j.UserID && d.Browser == j.Browser && !d.CreatedAt.Before(j.FreshAfter), err
}

// remember makes this browser a remembered device, if the person asked for that.
// It could be asked where a second factor followed a password typed in this
// journey, and nowhere else (setRemember): a session's older proof remembers no
// device, and neither does a device that counted. The second factor must have come
// from an authenticator: a recovery code, or a temporary passcode that somebody
// talked the help desk into, is good for one login and not for thirty days of them.
func (e *Engine) remember(ctx context.Context, tx *store.Tx, f *flow) (Device, error) {
	j := f.Journey
	held := slices.ContainsFunc(j.Passed, func(p identity.CompletedFactor) bool {
		return p.Validation == identity.SecondFactor && p.Method != identity.ByRememberedDevice && p.Authenticator != ""
	})
	if j.Remember != identity.WillRemember || !held {
		return f.device, nil
	}
	rules := f.Rules.Devices
	d := identity.RememberedDevice{Tenant: j.Tenant, ID: identity.NewID(identity.DeviceID), User: j.UserID, Browser: j.Browser,
		Agent: j.Fingerprint, IP: j.IP, CreatedAt: tx.Now(), UsedAt: tx.Now(), Idle: rules.Idle(), ExpiresAt: tx.Now().Add(rules.Lifetime())}
	cookie, err := tx.Devices().Remember(ctx, d)
	if err != nil {
		return Device{}, err
	}
	err = tx.Event(ctx, audit.Event{Tenant: j.Tenant, Kind: audit.DeviceAdded, User: j.UserID, Application: j.Application, Journey: j.ID,
		Data: map[string]string{"device": d.ID, "until": d.ExpiresAt.UTC().Format(time.RFC3339)}, Personal: map[string]string{"browser": d.Agent}})
	if err != nil {
		return Device{}, err
	}
	return Device{cookie, rules.Lifetime()}, directory.NotifyDeviceRemembered(ctx, tx, f.User, d)
}

// allowRemembered is what the rule that decided says of remembered devices.
func allowRemembered(d policy.Decision) identity.Remember {
	if d.Remember && !d.Deny {
		return identity.MayRemember
	}
	return identity.NotRemembered
}
