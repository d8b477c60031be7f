package appapi

import (
	"testing"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// The codes of an activation for another app are known to nobody, or scanned by that
// app alone. They make no app token: no key was proved, and no template asked for one.
// Left out: the look at the platform.
func TestENR12_NoAppActivatesWhatAnotherVendorsScans(t *testing.T) {
	h := onSQLite(t)
	h.Rules.SelfProvisioning.ThirdParty = true
	h.Rules.Platforms[identity.PrivacyIDEA] = policy.PlatformRule{Allowed: true, Push: true}
	for platform, choose := range map[identity.Platform]func(tx *store.Tx, j *identity.Journey) (string, error){
		identity.ThirdParty: func(tx *store.Tx, j *identity.Journey) (string, error) {
			return enroll.ChooseThirdParty(t.Context(), tx, j, h.User, h.Rules, "en")
		},
		identity.PrivacyIDEA: func(tx *store.Tx, j *identity.Journey) (string, error) {
			return enroll.ChoosePlatform(t.Context(), tx, j, h.User, identity.PrivacyIDEA, h.Rules, "en")
		},
	} {
		j := h.StartJourney(t, h.User)
		j.Enroll, j.Code.PassedAt = identity.EnrollPlatform, h.Clock.Now()
		h.Step(t, j, func(tx *store.Tx) error {
			problem, err := choose(tx, j)
			if problem != "" {
				t.Errorf("%s: problem %q", platform, problem)
			}
			return err
		})
		act, err := h.DB.Activations().OfJourney(t.Context(), j.Tenant, j.ID)
		if err != nil {
			t.Fatal(err)
		}
		codes, err := h.DB.Activations().Codes(t.Context(), act)
		if err != nil {
			t.Fatal(err)
		}
		for name, with := range map[string]fields{"secret": {"secret": codes.Secret}, "short code": {"short_code": codes.Short}} {
			if got := h.newApp(t).call(t, "activate", with); got.code() != "activation" {
				t.Errorf("%s: activate with its %s: %d %v", platform, name, got.status, got.body)
			}
		}
	}
}

// No call is taken from a privacyIDEA Authenticator, whatever signs it: by one it could
// declare itself able to take numbers.
func TestPUSH24_NoCallOfOurOwnAPI(t *testing.T) {
	h := onSQLite(t)
	other := identity.Authenticator{Tenant: h.Tenant.ID, ID: identity.NewID(identity.AuthenticatorID), Serial: "LK-7Q2M-4KXD", Kind: identity.AppToken,
		Protocol: identity.PrivacyIDEAPush, Name: "Phone", Platform: identity.PrivacyIDEA, LastStep: -1, Key: []byte("key"), Template: []byte(`{}`)}
	h.Do(t, func(tx *store.Tx) error { return tx.Authenticators().Add(t.Context(), other, h.User.ID) })
	mallory := h.newApp(t)
	mallory.id = other.ID
	if got := mallory.call(t, "status", nil); got.code() != "unknown" {
		t.Errorf("status: %d %v", got.status, got.body)
	}
}
