package journey

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// Identify takes the user name. A name that is nobody's, or a disabled user's,
// makes the journey a decoy: it goes on as it would for somebody, and cannot
// succeed.
func (e *Engine) Identify(ctx context.Context, visit Visit, v *View, typed string) (*View, error) {
	name := identity.CleanTyped(typed)
	return e.Step(ctx, visit, v, func(tx *store.Tx, v *View) error {
		j := v.Journey
		if name == "" {
			j.Notice = "error.name.empty"
			return nil
		}
		forget(j)
		j.Name = name
		u, err := tx.Users().ByName(ctx, j.Tenant, name)
		switch {
		case errors.Is(err, identity.NotFound), err == nil && !u.Enabled():
			j.Decoy = true
		case err != nil:
			return err
		default:
			j.UserID = u.ID
		}
		if j.KnownBrowser, _, err = tx.Users().KnownBrowser(ctx, j.Tenant, cmp.Or(j.UserID, nobody), j.Browser); err != nil {
			return err
		}
		fresh, err := e.gather(ctx, tx.Reader, j, v.Rules)
		if err != nil {
			return err
		}
		*v, v.kept = *fresh, true
		return evaluate(v)
	}, Identify)
}

// forget takes back all that depended on the name (JRN-3). Counters stay.
func forget(j *identity.Journey) {
	j.UserID, j.Name, j.Decoy, j.KnownBrowser, j.Refused = "", "", false, false, ""
	j.Required, j.Passed, j.Steps = nil, nil, nil
	j.Method, j.PushID, j.PushAt = "", "", time.Time{}
	j.Enroll, j.Platform, j.Reset = identity.NotEnrolling, "", identity.NotResetting
	j.Remember = identity.NotRemembered
	j.Resync.Authenticator = "" // of the one the journey may have, it was one
	// A new code may be sent no sooner than without going back.
	j.Code = identity.Code{SentAt: j.Code.SentAt, Sends: j.Code.Sends}
}

// Password checks the password. The try is counted before the hash is
// computed, in a transaction of its own, so that no crash and no number of
// parallel tries evaluates more than the limit allows. While the user is
// locked nothing is evaluated, the dummy hash takes its time, and the words are
// those of a wrong password.
func (e *Engine) Password(ctx context.Context, visit Visit, v *View, typed string) (*View, error) {
	if v.Step != AskPassword {
		return nil, stale(v)
	}
	var evaluated bool
	err := e.DB.InTx(ctx, visit.Who, func(tx *store.Tx) error {
		if err := hit(ctx, tx, visit, v, "password"); err != nil {
			return err
		}
		var err error
		evaluated, err = e.reserve(ctx, tx, v)
		return err
	})
	if err != nil {
		return nil, err
	}
	var candidate identity.User
	if evaluated {
		candidate = v.User
	}
	// What was tried counts though the browser has left or the journey moved on
	// meanwhile, by another tab or the same form once more.
	late := func(count func(tx *store.Tx) error) error {
		return e.DB.InTx(context.WithoutCancel(ctx), visit.Who, count)
	}
	right, err := e.Directory.CheckPassword(ctx, candidate, typed)
	if err != nil {
		if evaluated { // nothing was, for want of time or a sound hash
			err = errors.Join(err, late(func(tx *store.Tx) error { return e.giveBack(context.WithoutCancel(ctx), tx, v) }))
		}
		return nil, err
	}
	var hash string // of ours, in the place of one that came from elsewhere
	if right && directory.Foreign(candidate.Password) {
		if hash, err = e.Directory.HashPassword(ctx, typed); err != nil {
			return nil, errors.Join(err, late(func(tx *store.Tx) error { return e.giveBack(context.WithoutCancel(ctx), tx, v) }))
		}
	}
	after, err := e.Step(ctx, visit, v, func(tx *store.Tx, v *View) error {
		j := v.Journey
		if hash != "" { // of two logins at once one replaces it, and both go on
			if err := e.rehash(ctx, tx, candidate, hash); err != nil {
				return err
			}
		}
		if right {
			j.Passed = append(j.Passed, identity.Passed{Validation: identity.Password, Method: identity.ByPassword, At: tx.Now()})
			v.kept = true
			if err := e.recognise(ctx, tx, visit, v); err != nil {
				return err
			}
		} else {
			j.Notice = "error.login.wrong"
		}
		return e.passwordTried(ctx, tx, visit, v, evaluated, right)
	}, AskPassword)
	if err != nil {
		err = errors.Join(err, late(func(tx *store.Tx) error {
			return e.passwordTried(context.WithoutCancel(ctx), tx, visit, v, evaluated, right)
		}))
	}
	return after, err
}

// rehash puts a hash of ours in the place of an imported one, of the password that
// was just right.
func (e *Engine) rehash(ctx context.Context, tx *store.Tx, u identity.User, hash string) error {
	replaced, err := tx.Users().RehashPassword(ctx, u.Tenant, u.ID, u.Password, hash)
	if err != nil || !replaced {
		return err
	}
	return tx.Event(ctx, audit.Event{Tenant: u.Tenant, Kind: audit.UserChanged, User: u.ID, Data: map[string]string{"password": "hashed anew"}})
}

// hit counts a try of a kind from where it came, before anything is looked at: an
// address has so many in five minutes, whoever they are about.
func hit(ctx context.Context, tx *store.Tx, visit Visit, v *View, kind string) error {
	rate := store.Rate{Kind: kind, Max: int(v.Rules.Limits.PasswordTriesPerAddress), Per: 5 * time.Minute}
	return tx.Allow(ctx, v.Journey.Tenant, rate, store.Network(visit.Who.IP))
}

// passwordTried settles the count of a try: a right password gives its
// reservation back, a wrong one leaves its event and may lock.
func (e *Engine) passwordTried(ctx context.Context, tx *store.Tx, visit Visit, v *View, evaluated, right bool) error {
	if right {
		return e.giveBack(ctx, tx, v)
	}
	j := v.Journey
	err := tx.Event(ctx, audit.Event{Tenant: j.Tenant, Kind: audit.PasswordWrong, User: j.UserID, Application: j.Application,
		Journey: j.ID, Reason: wrongReason(v, evaluated), Personal: personal(j)})
	if err != nil {
		return err
	}
	return e.lockIfExceeded(ctx, tx, visit, v)
}

// wrongReason is for operators alone; the person reads the same in all cases.
func wrongReason(v *View, evaluated bool) string {
	switch {
	case v.Journey.UserID == "":
		return "no such user"
	case !evaluated:
		return "locked"
	}
	return "wrong password"
}

// reserve counts a try of a known user beforehand; see store.Tx.Reserve.
func (e *Engine) reserve(ctx context.Context, tx *store.Tx, v *View) (bool, error) {
	if v.Journey.UserID == "" {
		return false, nil
	}
	return tx.Attempts().Reserve(ctx, e.tally(v.Journey), v.Rules.Lockout.Threshold)
}

func (e *Engine) giveBack(ctx context.Context, tx *store.Tx, v *View) error {
	if v.Rules.Lockout.Threshold == 0 {
		return nil // nothing was reserved
	}
	return tx.Attempts().Refund(ctx, e.tally(v.Journey))
}

// lockIfExceeded locks the user's logins if this failure was one too many, and
// tells the user by mail (CRED-13).
func (e *Engine) lockIfExceeded(ctx context.Context, tx *store.Tx, visit Visit, v *View) error {
	j := v.Journey
	if j.UserID == "" {
		return nil
	}
	return directory.LockIfExceeded(ctx, tx, v.Rules.Lockout, e.tally(j), v.User, j.ID, origin(tx, visit, j))
}

// origin is where a journey's browser is, for mails.
func origin(tx *store.Tx, visit Visit, j *identity.Journey) templates.Origin {
	return templates.Origin{IP: visit.Who.IP, Browser: j.Fingerprint, At: tx.Now()}
}

// Choose takes a method off the page of choice. A push is sent by SendPush.
func (e *Engine) Choose(ctx context.Context, visit Visit, v *View, method identity.Method) (*View, error) {
	return e.Step(ctx, visit, v, func(tx *store.Tx, v *View) error {
		j := v.Journey
		if method != identity.ByPasscode && !slices.Contains(v.Facts.Others, method) {
			j.Notice = "error.choice.missing"
			return nil
		}
		v.rejectedHere()
		if err := e.dropPush(ctx, tx, j); err != nil {
			return err
		}
		j.Method, v.kept = method, true
		return nil
	}, Choose, WaitForPush, PushOver, AskPasscode, AskPasskey, AskChallenge, AskRecoveryCode)
}

// Passcode checks a typed passcode: counted, checked and recorded in one
// transaction. Wrong, reused and locked get the same words.
func (e *Engine) Passcode(ctx context.Context, visit Visit, v *View, typed string) (*View, error) {
	return e.Step(ctx, visit, v, func(tx *store.Tx, v *View) error {
		j := v.Journey
		code := otp.Canonical(typed)
		if could, err := couldBe(ctx, tx, j.Tenant, code); err != nil {
			return err
		} else if !could {
			j.Notice = "error.passcode.format" // a slip of the hand, not a try
			return nil
		}
		if err := hit(ctx, tx, visit, v, "passcode"); err != nil {
			return err
		}
		// An approval with a passcode from the outer window is completed by the
		// next one of that authenticator, where no other passcode would count too.
		evaluate, first := false, v.resync(tx.Now())
		if v.Codes || first.Authenticator != "" {
			var err error
			if evaluate, err = e.reserve(ctx, tx, v); err != nil {
				return err
			}
		}
		if evaluate {
			result, err := authenticator.Check(ctx, tx, authenticator.Attempt{Tenant: j.Tenant, User: j.UserID,
				Application: j.Application, Journey: j.ID, Typed: code, Rules: v.Rules.Lockout, PIN: v.Rules.PIN,
				From: origin(tx, visit, j), First: first, FirstAlone: !v.Codes, Last: !j.Resync.Until.IsZero()})
			if err != nil {
				return err
			}
			if result.OK {
				j.Passed = append(j.Passed, identity.Passed{Validation: identity.SecondFactor, Method: identity.ByPasscode,
					Authenticator: result.Authenticator.ID, At: tx.Now()})
				v.kept = true
				return e.giveBack(ctx, tx, v)
			}
			if result.Reason == authenticator.TooFar { // right, and no try at guessing
				j.Resync, j.Notice, v.kept = result.First, "notice.passcode.next", true
				return e.giveBack(ctx, tx, v)
			}
			if result.Reason == authenticator.Paused { // nothing was looked at
				j.Notice = "error.passcode.wrong"
				if j.Proved() {
					j.Notice = "error.passcode.paused"
				}
				return e.giveBack(ctx, tx, v)
			}
			v.missed(tx.Now())
		} else {
			err := tx.Event(ctx, audit.Event{Tenant: j.Tenant, Kind: audit.PasscodeWrong, User: j.UserID, Application: j.Application,
				Journey: j.ID, Reason: unevaluated(v), Personal: personal(j)})
			if err != nil {
				return err
			}
		}
		j.Notice = "error.passcode.wrong"
		return e.lockIfExceeded(ctx, tx, visit, v)
	}, AskPasscode, AskNextPasscode)
}

// couldBe reports whether a passcode could be typed like this: digits, and no more
// of them than a passcode has with the PIN beside it, where anybody of the tenant
// has one that is typed. Whose name it is makes no difference.
func couldBe(ctx context.Context, tx *store.Tx, tenant, code string) (bool, error) {
	switch {
	case len(code) < 6 || len(code) > 8+policy.MaxServerPIN || strings.Trim(code, "0123456789") != "":
		return false, nil
	case len(code) <= 8:
		return true, nil
	}
	return tx.ServerPINs().InUse(ctx, tenant)
}

// unevaluated is why a passcode was not looked at, for operators alone.
func unevaluated(v *View) string {
	switch {
	case v.Journey.UserID == "":
		return "no such user"
	case !v.Codes:
		return "codes refused"
	}
	return "user locked"
}

// Back goes one page back: from a method to the choice, from there, or from the
// only method there is, to another user name. Self-provisioning has its own way
// back. What depended on what was left must be passed anew (JRN-3).
func (e *Engine) Back(ctx context.Context, visit Visit, v *View) (*View, error) {
	return e.step(ctx, visit, v.Journey.Tenant, v.Journey.ID, v.Journey.Version, func(tx *store.Tx, v *View) error {
		j := v.Journey
		if !j.Login() {
			return stale(v) // it is for one user, and nothing lies before it
		}
		v.rejectedHere()
		if err := e.dropPush(ctx, tx, j); err != nil {
			return err
		}
		switch {
		case v.Step == WaitForPush, v.Step == PushOver, v.Step == AskNextPasscode, v.Step == AskPasscode && j.Method != "",
			slices.Contains(v.Facts.Others, j.Method):
			v.dropResync(tx.Now())
			j.Method, j.PushID = "", ""
		case v.Step == AskResetCode:
			j.Reset = identity.NotResetting
		case v.Step == EnrollNoMail:
			j.Enroll = identity.NotEnrolling
		default:
			forget(j)
		}
		return nil
	})
}

// SetLanguage keeps the language picked on a page of the journey, for the mails
// and pages that follow. It changes nothing else.
func (e *Engine) SetLanguage(ctx context.Context, visit Visit, v *View, language string) (*View, error) {
	return e.step(ctx, visit, v.Journey.Tenant, v.Journey.ID, v.Journey.Version, func(tx *store.Tx, v *View) error {
		v.Journey.Language = language
		if !v.Journey.Has(identity.Password) {
			return nil // nobody's own until somebody proved to be it
		}
		return tx.Users().SetLanguage(ctx, v.Journey.Tenant, v.Journey.UserID, language)
	})
}
