package journey_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// A hash that came from another system lets in, and is replaced by ours at the
// first right password, once: of logins at once one replaces it, and all go on.
//
// Tried without the hash in RehashPassword's condition: there was an event of each.
func TestTLOG29_AnImportedHashIsReplaced(t *testing.T) {
	storetest.Each(t, func(t *testing.T, empty *storetest.Fixture) {
		h := newFixture(t, empty)
		h.setPolicy(policy.Access{Rules: []policy.Rule{{Name: "all", Require: []identity.Validation{identity.Password}}}})
		rows, err := directory.ReadImport([]byte("name,password_hash\nanna,$2b$05$abcdefghijklmnopqrstuuD3mHdCr44zlIZ.VZCaYRpfQhXMYnEo.\n"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.engine.Directory.Import(t.Context(), h.Who, h.Tenant.ID, rows, func(int) {}); err != nil {
			t.Fatal(err)
		}
		kept := func() string {
			u, err := h.db.Users().ByName(t.Context(), h.Tenant.ID, "anna")
			if err != nil {
				t.Fatal(err)
			}
			return u.Password
		}
		before := kept()
		v, err := h.take(h.withSession(nowhere), h.named("z", "anna", journey.AskPassword), journey.EnterPassword{Password: "a wrong password"})
		h.want(v, err, journey.AskPassword)
		if kept() != before {
			t.Error("replaced by a wrong password")
		}
		var pages []*journey.View
		for _, browser := range []string{"a", "b", "c", "d"} {
			pages = append(pages, h.named(browser, "anna", journey.AskPassword))
		}
		next := make(chan *journey.View, len(pages))
		for _, page := range pages {
			next <- page
		}
		each(len(pages), pages[0], func(*journey.View) {
			v, err := h.take(h.withSession(nowhere), <-next, journey.EnterPassword{Password: password})
			if err != nil || v.Step != journey.Done {
				t.Errorf("%v, %v", v, err)
			}
		})
		if after := kept(); !strings.HasPrefix(after, "$argon2id$") || directory.NeedsRehash(after) {
			t.Errorf("kept %s, want ours", after)
		}
		anew := slices.DeleteFunc(h.events(audit.UserChanged), func(e audit.Event) bool { return e.Data["password"] != "hashed anew" })
		if len(anew) != 1 {
			t.Errorf("%d events of it, want 1", len(anew))
		}
		v, err = h.take(h.withSession(nowhere), h.named("e", "anna", journey.AskPassword), journey.EnterPassword{Password: password})
		h.want(v, err, journey.Done)
	})
}
