package admin

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// What is wrong with a group or an application is said of its name: neither of a place in a
// list, which whoever gave flags never saw, nor of an id. Without the call of Problems.Name
// the third and the fifth name an id.
func TestProblemsNameGroupsAndApplications(t *testing.T) {
	h := storetest.SQLite(t)
	nurses := identity.Group{Tenant: h.Tenant.ID, ID: identity.NewID(identity.GroupID), Name: "Nurses"}
	h.Do(t, func(tx *store.Tx) error {
		for _, identifier := range []string{"https://rota.example.org", "https://rota.example.com"} {
			err := tx.Applications().Add(t.Context(), identity.Application{Tenant: h.Tenant.ID, ID: identity.NewID(identity.ApplicationID), Name: "Rota",
				Protocol: identity.SAML, Identifier: identifier, Config: []byte(`{}`)})
			if err != nil {
				return err
			}
		}
		return tx.Groups().Add(t.Context(), nurses)
	})
	rule := func(groups, applications []string) policy.Document {
		return policy.Access{Rules: []policy.Rule{{Name: "a", Groups: groups, Applications: applications, Require: []identity.Validation{identity.Password}}}}
	}
	odd := policy.DefaultPush()
	odd.Groups = map[string]policy.PushSettings{"nurses": {Presence: "nod"}}
	for _, tt := range []struct {
		document policy.Document
		want     []string
	}{
		{rule([]string{"Nurces", "Nobody at all"}, nil), []string{"there is no group “Nurces”; did you mean “Nurses”?", "there is no group “Nobody at all”"}},
		{rule(nil, []string{"Payrol"}), []string{"there is no application “Payrol”; did you mean “Payroll”?"}},
		{rule([]string{"nurses", nurses.ID, ""}, nil), []string{"the group “Nurses” is there twice", "rules[0].groups: has an empty name"}},
		{rule(nil, []string{"rota"}), []string{"several applications are called “rota”: name one by its identifier or id"}},
		{odd, []string{"groups.nurses.presence: must be one of: none, pick, enter, six-digits"}},
		{policy.SelfProvisioning{Target: policy.TargetOnly, Groups: []string{"Doctors", nurses.ID, "Nurses"}},
			[]string{"the group “Nurses” is there twice", "there is no group “Doctors”"}},
	} {
		_, err := byID(t.Context(), h.DB.Reader, h.Tenant.ID, tt.document)
		problems, _ := errors.AsType[policy.Problems](err)
		var got []string
		for _, p := range problems {
			got = append(got, p.Error())
		}
		if !slices.Equal(got, tt.want) || strings.Contains(strings.Join(got, " "), nurses.ID) {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
