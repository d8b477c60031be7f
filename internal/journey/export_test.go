package journey

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/store"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A View is everything the engine knows of a journey, for tests that look behind
// its prompts.
type View = flow

// Load loads a journey as a step does.
func (e *Engine) Load(ctx context.Context, c Client, id string) (*View, error) {
	j, err := e.DB.Journeys().Get(ctx, c.Tenant.ID, id)
	if err != nil {
		return nil, err
	}
	return e.load(ctx, e.DB.Reader, c, j)
}

// State is the state of its prompt.
func (f *flow) State() string { return f.state() }

// OffersRemember reports whether its prompt asks to remember the device.
func (f *flow) OffersRemember() bool { return f.offersRemember() }

// OffersPasswordless reports whether its prompt takes a passkey in place of name,
// password and second factor.
func (f *flow) OffersPasswordless() bool { return f.offersPasswordless() }

// PasskeyChallenge is what a passkey would be asked to sign at the page of a
// journey, whether or not the page asks.
func PasskeyChallenge(r store.Reader, j *identity.Journey) (string, error) {
	return passkeyChallenge(r, j)
}
