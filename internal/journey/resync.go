package journey

import (
	"time"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

// resync is the passcode from the outer window that waits for the next: one that
// was typed, or one that came with the approval of a push (PUSH-16). It is zero
// where none waits any more. A journey has one resynchronisation: once begun, no
// other push begins a second (CRED-10).
func (f *flow) resync(now time.Time) identity.Resync {
	j := f.Journey
	r := j.Resync
	if p := f.Request.Request; r.Until.IsZero() && j.Method == identity.ByPush && f.Request.Outcome == store.PushResync {
		r = authenticator.NewResync(p.Authenticator, p.Resync, p.EndedAt)
	}
	// Where policy refuses codes by now, one that was typed leads nowhere.
	if !now.Before(r.Until) || r.Tries >= authenticator.ResyncAttempts || !f.Facts.CodesAllowed && j.Method != identity.ByPush {
		return identity.Resync{}
	}
	return r
}

// dropResync gives a resynchronisation up for another way. It was the journey's
// one.
func (f *flow) dropResync(now time.Time) {
	if r := f.resync(now); r.Authenticator != "" {
		r.Until = now
		f.Journey.Resync = r
	}
}

// missResync counts a passcode that was not the next.
func (f *flow) missResync(now time.Time) {
	if r := f.resync(now); r.Authenticator != "" {
		r.Tries++
		f.Journey.Resync = r
	}
}
