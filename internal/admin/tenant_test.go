package admin

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/signingkey"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

func TestAdd(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		added, err := AddTenant(t.Context(), h.DB, h.Who, identity.Tenant{Slug: "second", Name: "Second"})
		if err != nil {
			t.Fatal(err)
		}
		keys := &signingkey.Cache{DB: h.DB}
		for algorithm, purpose := range map[string]identity.Protocol{signingkey.RS256: identity.SAML, signingkey.ES256: identity.OIDC} {
			if _, err := keys.Newest(t.Context(), added.ID, purpose, algorithm); err != nil {
				t.Errorf("%s key for %s: %v", algorithm, purpose, err)
			}
		}
		if _, err := h.DB.Applications().ByIdentifier(t.Context(), added.ID, identity.Portal, identity.PortalIdentifier); err != nil {
			t.Errorf("self-service pages: %v", err)
		}
		if _, err := AddTenant(t.Context(), h.DB, h.Who, identity.Tenant{Slug: "second", Name: "Again"}); !errors.Is(err, identity.Conflict) {
			t.Errorf("the same slug once more: %v, want Conflict", err)
		}
	})
}

func TestAdd_Refuses(t *testing.T) {
	h := storetest.SQLite(t)
	for _, tt := range []struct {
		name   string
		tenant identity.Tenant
	}{
		{"no slug", identity.Tenant{Name: "x"}},
		{"capitals", identity.Tenant{Slug: "Example", Name: "x"}},
		{"a path in the slug", identity.Tenant{Slug: "a/b", Name: "x"}},
		{"a hyphen at the end", identity.Tenant{Slug: "a-", Name: "x"}},
		{"a long slug", identity.Tenant{Slug: strings.Repeat("a", 41), Name: "x"}},
		{"a newline in the slug", identity.Tenant{Slug: "a\n", Name: "x"}},
		{"no name", identity.Tenant{Slug: "a"}},
		{"a bidirectional name", identity.Tenant{Slug: "a", Name: "x\u202ey"}},
		{"no language", identity.Tenant{Slug: "a", Name: "x", Language: "no language"}},
		{"no mail address", identity.Tenant{Slug: "a", Name: "x", Alerts: []string{"a@example.org\nBcc: b@example.org"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := AddTenant(t.Context(), h.DB, h.Who, tt.tenant); !errors.Is(err, identity.Invalid) {
				t.Errorf("Add: %v, want Invalid", err)
			}
		})
	}
}

// Of changes that are made at the same time none is lost: each starts from the result
// of the one before.
func TestSetPolicy_LosesNoChange(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		const times = 10
		var wg sync.WaitGroup
		for range times {
			wg.Go(func() {
				for {
					_, err := SetPolicy(t.Context(), h.DB, h.Who, h.Tenant.ID, policy.KindLimits, func(present policy.Document) (policy.Document, error) {
						l := present.(policy.Limits)
						l.MailCodesPerAddress++
						return l, nil
					})
					if errors.Is(err, identity.Conflict) {
						continue // somebody was faster; look again
					}
					if err != nil {
						t.Error(err)
					}
					return
				}
			})
		}
		wg.Wait()
		set, err := h.DB.Policies().Get(t.Context(), h.Tenant.ID, policy.KindLimits)
		if err != nil {
			t.Fatal(err)
		}
		limits, err := policy.Read[policy.Limits](set.Document)
		if want := policy.DefaultLimits().MailCodesPerAddress + times; err != nil || limits.MailCodesPerAddress != want || set.Version != times {
			t.Errorf("version %d, %d codes, %v, want %d and %d", set.Version, limits.MailCodesPerAddress, err, times, want)
		}
		events, err := store.Collect(h.DB.Events().List(t.Context(), h.Tenant.ID, store.EventFilter{Kind: audit.PolicyChanged}))
		if err != nil || len(events) != times {
			t.Errorf("%d events, %v, want %d", len(events), err, times)
		}
	})
}

// A name that two applications have says which neither of them is.
func TestSetPolicy_NameOfTwo(t *testing.T) {
	h := storetest.SQLite(t)
	for _, identifier := range []string{"https://a.example.org", "https://b.example.org"} {
		app := identity.Application{ID: identity.NewID(identity.ApplicationID), Name: "Twins", Protocol: identity.SAML, Identifier: identifier, Config: []byte(`{}`)}
		if _, err := AddApplication(t.Context(), h.DB, h.Who, h.Tenant.ID, app); err != nil {
			t.Fatal(err)
		}
	}
	set := func(application string) error {
		_, err := SetPolicy(t.Context(), h.DB, h.Who, h.Tenant.ID, policy.KindAccess, func(policy.Document) (policy.Document, error) {
			return policy.Access{Rules: []policy.Rule{{Name: "twins", Applications: []string{application}, Require: []identity.Validation{identity.Password}}}}, nil
		})
		return err
	}
	if problems, ok := errors.AsType[policy.Problems](set("twins")); !ok || len(problems) != 1 || problems[0].Field != "rules[0].applications[0]" {
		t.Errorf("by the name: %v, want one problem", problems)
	}
	if err := set("https://b.example.org"); err != nil {
		t.Errorf("by the entityID: %v", err)
	}
}

// Of several first tenants at once, of whatever slug, one is added. Without Claim all are.
func TestAddFirstTenant(t *testing.T) {
	storetest.EachMigrated(t, func(t *testing.T, source string) {
		db, err := store.Open(t.Context(), store.Options{Source: source, Keys: store.NewKeyring()})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		added := storetest.Race(t, 4, func(i int) error {
			_, err := AddFirstTenant(t.Context(), db, identity.Principal{Kind: identity.CommandLine}, identity.Tenant{Slug: fmt.Sprint("tenant-", i), Name: "Hospital"})
			return err
		})
		if added != 1 {
			t.Errorf("%d first tenants, want 1", added)
		}
	})
}

// Whoever is given a tenant's certificate reads what the tenant is called, not its slug.
func TestAdd_Certificates(t *testing.T) {
	h := storetest.SQLite(t)
	added, err := AddTenant(t.Context(), h.DB, h.Who, identity.Tenant{Slug: "default", Name: "Example Hospital"})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := h.DB.SigningKeys().Active(t.Context(), added.ID, identity.SAML)
	if err != nil || len(keys) == 0 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	for _, k := range keys {
		cert, err := x509.ParseCertificate(k.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := cert.Subject.String(), "CN=Example Hospital,O=Example Hospital"; got != want {
			t.Errorf("certificate of %q, want %q", got, want)
		}
	}
}
