package policy

import (
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Each platform has the template chosen for it, or otherwise the standard one.
// Fields missing from a template have their defaults.
func TestCRED3_ATemplateForAPlatform(t *testing.T) {
	templates, err := Read[Templates]([]byte(`{"templates": [{"name": "Long", "length": 8, "step": 60}, {"name": "Guarded", "pin": "user"}],
		"platforms": {"ios": "long", "android": "Guarded"}}`))
	if err != nil {
		t.Fatal(err)
	}
	standard := DefaultTemplate()
	for platform, want := range map[identity.Platform]Template{
		identity.IOS:     {Name: "Long", Length: 8, Step: 60, PIN: NoPIN},
		identity.Android: {Name: "Guarded", Length: 6, Step: 30, PIN: UserPIN},
		identity.Linux:   {Name: standard.Name, Length: 6, Step: 30, PIN: NoPIN},
	} {
		want.Mode, want.PINRules, want.PINAttempts = standard.Mode, standard.PINRules, standard.PINAttempts
		if got := templates.ForPlatform(platform, standard); got != want {
			t.Errorf("%s: got %+v, want %+v", platform, got, want)
		}
	}
}

// CRED-4a holds for the list as for the standard template.
func TestCRED4a_TemplatesAreNormal(t *testing.T) {
	data, err := Encode(Templates{Templates: NamedTemplates{{Name: "a", Mode: QuickLog, Length: 8, Step: 60, PIN: NoPIN, PINAttempts: 3, Biometric: true,
		PINRules: PINRules{PINLength: 8, Complexity: StrongAlphanumeric}}}})
	if err != nil {
		t.Fatal(err)
	}
	kept, err := Read[Templates](data)
	want := DefaultTemplate()
	want.Name, want.Length, want.Step = "a", 8, 60
	if got := kept.Templates; err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("kept %+v, %v, want %+v", got, err, want)
	}
}
