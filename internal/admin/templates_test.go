package admin

import (
	"errors"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// No template has the name of the standard one, whichever of the two is set
// last. Fails without the cases of templates in checkOthers.
func TestCRED3_TheStandardTemplatesNameIsTaken(t *testing.T) {
	h := storetest.SQLite(t)
	set := func(d policy.Document) error {
		_, err := SetPolicy(t.Context(), h.DB, h.Who, h.Tenant.ID, d.Kind(), func(policy.Document) (policy.Document, error) { return d, nil })
		return err
	}
	named := func(name string) policy.Template {
		d := policy.DefaultTemplate()
		d.Name = name
		return d
	}
	for _, tt := range []struct {
		document policy.Document
		taken    bool
	}{
		{policy.Templates{Templates: policy.NamedTemplates{named("standard")}}, true},
		{policy.Templates{Templates: policy.NamedTemplates{named("Long")}}, false},
		{named("LONG"), true},
		{named("Short"), false},
		{policy.Templates{Templates: policy.NamedTemplates{named("Standard")}}, false},
	} {
		if err := set(tt.document); errors.Is(err, identity.Invalid) != tt.taken || err != nil && !tt.taken {
			t.Errorf("%+v: %v, want it taken: %t", tt.document, err, tt.taken)
		}
	}
}
