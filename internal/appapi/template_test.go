package appapi

import (
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

// The template of its platform is copied into an authenticator when it is
// enrolled, and no later edit touches the copy (SP-10, the biometric flag among
// it). Fails with the standard template issued on every platform.
func TestCRED3_ATemplateIsCopiedAtEnrollment(t *testing.T) {
	h := onSQLite(t)
	long := policy.DefaultTemplate()
	long.Name, long.Length, long.Step = "Long", 8, 60
	h.Rules.Templates = policy.Templates{Templates: policy.NamedTemplates{long}, Platforms: map[identity.Platform]string{identity.Android: "Long"}}
	j, shown := h.Issued(t, h.User)
	if j.Platform != identity.Android {
		t.Fatalf("enrolled on %s, want android", j.Platform)
	}
	edited := long
	edited.Length, edited.Step, edited.PIN, edited.Biometric = 6, 30, policy.UserPIN, true
	edit := policy.Templates{Templates: policy.NamedTemplates{edited}, Platforms: h.Rules.Templates.Platforms}
	h.SetPolicy(t, edit) // while the activation is on its way ...
	a := h.newApp(t)
	told := a.must(t, "activate", fields{"secret": shown.Secret})
	a.id = told["authenticator"].(string)
	a.must(t, "finish", fields{"push": true})
	h.SetPolicy(t, policy.DefaultTemplates()) // ... and when it is over
	if told["digits"] != 8.0 || told["period"] != 60.0 {
		t.Errorf("the app was told of %v digits every %v seconds, want 8 and 60", told["digits"], told["period"])
	}
	kept, err := h.DB.Authenticators().Get(t.Context(), h.Tenant.ID, a.id)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := templateOf(kept); err != nil || got != long || kept.Digits != 8 || kept.Step != 60 {
		t.Errorf("kept %+v, %v, %d digits every %d seconds, want %+v", got, err, kept.Digits, kept.Step, long)
	}
}
