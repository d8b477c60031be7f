package push

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// What an answer does, and in which order it is checked.
func TestPUSH13_Answers(t *testing.T) {
	far := func() (Verdict, store.Passcode, error) { return PasscodeTooFar, store.Passcode{}, nil }
	wrong := func() (Verdict, store.Passcode, error) { return PasscodeWrong, store.Passcode{}, nil }
	for _, tt := range []struct {
		name     string
		presence policy.Presence
		change   func(*Answer)
		outcome  store.PushOutcome
		refused  string
		failed   bool
		reason   string
	}{
		{name: "approved", presence: policy.Enter, outcome: store.PushApproved},
		{name: "approved without a check", presence: policy.NoPresence, outcome: store.PushApproved},
		{name: "PUSH-14 not me", presence: policy.Enter, change: func(a *Answer) { a.Decision, a.Number = DenyNotMe, "" },
			outcome: store.PushNotMe, failed: true, reason: "rejected by user"},
		{name: "PUSH-14 mistake", presence: policy.Enter, change: func(a *Answer) { a.Decision, a.Number = DenyMistake, "" }, outcome: store.PushMistake},
		{name: "PUSH-17 another number", presence: policy.Enter, change: func(a *Answer) { a.Number = "00" },
			outcome: store.PushWrongNumber, failed: true, reason: "wrong number"},
		{name: "no number", presence: policy.Enter, change: func(a *Answer) { a.Number = "" },
			outcome: store.PushWrongNumber, failed: true, reason: "wrong number"},
		{name: "a space before it", presence: policy.Enter, change: func(a *Answer) { a.Number = " " + a.Number },
			outcome: store.PushWrongNumber, failed: true, reason: "wrong number"},
		{name: "a zero before it", presence: policy.Enter, change: func(a *Answer) { a.Number = "0" + a.Number },
			outcome: store.PushWrongNumber, failed: true, reason: "wrong number"},
		{name: "in wide digits", presence: policy.Enter, change: func(a *Answer) {
			a.Number = strings.Map(func(r rune) rune { return r - '0' + '\uff10' }, a.Number)
		}, outcome: store.PushWrongNumber, failed: true, reason: "wrong number"},
		{name: "PUSH-16 a clock far off", presence: policy.Enter, change: func(a *Answer) { a.Passcode = far }, outcome: store.PushResync},
		{name: "a wrong passcode leaves it open", presence: policy.Enter, change: func(a *Answer) { a.Passcode = wrong }, refused: "passcode"},
		{name: "the number comes before the passcode", presence: policy.Enter,
			change:  func(a *Answer) { a.Number, a.Passcode = "00", wrong },
			outcome: store.PushWrongNumber, failed: true, reason: "wrong number"},
		{name: "another nonce", presence: policy.Enter, change: func(a *Answer) { a.Nonce = newNonce() }, refused: "request"},
		{name: "no nonce", presence: policy.Enter, change: func(a *Answer) { a.Nonce = "" }, refused: "request"},
		{name: "another request", presence: policy.Enter, change: func(a *Answer) { a.Request = identity.NewID(identity.PushID) }, refused: "request"},
		{name: "no decision", presence: policy.Enter, change: func(a *Answer) { a.Decision = "" }, refused: "malformed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := storetest.SQLite(t)
			a := h.Authenticator(t, "phone")
			j := h.Journey(t, "browser")
			p := mustStart(t, h, j, tt.presence)
			with := approval(p)
			if tt.change != nil {
				tt.change(&with)
			}
			end, err := answer(t, h, h.DB, a, with)
			if got := refused(err); got != tt.refused {
				t.Fatalf("refused %q, want %q", got, tt.refused)
			}
			if end.Outcome != tt.outcome || end.Failed != tt.failed {
				t.Errorf("outcome %q, failed %v, want %q, %v", end.Outcome, end.Failed, tt.outcome, tt.failed)
			}
			if _, err := claim(t, h, h.DB, j, p.ID); (err == nil) != (tt.outcome == store.PushApproved) {
				t.Errorf("a claim after %q: %v", tt.outcome, err)
			}
			if got := look(t, h, p.ID).Outcome; got != tt.outcome {
				t.Errorf("the row says %q, want %q", got, tt.outcome)
			}
			got := events(t, h, audit.PushRefused)
			if tt.reason == "" && len(got) != 0 || tt.reason != "" && (len(got) != 1 || got[0].Reason != tt.reason) {
				t.Errorf("events of failure: %v, want %q", got, tt.reason)
			}
		})
	}
}

// What was allowed when the request was sent must still be allowed when it is
// approved, and when the approval is claimed (attack 9).
//
// Without refused_at in the claim, it succeeded after the permission was restored.
// Without stillAllowed in approve and in Claim, and without each of its checks of
// user, policy, groups and authenticator state, the test fails.
func TestPUSH26_LiveState(t *testing.T) {
	off := func(t *testing.T, h *storetest.Fixture, kind policy.Kind, d policy.Document) {
		t.Helper()
		document, err := policy.Encode(d)
		if err != nil {
			t.Fatal(err)
		}
		h.Do(t, func(tx *store.Tx) error { return tx.Policies().Set(t.Context(), h.Tenant.ID, kind, 0, document) })
	}
	for _, tt := range []struct {
		name    string
		change  func(t *testing.T, h *storetest.Fixture, a identity.Authenticator)
		refused string
	}{
		{"user disabled", func(t *testing.T, h *storetest.Fixture, _ identity.Authenticator) {
			h.Do(t, func(tx *store.Tx) error {
				_, err := tx.Users().Disable(t.Context(), h.Tenant.ID, h.User.ID)
				return err
			})
		}, "push-not-allowed"},
		{"PUSH-9 push locked", func(t *testing.T, h *storetest.Fixture, _ identity.Authenticator) {
			h.Do(t, func(tx *store.Tx) error {
				return tx.Push().Lock(t.Context(), h.Tenant.ID, h.User.ID, h.Clock.Now().Add(time.Hour))
			})
		}, "push-not-allowed"},
		{"authenticator revoked", func(t *testing.T, h *storetest.Fixture, a identity.Authenticator) {
			h.Do(t, func(tx *store.Tx) error {
				_, err := tx.Authenticators().Revoke(t.Context(), a.Tenant, a.ID)
				return err
			})
		}, "state"},
		{"authenticator locked", func(t *testing.T, h *storetest.Fixture, a identity.Authenticator) {
			h.Do(t, func(tx *store.Tx) error {
				_, err := tx.Passcodes().CountInvalid(t.Context(), a.Tenant, a.ID, 1, time.Time{})
				return err
			})
		}, "state"},
		{"push switched off on the phone", func(t *testing.T, h *storetest.Fixture, a identity.Authenticator) {
			h.Do(t, func(tx *store.Tx) error {
				_, err := tx.Authenticators().SetPush(t.Context(), a.Tenant, a.ID, false)
				return err
			})
		}, "push-not-allowed"},
		{"PUSH-6 platform's push switched off", func(t *testing.T, h *storetest.Fixture, _ identity.Authenticator) {
			p := policy.DefaultPlatforms()
			p[identity.Android] = policy.PlatformRule{Allowed: true}
			off(t, h, policy.KindPlatforms, p)
		}, "push-not-allowed"},
		{"PUSH-6 apps not allowed any more", func(t *testing.T, h *storetest.Fixture, _ identity.Authenticator) {
			off(t, h, policy.KindPlatforms, policy.Platforms{})
		}, "push-not-allowed"},
		{"push switched off for all", func(t *testing.T, h *storetest.Fixture, _ identity.Authenticator) {
			p := policy.DefaultPush()
			p.Enabled = false
			off(t, h, policy.KindPush, p)
		}, "push-not-allowed"},
		{"authenticator suspended", func(t *testing.T, h *storetest.Fixture, a identity.Authenticator) {
			h.Do(t, func(tx *store.Tx) error {
				_, err := tx.Authenticators().Suspend(t.Context(), a.Tenant, a.ID)
				return err
			})
		}, "state"},
		{"user joined a group without push", func(t *testing.T, h *storetest.Fixture, _ identity.Authenticator) {
			g := identity.Group{Tenant: h.Tenant.ID, ID: identity.NewID(identity.GroupID), Name: "no push"}
			h.Do(t, func(tx *store.Tx) error {
				if err := tx.Groups().Add(t.Context(), g); err != nil {
					return err
				}
				return tx.Groups().AddMember(t.Context(), h.Tenant.ID, g.ID, h.User.ID)
			})
			p := policy.DefaultPush()
			p.Groups = map[string]policy.PushSettings{g.ID: {Presence: policy.NoPresence}}
			off(t, h, policy.KindPush, p)
		}, "push-not-allowed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := storetest.SQLite(t)
			a, j := h.Authenticator(t, "phone"), h.Journey(t, "browser")
			p := mustStart(t, h, j, policy.Enter)
			tt.change(t, h, a)
			if _, err := answer(t, h, h.DB, a, approval(p)); refused(err) != tt.refused {
				t.Errorf("approved after: %v, want %s", err, tt.refused)
			}

			h = storetest.SQLite(t)
			a, j = h.Authenticator(t, "phone"), h.Journey(t, "browser")
			p = mustStart(t, h, j, policy.Enter)
			if _, err := answer(t, h, h.DB, a, approval(p)); err != nil {
				t.Fatal(err)
			}
			tt.change(t, h, a)
			var err error
			h.Do(t, func(tx *store.Tx) error { _, err = Claim(t.Context(), tx, j, p.ID); return nil })
			if !errors.Is(err, identity.Forbidden) {
				t.Errorf("claimed after: %v, want Forbidden", err)
			}
			// For good, though what was taken away is given back.
			if s := look(t, h, p.ID); s.Outcome != store.PushNoLonger || s.Waiting() {
				t.Errorf("the page sees %q", s.Outcome)
			}
			if _, err := claim(t, h, h.DB, j, p.ID); !errors.Is(err, identity.Expired) {
				t.Errorf("claimed once more: %v, want Expired", err)
			}
			if n := len(events(t, h, audit.PushApproved)); n != 0 {
				t.Errorf("%d events of success", n)
			}
		})
	}
}

// An app whose list of capabilities was shortened cannot approve because of that
// (attack 17).
//
// Without CheckCapability in approve, it approved.
func TestPUSH22_AppThatCannot(t *testing.T) {
	h := storetest.SQLite(t)
	a := h.Authenticator(t, "phone")
	h.Do(t, func(tx *store.Tx) error {
		return tx.Authenticators().SetApp(t.Context(), a.Tenant, a.ID, "old/1.0.0", []string{"presence:none"})
	})
	p := mustStart(t, h, h.Journey(t, "browser"), policy.Enter)
	_, err := answer(t, h, h.DB, a, approval(p))
	if r, ok := errors.AsType[*Refusal](err); !ok || r.Code != "capability" || r.Capability != "presence:enter" {
		t.Errorf("approved by an app that cannot ask for a number: %v", err)
	}
	deny := approval(p)
	deny.Decision = DenyNotMe // but it can deny
	if end, err := answer(t, h, h.DB, a, deny); err != nil || end.Outcome != store.PushNotMe {
		t.Errorf("denied by it: %+v, %v", end, err)
	}
	if p, err := h.DB.Users().LoginState(t.Context(), h.Tenant.ID, h.User.ID, "", RejectionsSince(h.DB.Now())); !p.Rejected || err != nil {
		t.Errorf("PUSH-14: Rejected = %v, %v", p.Rejected, err)
	}
	h.Clock.Advance(25 * time.Hour)
	if p, err := h.DB.Users().LoginState(t.Context(), h.Tenant.ID, h.User.ID, "", RejectionsSince(h.DB.Now())); p.Rejected || err != nil {
		t.Errorf("PUSH-14: Rejected a day later = %v, %v", p.Rejected, err)
	}
}

// Another user's authenticator cannot answer, whatever it knows.
//
// Without the check of the authenticator's users in findRequest, it approved.
func TestPUSH11_OnlyTheUsersOwn(t *testing.T) {
	h := storetest.SQLite(t)
	p := mustStart(t, h, h.Journey(t, "browser"), policy.NoPresence)
	other := identity.User{Tenant: h.Tenant.ID, ID: identity.NewID(identity.UserID), Name: "mallory"}
	h.Do(t, func(tx *store.Tx) error { return tx.Users().Add(t.Context(), other) })
	h.User = other
	a := h.Authenticator(t, "mallory's phone")
	if _, err := answer(t, h, h.DB, a, approval(p)); refused(err) != "request" || !errors.Is(err, identity.NotFound) {
		t.Errorf("answered by somebody else: %v, want no such request", err)
	}
}

// Tenants are separate: a phone enrolled in another tenant finds no request of this
// one, and a journey there claims none, whatever they know.
//
// Without the tenant in PushRequest and in ClaimPush, this fails.
func TestPUSH26_TenantsAreApart(t *testing.T) {
	h := storetest.SQLite(t)
	own, j := h.Authenticator(t, "phone"), h.Journey(t, "browser")
	p := mustStart(t, h, j, policy.Enter)
	elsewhere := *h
	elsewhere.Tenant = identity.Tenant{ID: identity.NewID(identity.TenantID), Slug: "elsewhere", Name: "Elsewhere", Language: "en"}
	elsewhere.User = identity.User{Tenant: elsewhere.Tenant.ID, ID: h.User.ID, Name: h.User.Name}
	h.Do(t, func(tx *store.Tx) error {
		if err := tx.Tenants().Add(t.Context(), elsewhere.Tenant); err != nil {
			return err
		}
		return tx.Users().Add(t.Context(), elsewhere.User) // of the same id, which nobody draws
	})
	outsider := elsewhere.Authenticator(t, "phone")
	if _, err := answer(t, h, h.DB, outsider, approval(p)); refused(err) != "request" {
		t.Errorf("approved from elsewhere: %v, want no such request", err)
	}
	if _, err := answer(t, h, h.DB, own, approval(p)); err != nil {
		t.Fatal(err)
	}
	theirs := *j
	theirs.Tenant = elsewhere.Tenant.ID
	if _, err := claim(t, h, h.DB, &theirs, p.ID); !errors.Is(err, identity.Expired) {
		t.Errorf("claimed from elsewhere: %v, want Expired", err)
	}
	if _, err := claim(t, h, h.DB, j, p.ID); err != nil {
		t.Errorf("claimed by its own journey: %v", err)
	}
}

func TestCancel(t *testing.T) {
	h := storetest.SQLite(t)
	a, j := h.Authenticator(t, "phone"), h.Journey(t, "browser")
	p := mustStart(t, h, j, policy.Enter)
	for range 2 {
		h.Do(t, func(tx *store.Tx) error { return Cancel(t.Context(), tx, h.Tenant.ID, p.ID) })
	}
	if _, err := answer(t, h, h.DB, a, approval(p)); refused(err) != "ended cancelled" {
		t.Errorf("approved after the browser went back: %v, want ended cancelled", err)
	}
}

func TestPUSH18_Number(t *testing.T) {
	seen := make(map[string]bool)
	for range 5000 {
		n := randomNumber(2)
		if len(n) != 2 || n < "10" || n > "99" {
			t.Fatalf("number %q, want 10 to 99", n)
		}
		seen[n] = true
	}
	if len(seen) != 90 {
		t.Errorf("%d different numbers in 5000, want all 90", len(seen))
	}
}

// The events of a push, and no others: what the phone was shown, and how it ended.
func TestPUSH15_ADM6_RowsOfAPush(t *testing.T) {
	all := []audit.Kind{audit.PushChallenge, audit.PushApproved, audit.PushRefused, audit.OuterWindow}
	far := func() (Verdict, store.Passcode, error) { return PasscodeTooFar, store.Passcode{}, nil }
	for _, tt := range []struct {
		name   string
		change func(*Answer)
		want   string // kind and reason of what follows the challenge
	}{
		{"ignored", nil, ""},
		{"approved", func(*Answer) {}, "push.success "},
		{"not me", func(a *Answer) { a.Decision = DenyNotMe }, "push.failure rejected by user"},
		{"mistake", func(a *Answer) { a.Decision = DenyMistake }, ""},
		{"wrong number", func(a *Answer) { a.Number = "00" }, "push.failure wrong number"},
		{"clock far off", func(a *Answer) { a.Passcode = far }, "passcode.outer-window "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := storetest.SQLite(t)
			a, j := h.Authenticator(t, "phone"), h.Journey(t, "browser")
			p := mustStart(t, h, j, policy.Enter)
			if tt.change != nil {
				h.Clock.Advance(time.Second) // what happens within one has no order
				with := approval(p)
				tt.change(&with)
				if end, err := answer(t, h, h.DB, a, with); err != nil {
					t.Fatal(err)
				} else if end.Outcome == store.PushApproved {
					if _, err := claim(t, h, h.DB, j, p.ID); err != nil {
						t.Fatal(err)
					}
				}
			}
			h.Clock.Advance(2 * time.Minute)
			found, err := store.Collect(h.DB.Events().List(t.Context(), h.Tenant.ID, store.EventFilter{Kinds: all, Oldest: true}))
			if err != nil || len(found) == 0 || found[0].Kind != audit.PushChallenge {
				t.Fatalf("events %v, %v", found, err)
			}
			shown := found[0]
			want := map[string]string{"push": p.ID, "application": "Payroll", "organisation": h.Tenant.Name, "presence": "enter",
				"started": j.StartedAt.Format(time.RFC3339)}
			if !maps.Equal(shown.Data, want) {
				t.Errorf("the challenge says %v, want %v", shown.Data, want)
			}
			if shown.Personal["name"] != j.Name || shown.Personal["from"] != j.IP || shown.Personal["place"] != "Bergen, Norway" || shown.Personal["browser"] != j.Fingerprint || j.Fingerprint == "" {
				t.Errorf("and of the person %v", shown.Personal)
			}
			got := ""
			for _, e := range found[1:] {
				got += string(e.Kind) + " " + e.Reason
			}
			if got != tt.want {
				t.Errorf("then %q, want %q", got, tt.want)
			}
			for _, e := range found {
				for _, v := range e.Data {
					if v == p.Number {
						t.Errorf("PUSH-19: %s has the number: %v", e.Kind, e.Data)
					}
				}
			}
		})
	}
}
