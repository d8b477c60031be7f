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
	"github.com/latchkey-id/latchkey/templates"
)

// A Device is a remembered device as the browser shall keep it (JRN-9).
type Device struct {
	Cookie store.DeviceCookie
	Life   time.Duration
}

// given are the steps at which a second factor is given, and beside it whether to
// remember the device.
var given = []Step{Choose, WaitForPush, AskPasscode, AskNextPasscode, AskPasskey, AskChallenge}

// OffersRemember reports whether the page asks if this device shall be
// remembered. Before a password was typed in this journey it does not: who may,
// depends on the user.
func (v *View) OffersRemember() bool {
	return v.Journey.Remember != identity.NotRemembered && typed(v.Journey) && slices.Contains(given, v.Step)
}

// typed reports whether the password was typed in this journey.
func typed(j *identity.Journey) bool {
	return slices.ContainsFunc(j.Passed, func(p identity.Passed) bool {
		return p.Validation == identity.Password && p.Method == identity.ByPassword && !p.At.Before(j.StartedAt)
	})
}

// tick notes what the page's box said.
func (v *View) tick(box *bool) {
	if box == nil || !v.OffersRemember() {
		return
	}
	v.Journey.Remember = identity.MayRemember
	if *box {
		v.Journey.Remember = identity.WillRemember
	}
}

// mayRecognise reports whether a remembered device may stand for the one-time
// password now: where the rule that decided allows it, the application asks for
// no second factor, and the password was given and nothing else is missing. It
// lets nobody in whom a passcode would not let in, nor who holds no authenticator
// to have shown any (ENR-1).
func (v *View) mayRecognise(now time.Time) bool {
	j, f := v.Journey, v.Facts
	return j.Remember != identity.NotRemembered && !v.Rules.asksFactor(j.ACR) &&
		j.Has(identity.Password) && slices.Equal(j.Missing(), []identity.Validation{identity.SecondFactor}) &&
		j.Refused == "" && !f.Disabled && f.Assigned > 0 && !now.Before(f.LockedUntil)
}

// recognise lets the device count whose cookie the browser brought. The cookie
// alone grants nothing: it is looked at after the password, of the same user, in
// the same browser, and replaced in this transaction. One that was replaced
// before is a copy: the device is forgotten and the user told (T-LOG-26); the
// login goes on as without it.
func (e *Engine) recognise(ctx context.Context, tx *store.Tx, visit Visit, v *View) error {
	if visit.Device.ID == "" || !v.mayRecognise(tx.Now()) {
		return nil
	}
	j := v.Journey
	verdict, err := tx.Devices().Use(ctx, store.DeviceUse{Tenant: j.Tenant, User: j.UserID, Browser: j.Browser, Agent: j.Fingerprint, IP: j.IP,
		Cookie: visit.Device, ProvedAfter: j.FreshAfter})
	switch {
	case err != nil:
		return err
	case verdict.Stolen:
		return directory.DeviceStolen(ctx, tx, v.User, verdict.Device, templates.Origin{IP: visit.Who.IP, Browser: j.Fingerprint, At: tx.Now()})
	case verdict.Counts:
		j.Passed = append(j.Passed, identity.Passed{Validation: identity.SecondFactor, Method: identity.ByRememberedDevice,
			Authenticator: verdict.Device.ID, At: tx.Now()})
		v.recognised, v.device = true, Device{verdict.Cookie, verdict.Device.ExpiresAt.Sub(tx.Now())}
	}
	return nil
}

// stillCounts reports whether the remembered device that passed for the one-time
// password in a session would here and now: it may have been forgotten since, and
// this application may want more than the one it passed for.
func (v *View) stillCounts(ctx context.Context, r store.Reader, p identity.Passed) (bool, error) {
	j := v.Journey
	if j.Remember == identity.NotRemembered || v.Rules.asksFactor(j.ACR) || v.Facts.Assigned == 0 {
		return false, nil
	}
	d, err := r.Devices().Get(ctx, j.Tenant, p.Authenticator)
	if errors.Is(err, identity.NotFound) {
		return false, nil
	}
	return d.Counts(r.Now()) && d.User == j.UserID && d.Browser == j.Browser && !d.CreatedAt.Before(j.FreshAfter), err
}

// remember makes this browser a remembered device, if that was ticked. It could be
// where a second factor was asked for after a password typed in this journey, and
// nowhere else (tick): a session's older proof remembers no device, and neither
// does a device that counted. The second factor must have come from an
// authenticator: a recovery code, or a temporary passcode that somebody talked the
// help desk into, is good for one login and not for thirty days of them.
func (e *Engine) remember(ctx context.Context, tx *store.Tx, v *View) (Device, error) {
	j := v.Journey
	held := slices.ContainsFunc(j.Passed, func(p identity.Passed) bool {
		return p.Validation == identity.SecondFactor && p.Method != identity.ByRememberedDevice && p.Authenticator != ""
	})
	if j.Remember != identity.WillRemember || !held {
		return v.device, nil
	}
	rules := v.Rules.Devices
	d := identity.RememberedDevice{Tenant: j.Tenant, ID: identity.NewID(identity.DeviceID), User: j.UserID, Browser: j.Browser,
		Agent: j.Fingerprint, IP: j.IP, CreatedAt: tx.Now(), UsedAt: tx.Now(), Idle: rules.Idle(), ExpiresAt: tx.Now().Add(rules.Life())}
	cookie, err := tx.Devices().Remember(ctx, d)
	if err != nil {
		return Device{}, err
	}
	err = tx.Event(ctx, audit.Event{Tenant: j.Tenant, Kind: audit.DeviceAdded, User: j.UserID, Application: j.Application, Journey: j.ID,
		Data: map[string]string{"device": d.ID, "until": d.ExpiresAt.UTC().Format(time.RFC3339)}, Personal: map[string]string{"browser": d.Agent}})
	if err != nil {
		return Device{}, err
	}
	return Device{cookie, rules.Life()}, directory.TellDeviceRemembered(ctx, tx, v.User, d)
}

// RememberDays is for how many days a device would be remembered.
func (v *View) RememberDays() int { return int(v.Rules.Devices.Days) }

// allowRemembered is what the rule that decided says of remembered devices.
func allowRemembered(d policy.Decision) identity.Remember {
	if d.Remember && !d.Deny {
		return identity.MayRemember
	}
	return identity.NotRemembered
}
