package journey

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// enterPassword checks the password. The try is counted before the hash is
// computed, in a transaction of its own, so that no crash and no number of
// parallel tries evaluates more than the limit allows. While the user is locked
// nothing is evaluated, the dummy hash takes its time, and the words are those of
// a wrong password.
func (t *taking) enterPassword(ctx context.Context, in EnterPassword) (*Prompt, error) {
	f, err := t.engine.load(ctx, t.engine.DB.Reader, t.client, t.journey)
	if err != nil {
		return nil, err
	}
	if !f.at(AskPassword) || !f.fits(t.state, in) {
		return f.stale(ctx, t.engine.DB.Reader)
	}
	if err := f.checkAddress(ctx, t.engine.DB.Reader, "password"); err != nil {
		return nil, err
	}
	slot, err := t.engine.Directory.AcquireHashSlot(ctx)
	if err != nil {
		return nil, err
	}
	defer slot.Release()
	try := passwordTry{flow: f}
	if err := t.engine.DB.InTx(ctx, t.client.Who, func(tx *store.Tx) error { return try.count(ctx, tx) }); err != nil {
		return nil, err
	}
	if err := try.check(ctx, slot, in.Password); err != nil {
		return nil, errors.Join(err, t.late(ctx, try.refund))
	}
	slot.Release()
	after, err := t.commit(ctx, try.commit)
	if err != nil || !try.closed {
		err = errors.Join(err, t.late(ctx, try.closeReservation))
	}
	return after, err
}

// late runs what must commit though the client has left or the journey moved on
// meanwhile, by another tab or the same form once more.
func (t *taking) late(ctx context.Context, count func(ctx context.Context, tx *store.Tx) error) error {
	ctx = context.WithoutCancel(ctx)
	return t.engine.DB.InTx(ctx, t.client.Who, func(tx *store.Tx) error { return count(ctx, tx) })
}

// A passwordTry is one try of a password on its way from its count to its step.
type passwordTry struct {
	flow      *flow         // as the try found it
	candidate identity.User // whose password is compared; zero where none may be
	evaluated bool          // the lockout let it be evaluated, and a try is reserved
	right     bool
	hash      string // of ours, in place of an imported one
	closed    bool   // within the step
}

// count counts the try: against where it came from, and as a reserved failure of
// the user.
func (p *passwordTry) count(ctx context.Context, tx *store.Tx) error {
	if err := p.flow.allow(ctx, tx, "password"); err != nil {
		return err
	}
	var err error
	if p.evaluated, err = p.flow.reserve(ctx, tx); p.evaluated {
		p.candidate = p.flow.User
	}
	return err
}

// check computes the hashes.
func (p *passwordTry) check(ctx context.Context, slot *directory.HashSlot, typed string) (err error) {
	p.right, err = slot.Check(ctx, p.candidate, typed)
	if err == nil && p.right && directory.NeedsRehash(p.candidate.Password) {
		p.hash, err = slot.Hash(ctx, typed)
	}
	return err
}

// commit is the effect of the try in its step.
func (p *passwordTry) commit(ctx context.Context, tx *store.Tx, f *flow) error {
	if !f.at(AskPassword) {
		return errNotHere
	}
	p.closed = true
	if err := p.record(ctx, tx); err != nil {
		return err
	}
	j := f.Journey
	if p.right {
		j.Passed = append(j.Passed, identity.CompletedFactor{Validation: identity.Password, Method: identity.ByPassword, At: tx.Now()})
		f.unchanged = true
		if err := f.recognise(ctx, tx); err != nil {
			return err
		}
	} else {
		j.Notice = "error.login.wrong"
	}
	if err := p.countResult(ctx, tx); err != nil || p.hash == "" {
		return err
	}
	// Of two logins at once one replaces it, and both go on. It comes last, so that the
	// rows of the address and of the user are locked in the order of all tries.
	return replaceImported(ctx, tx, p.candidate, p.hash)
}

// closeReservation ends what reserving the try began, where its step is not taken.
func (p *passwordTry) closeReservation(ctx context.Context, tx *store.Tx) error {
	if err := p.record(ctx, tx); err != nil {
		return err
	}
	return p.countResult(ctx, tx)
}

// record writes the event of the try.
func (p *passwordTry) record(ctx context.Context, tx *store.Tx) error {
	j := p.flow.Journey
	e := audit.Event{Tenant: j.Tenant, Kind: audit.PasswordRight, User: j.UserID, Application: j.Application, Journey: j.ID, Personal: personal(j)}
	if !p.right {
		e.Kind, e.Reason = audit.PasswordWrong, p.whyWrong()
	}
	return tx.Event(ctx, e)
}

// countResult gives the reservation of a right password back; a wrong one keeps it, and may lock.
func (p *passwordTry) countResult(ctx context.Context, tx *store.Tx) error {
	if p.right {
		return p.flow.right(ctx, tx, "password")
	}
	return p.flow.lockIfExceeded(ctx, tx)
}

func (p *passwordTry) refund(ctx context.Context, tx *store.Tx) error {
	if !p.evaluated {
		return nil
	}
	return p.flow.refund(ctx, tx)
}

// whyWrong is for operators alone; the person reads the same in all cases.
func (p *passwordTry) whyWrong() string {
	switch {
	case p.flow.Journey.UserID == "":
		return "no such user"
	case !p.evaluated:
		return "locked"
	}
	return "wrong password"
}

// replaceImported puts a hash of ours in place of an imported one, of the password
// that was just right.
func replaceImported(ctx context.Context, tx *store.Tx, u identity.User, hash string) error {
	replaced, err := tx.Users().RehashPassword(ctx, u.Tenant, u.ID, u.Password, hash)
	if err != nil || !replaced {
		return err
	}
	return tx.Event(ctx, audit.Event{Tenant: u.Tenant, Kind: audit.UserChanged, User: u.ID, Data: map[string]string{"password": "hashed anew"}})
}

// allow counts a try of a secret against the address it comes from, before the secret
// is looked at, unless policy exempts its network.
func (f *flow) allow(ctx context.Context, tx *store.Tx, kind string) error {
	if f.exempt() {
		return nil
	}
	return tx.Allow(ctx, f.Journey.Tenant, f.addressRate(kind), store.Network(f.client.Who.IP))
}

// checkAddress refuses a try from an address that has had too many, before anything is
// waited for or written, so that a flood costs others nothing. It counts none.
func (f *flow) checkAddress(ctx context.Context, r store.Reader, kind string) error {
	if f.exempt() {
		return nil
	}
	return r.CheckRate(ctx, f.Journey.Tenant, f.addressRate(kind), store.Network(f.client.Who.IP))
}

// addressRate is how often secrets of a kind may be tried from an address. Right ones
// are given back: three hundred people may begin their shift behind one address.
func (f *flow) addressRate(kind string) store.Rate {
	return store.Rate{Kind: kind, Max: int(f.Rules.Limits.PasswordAttemptsPerAddress), Per: 5 * time.Minute}
}

// exempt reports whether tries from the client's network are not counted.
func (f *flow) exempt() bool {
	address, err := netip.ParseAddr(f.client.Who.IP)
	return err == nil && f.Rules.Limits.Exempts(address)
}

// right gives back what a try took that proved to be right: from the user's failures,
// and from the tries of the address.
func (f *flow) right(ctx context.Context, tx *store.Tx, kind string) error {
	if err := f.refundAddress(ctx, tx, kind); err != nil {
		return err
	}
	return f.refund(ctx, tx)
}

func (f *flow) refundAddress(ctx context.Context, tx *store.Tx, kind string) error {
	if f.exempt() {
		return nil
	}
	return tx.UndoAllow(ctx, f.Journey.Tenant, f.addressRate(kind), store.Network(f.client.Who.IP))
}

// reserve counts a try of a user beforehand; see [store.Attempts.Reserve]. Of nobody's
// name none is evaluated, and the same is asked of the database (T-LOG-02).
func (f *flow) reserve(ctx context.Context, tx *store.Tx) (evaluated bool, err error) {
	return tx.Attempts().Reserve(ctx, counterOf(f.Journey), f.Rules.Lockout.Threshold)
}

// refund gives back what reserve took.
func (f *flow) refund(ctx context.Context, tx *store.Tx) error {
	if f.Rules.Lockout.Threshold == 0 {
		return nil // nothing was reserved
	}
	return tx.Attempts().Refund(ctx, counterOf(f.Journey))
}

// lockIfExceeded locks the user's logins if this failure was one too many, and
// tells the user by mail (CRED-13).
func (f *flow) lockIfExceeded(ctx context.Context, tx *store.Tx) error {
	return directory.LockIfExceeded(ctx, tx, f.Rules.Lockout, counterOf(f.Journey), f.User, f.Journey.ID, f.origin(tx))
}
