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
func (v *View) resync(now time.Time) identity.Resync {
	j := v.Journey
	r := j.Resync
	if p := v.Request.Request; r.Until.IsZero() && j.Method == identity.ByPush && v.Request.Outcome == store.PushResync {
		r = authenticator.Resync(p.Authenticator, p.Resync, p.EndedAt)
	}
	// Where policy refuses codes by now, one that was typed leads nowhere.
	if !now.Before(r.Until) || r.Tries >= authenticator.ResyncTries || !v.Codes && j.Method != identity.ByPush {
		return identity.Resync{}
	}
	return r
}

// dropResync gives a resynchronisation up for another way. It was the journey's
// one.
func (v *View) dropResync(now time.Time) {
	if r := v.resync(now); r.Authenticator != "" {
		r.Until = now
		v.Journey.Resync = r
	}
}

// missed counts a passcode that was not the next.
func (v *View) missed(now time.Time) {
	if r := v.resync(now); r.Authenticator != "" {
		r.Tries++
		v.Journey.Resync = r
	}
}
