package admin

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/oidcclient"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/signingkey"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// addRelyingParty adds an OpenID Connect application, and returns its client secret.
func addRelyingParty(t *testing.T, h *storetest.Fixture, name string) (identity.Application, string) {
	t.Helper()
	app, secret, err := oidcclient.New(name, oidcclient.Options{ClientID: strings.ToLower(name), RedirectURIs: []string{"https://wiki.example.org/cb"}, Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	if app, err = AddApplication(t.Context(), h.DB, h.Who, h.Tenant.ID, app); err != nil {
		t.Fatal(err)
	}
	return app, secret
}

// signIn logs the fixture's user in to an application, which gets an access and a
// refresh token, and leaves another login and a request under way.
func signIn(t *testing.T, h *storetest.Fixture, app identity.Application) (access, refresh, journey string) {
	t.Helper()
	now := h.Clock.Now()
	session := identity.Session{Tenant: h.Tenant.ID, ID: identity.NewID(identity.SessionID), UserID: h.User.ID, Browser: "b", AuthTime: now,
		Idle: time.Hour, ExpiresAt: now.Add(12 * time.Hour)}
	grant := store.Grant{Tenant: h.Tenant.ID, ID: identity.NewID(identity.GrantID), Application: app.ID, User: h.User.ID, Session: session.ID,
		Subject: h.User.ID, SID: identity.NewID("sid"), Scope: "openid", Offline: true, AuthTime: now, RedirectURI: "https://wiki.example.org/cb",
		CodeExpires: now.Add(time.Minute), ExpiresAt: now.Add(24 * time.Hour)}
	access, refresh = identity.NewSecret(), identity.NewSecret()
	j := &identity.Journey{Tenant: h.Tenant.ID, ID: identity.NewID(identity.JourneyID), Application: app.ID, Protocol: identity.OIDC, Request: []byte(`{}`),
		Browser: "b", UserID: h.User.ID, StartedAt: now, ExpiresAt: now.Add(time.Hour)}
	h.Do(t, func(tx *store.Tx) error {
		if err := tx.Sessions().Save(t.Context(), session, identity.NewSecret()); err != nil {
			return err
		}
		_, joined := tx.Sessions().Join(t.Context(), h.Tenant.ID, identity.SessionApplication{Session: session.ID, Application: app.ID,
			Protocol: identity.OIDC, Index: grant.SID, Subject: h.User.ID})
		return errors.Join(joined,
			tx.Grants().Add(t.Context(), grant, identity.NewSecret()),
			tx.Grants().AddToken(t.Context(), h.Tenant.ID, store.Token{Grant: grant.ID, Kind: store.AccessToken, Scope: "openid", ExpiresAt: now.Add(time.Hour)}, access),
			tx.Grants().AddToken(t.Context(), h.Tenant.ID, store.Token{Grant: grant.ID, Kind: store.RefreshToken, Scope: "openid", ExpiresAt: now.Add(time.Hour)}, refresh),
			tx.Journeys().Add(t.Context(), j))
	})
	return access, refresh, j.ID
}

func TestRemoveApplication(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		wiki, _ := addRelyingParty(t, h, "Wiki")
		other, _ := addRelyingParty(t, h, "Other")
		access, refresh, journey := signIn(t, h, wiki)
		otherAccess, _, otherJourney := signIn(t, h, other)
		woken, stop := h.DB.Subscribe(store.JourneyTopic(journey))
		defer stop()

		counts, err := RemoveApplication(t.Context(), h.DB, h.Who, h.Tenant.ID, wiki.ID)
		if want := (store.ApplicationUse{Sessions: 1, Offline: 1, Journeys: 1}); err != nil || counts != want {
			t.Fatalf("removed: %+v, %v, want %+v", counts, err, want)
		}
		select {
		case <-woken:
		case <-time.After(5 * time.Second):
			t.Error("the login under way was not woken")
		}
		for name, token := range map[string]string{"access": access, "refresh": refresh} {
			if _, _, err := h.DB.Grants().LiveToken(t.Context(), h.Tenant.ID, wiki.ID, token); !errors.Is(err, identity.NotFound) {
				t.Errorf("%s token is good: %v", name, err)
			}
		}
		var g store.Grant
		h.Do(t, func(tx *store.Tx) (err error) {
			g, _, _, err = tx.Grants().UseRefreshToken(t.Context(), h.Tenant.ID, wiki.ID, refresh)
			return err
		})
		if !g.Over {
			t.Errorf("the refresh token's grant goes on: %+v", g)
		}
		h.Do(t, func(tx *store.Tx) error {
			first, err := tx.Grants().Revoke(t.Context(), h.Tenant.ID, g.ID)
			if first {
				t.Error("the grant was not revoked, only its application disabled")
			}
			return err
		})
		for a, err := range h.DB.Sessions().Applications(t.Context(), h.Tenant.ID, g.Session) {
			t.Errorf("the session still has %+v, %v", a, err)
		}
		if j, err := h.DB.Journeys().Get(t.Context(), h.Tenant.ID, journey); err != nil || j.EndedAt.IsZero() || j.Outcome != identity.Cancelled {
			t.Errorf("the login under way: %+v, %v, want it ended", j, err)
		}
		// Others go on.
		if _, _, err := h.DB.Grants().LiveToken(t.Context(), h.Tenant.ID, other.ID, otherAccess); err != nil {
			t.Errorf("another application's token: %v", err)
		}
		if j, err := h.DB.Journeys().Get(t.Context(), h.Tenant.ID, otherJourney); err != nil || !j.EndedAt.IsZero() {
			t.Errorf("another application's login: %+v, %v", j, err)
		}

		for app, err := range h.DB.Applications().All(t.Context(), h.Tenant.ID) {
			if err != nil || app.ID == wiki.ID {
				t.Errorf("listed: %+v, %v", app, err)
			}
		}
		if _, err := h.DB.Applications().ByIdentifier(t.Context(), h.Tenant.ID, identity.OIDC, "wiki"); !errors.Is(err, identity.NotFound) {
			t.Errorf("found by its client id: %v", err)
		}
		if _, err := RemoveApplication(t.Context(), h.DB, h.Who, h.Tenant.ID, wiki.ID); !errors.Is(err, identity.NotFound) {
			t.Errorf("removed again: %v, want NotFound", err)
		}
		_, _, err = ChangeApplication(t.Context(), h.DB, h.Who, h.Tenant.ID, wiki.ID, audit.ApplicationChanged, func(app identity.Application) (identity.Application, error) { return app, nil })
		if !errors.Is(err, identity.NotFound) {
			t.Errorf("changed after it was removed: %v, want NotFound", err)
		}
		addRelyingParty(t, h, "Wiki") // its identifier is free

		got := events(t, h, audit.ApplicationRemoved)
		if len(got) != 1 || got[0].Application != wiki.ID || got[0].Data["identifier"] != "wiki" || got[0].Data["sessions"] != "1" {
			t.Errorf("events: %+v", got)
		}
	})
}

// An application of another tenant is out of reach, and so are the pages that
// are a tenant's own.
func TestRemoveApplication_Refuses(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		wiki, _ := addRelyingParty(t, h, "Wiki")
		second, err := AddTenant(t.Context(), h.DB, h.Who, identity.Tenant{Slug: "second", Name: "Second"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := RemoveApplication(t.Context(), h.DB, h.Who, second.ID, wiki.ID); !errors.Is(err, identity.NotFound) {
			t.Errorf("another tenant's: %v, want NotFound", err)
		}
		pages, err := h.DB.Applications().ByIdentifier(t.Context(), second.ID, identity.Portal, "me")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := RemoveApplication(t.Context(), h.DB, h.Who, second.ID, pages.ID); !errors.Is(err, identity.Invalid) {
			t.Errorf("its own pages: %v, want Invalid", err)
		}
		_, err = SetPolicy(t.Context(), h.DB, h.Who, h.Tenant.ID, policy.KindAccess, func(policy.Document) (policy.Document, error) {
			return policy.Access{Rules: []policy.Rule{{Name: "wiki", Applications: []string{"Wiki"}, Require: []identity.Validation{identity.Password}}}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := RemoveApplication(t.Context(), h.DB, h.Who, h.Tenant.ID, wiki.ID); !errors.Is(err, identity.Conflict) || !strings.Contains(err.Error(), `"wiki"`) {
			t.Errorf("named in a rule: %v, want a Conflict that says where", err)
		}
		if _, err := h.DB.Applications().ByIdentifier(t.Context(), h.Tenant.ID, identity.OIDC, "wiki"); err != nil {
			t.Errorf("what was refused happened: %v", err)
		}
	})
}

func TestChangeApplication(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		wiki, _ := addRelyingParty(t, h, "Wiki")
		change := func(next func(o *oidcclient.Options)) (identity.Application, bool, error) {
			return ChangeApplication(t.Context(), h.DB, h.Who, h.Tenant.ID, wiki.ID, audit.ApplicationChanged, func(app identity.Application) (identity.Application, error) {
				o, err := oidcclient.OptionsOf(app)
				if err != nil {
					return app, err
				}
				next(&o)
				app, _, err = oidcclient.WithOptions(app, o)
				return app, err
			})
		}
		if _, changed, err := change(func(*oidcclient.Options) {}); err != nil || changed || len(events(t, h, audit.ApplicationChanged)) != 0 {
			t.Errorf("nothing to change: %v, %v", changed, err)
		}
		if _, _, err := change(func(o *oidcclient.Options) { o.RedirectURIs = []string{"http://wiki.example.org/"} }); !errors.Is(err, identity.Invalid) {
			t.Errorf("plain http: %v, want Invalid", err)
		}
		app, changed, err := change(func(o *oidcclient.Options) {
			o.RedirectURIs, o.Public, o.Offline, o.ClientID = []string{"https://wiki.example.org/new"}, true, false, "other"
		})
		if err != nil || !changed {
			t.Fatalf("changed: %v, %v", changed, err)
		}
		o, err := oidcclient.OptionsOf(app)
		if err != nil || o.RedirectURIs[0] != "https://wiki.example.org/new" || !o.Public || o.Offline || o.ClientID != "other" {
			t.Errorf("options: %+v, %v; want all that was changed", o, err)
		}
		got := events(t, h, audit.ApplicationChanged)
		if len(got) != 1 || !strings.Contains(got[0].Data["before"], "/cb") || !strings.Contains(got[0].Data["after"], "/new") ||
			got[0].Data["identifier_before"] != "wiki" || got[0].Data["identifier_after"] != "other" {
			t.Errorf("events: %+v", got)
		}
		// An identifier is one application's.
		addRelyingParty(t, h, "Second")
		if _, _, err := change(func(o *oidcclient.Options) { o.ClientID = "second" }); !errors.Is(err, identity.Conflict) {
			t.Errorf("another application's client id: %v, want Conflict", err)
		}
		// Of changes made from one state one wins, the others hear of it.
		won := storetest.Race(t, 8, func(i int) error {
			return h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
				next := app
				next.Config = []byte(strings.Replace(string(app.Config), "/new", fmt.Sprintf("/new%d", i), 1))
				return tx.Applications().Change(t.Context(), app, next)
			})
		})
		if won != 1 {
			t.Errorf("%d of 8 changes made from one state were written, want 1", won)
		}
	})
}

// A name is cleaned and checked in one place, whoever adds or changes the application, and
// by which protocol. Fails with cleanName taken out.
func TestApplicationNamesAreCleaned(t *testing.T) {
	h := storetest.SQLite(t)
	named := func(name string) identity.Application {
		return identity.Application{ID: identity.NewID(identity.ApplicationID), Name: name, Protocol: identity.SAML, Identifier: name, Config: []byte(`{}`)}
	}
	rename := func(id, name string) (identity.Application, error) {
		app, _, err := ChangeApplication(t.Context(), h.DB, h.Who, h.Tenant.ID, id, audit.ApplicationChanged, func(app identity.Application) (identity.Application, error) {
			app.Name = name
			return app, nil
		})
		return app, err
	}
	added, err := AddApplication(t.Context(), h.DB, h.Who, h.Tenant.ID, named(" Krähe\t"))
	if err != nil || added.Name != "Krähe" {
		t.Fatalf("added as %q, %v", added.Name, err)
	}
	if changed, err := rename(added.ID, "\u00a0Rabe "); err != nil || changed.Name != "Rabe" {
		t.Errorf("changed to %q, %v", changed.Name, err)
	}
	// One that was stored by other rules keeps nobody from changing something else.
	old := named("Old\u202e")
	old.Tenant = h.Tenant.ID
	h.Do(t, func(tx *store.Tx) error { return tx.Applications().Add(t.Context(), old) })
	_, _, err = ChangeApplication(t.Context(), h.DB, h.Who, h.Tenant.ID, old.ID, audit.ApplicationChanged, func(app identity.Application) (identity.Application, error) {
		app.Home = "https://old.example.org/"
		return app, nil
	})
	if err != nil {
		t.Errorf("another change of one with an old name: %v", err)
	}
	for _, typed := range []string{"", " ", "\u202e", "a\u202eb", "a\x07b", "a\nb", "\xff", strings.Repeat("x", identity.MaxName+1)} {
		if _, err := AddApplication(t.Context(), h.DB, h.Who, h.Tenant.ID, named(typed)); !errors.Is(err, identity.Invalid) {
			t.Errorf("added as %.20q: %v, want Invalid", typed, err)
		}
		if _, err := rename(added.ID, typed); !errors.Is(err, identity.Invalid) {
			t.Errorf("changed to %.20q: %v, want Invalid", typed, err)
		}
	}
}

// The first application that wants EdDSA gives its tenant a key, and the second has none
// made again. Fails with Ensure taken out.
func TestApplicationsKeyIsMade(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		keys := func() (n int) {
			t.Helper()
			all, err := h.DB.SigningKeys().Active(t.Context(), h.Tenant.ID, identity.OIDC)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range all {
				if k.Algorithm == signingkey.EdDSA {
					n++
				}
			}
			return n
		}
		wiki, _ := addRelyingParty(t, h, "Wiki")
		if n := keys(); n != 0 {
			t.Errorf("%d keys before anybody wants one", n)
		}
		for _, app := range []identity.Application{wiki, must(addRelyingParty(t, h, "Other"))} {
			_, _, err := ChangeApplication(t.Context(), h.DB, h.Who, h.Tenant.ID, app.ID, audit.ApplicationChanged, func(app identity.Application) (identity.Application, error) {
				o, err := oidcclient.OptionsOf(app)
				if err != nil {
					return app, err
				}
				o.Algorithm = signingkey.EdDSA
				app, _, err = oidcclient.WithOptions(app, o)
				return app, err
			})
			if n := keys(); err != nil || n != 1 {
				t.Errorf("%s: %d keys, %v; want one", app.Name, n, err)
			}
		}
	})
}

func must(app identity.Application, _ string) identity.Application { return app }
