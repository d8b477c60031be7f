package directory

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// operator is the principal of the changes in these tests.
func operator(h *storetest.Fixture) identity.Principal {
	return identity.Principal{Tenant: h.Tenant.ID, Kind: identity.CommandLine, Name: "root: latchkey user"}
}

func eventsOf(t *testing.T, h *storetest.Fixture, kind audit.Kind) []audit.Event {
	t.Helper()
	all, err := store.Collect(h.DB.Events().List(t.Context(), h.Tenant.ID, store.EventFilter{Kind: kind}))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestADM5_AChangeHasOldAndNewValues(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		d, who := New(h.DB, 1), operator(h)
		for _, name := range []string{"Nurses", "Doctors", "Staff"} {
			if _, err := d.AddGroup(t.Context(), who, h.Tenant.ID, name); err != nil {
				t.Fatal(err)
			}
		}
		display, mail, language, password := "Anna Berg", "berg@example.org", "de", "correct horse"
		u, err := d.Change(t.Context(), who, h.Tenant.ID, "Anna.Berg", Change{DisplayName: &display, Mail: &mail, Language: &language,
			Password: &password, Groups: []string{"nurses", "Staff"}})
		if err != nil {
			t.Fatal(err)
		}
		if u.DisplayName != display || u.Mail != mail || u.Language != language || u.PasswordChanged.IsZero() {
			t.Errorf("changed to %+v", u)
		}
		if ok, err := d.CheckPassword(t.Context(), u, password); !ok || err != nil {
			t.Errorf("the new password: %v, %v", ok, err)
		}
		events := eventsOf(t, h, audit.UserChanged)
		if len(events) != 1 {
			t.Fatalf("%d events, want 1", len(events))
		}
		e := events[0]
		for key, want := range map[string]string{"mail.before": "anna@example.org", "mail.after": mail, "display_name.before": "", "display_name.after": display} {
			if e.Personal[key] != want {
				t.Errorf("%s is %q, want %q", key, e.Personal[key], want)
			}
		}
		if e.Data["language.after"] != "de" || e.Data["password"] != "changed" || strings.Contains(fmt.Sprint(e), password) {
			t.Errorf("data: %v", e.Data)
		}
		// A repetition changes nothing and writes no event.
		if _, err := d.Change(t.Context(), who, h.Tenant.ID, "anna.berg", Change{Mail: &mail, Groups: []string{"Nurses", "Doctors"}, Leave: []string{"Staff"}}); err != nil {
			t.Fatal(err)
		}
		if again := eventsOf(t, h, audit.UserChanged); len(again) != 1 {
			t.Errorf("%d events after nothing changed, want 1", len(again))
		}
		groups, err := store.Collect(h.DB.Groups().OfUser(t.Context(), h.Tenant.ID, u.ID))
		if err != nil || len(groups) != 2 || groups[0].Name != "Doctors" || groups[1].Name != "Nurses" {
			t.Errorf("member of %+v, %v", groups, err)
		}
		if members := eventsOf(t, h, audit.GroupMember); len(members) != 4 {
			t.Errorf("%d events of memberships, want 4", len(members))
		}
		bad := "Anna <anna@example.org>"
		if _, err := d.Change(t.Context(), who, h.Tenant.ID, "anna.berg", Change{Mail: &bad}); !errors.Is(err, identity.Invalid) {
			t.Errorf("a mail address that is none: %v, want Invalid", err)
		}
		same := "anna.berg"
		if _, err := d.Change(t.Context(), who, h.Tenant.ID, "Anna.Berg", Change{Password: &same}); !errors.Is(err, identity.Invalid) {
			t.Errorf("the name as password: %v, want Invalid", err)
		}
	})
}

func TestStatesHaveEventsAndRepeatNone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		d, who := New(h.DB, 1), operator(h)
		for range 2 {
			for _, act := range []func() (identity.User, error){
				func() (identity.User, error) { return d.Lock(t.Context(), who, h.Tenant.ID, "anna.berg") },
				func() (identity.User, error) { return d.Disable(t.Context(), who, h.Tenant.ID, "anna.berg") },
			} {
				if _, err := act(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 2 {
			if u, err := d.Enable(t.Context(), who, h.Tenant.ID, "anna.berg"); err != nil || !u.Enabled() || u.LockedAt.IsZero() {
				t.Fatalf("enabled: %+v, %v, want it locked still", u, err)
			}
		}
		for kind, want := range map[audit.Kind]int{audit.UserLocked: 1, audit.UserDisabled: 1, audit.UserEnabled: 1} {
			if events := eventsOf(t, h, kind); len(events) != want {
				t.Errorf("%d events %s, want %d", len(events), kind, want)
			}
		}
	})
}

// Nothing of a removed user remains in any column of any table: the whole database is searched
// (foundations, Events). Events still say what happened, and the digest of the erased data
// remains.
func TestRemovalLeavesNothingOfThePerson(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		d, who := New(h.DB, 1), operator(h)
		marked := []string{"zacharias", "198.51.100.77", "Zack's Phone", "Mozilla/Zack"}
		if _, err := d.AddGroup(t.Context(), who, h.Tenant.ID, "Nurses"); err != nil {
			t.Fatal(err)
		}
		u, err := d.AddUser(t.Context(), who, h.Tenant.ID, NewUser{Name: "Zacharias", DisplayName: "Zacharias Z", Mail: "zacharias@example.org",
			Password: "correct horse", Groups: []string{"Nurses"}})
		if err != nil {
			t.Fatal(err)
		}
		h.User, h.Who.IP = u, marked[1]
		a := h.Authenticator(t, marked[2])
		now := h.Clock.Now()
		j := &identity.Journey{Tenant: h.Tenant.ID, ID: identity.NewID(identity.JourneyID), Application: h.Application.ID, Protocol: identity.SAML,
			Request: []byte(`{"login_hint":"zacharias"}`), Browser: "b", IP: marked[1], Fingerprint: marked[3], UserID: u.ID, Name: "ZACHARIAS",
			StartedAt: now, ExpiresAt: now.Add(time.Hour), Passed: []identity.CompletedFactor{{Validation: identity.Password, Method: identity.ByPassword, At: now}}}
		invitation := store.Invitation{Tenant: h.Tenant.ID, ID: "inv_1", User: u.ID, ExpiresAt: now.Add(time.Hour)}
		session := identity.Session{Tenant: h.Tenant.ID, ID: identity.NewID(identity.SessionID), UserID: u.ID, Browser: "b", AuthTime: now,
			Idle: time.Hour, ExpiresAt: now.Add(time.Hour)}
		h.Do(t, func(tx *store.Tx) error {
			if err := tx.Journeys().Add(t.Context(), j); err != nil {
				return err
			}
			if _, err := tx.Push().Add(t.Context(), store.PushRequest{Tenant: h.Tenant.ID, ID: identity.NewID(identity.PushID), User: u.ID, Journey: j.ID,
				Browser: "b", Application: "Payroll", Name: "Zacharias", IP: marked[1], Presence: policy.Enter, Number: "42", Nonce: "n",
				LoginAt: now, CreatedAt: now, ExpiresAt: now.Add(time.Minute)}); err != nil {
				return err
			}
			if err := tx.Sessions().Save(t.Context(), session, identity.NewSecret()); err != nil {
				return err
			}
			if _, err := tx.Sessions().Join(t.Context(), h.Tenant.ID, identity.SessionApplication{Session: session.ID, Application: h.Application.ID,
				Protocol: identity.SAML, Index: "i", Subject: "zacharias"}); err != nil {
				return err
			}
			if err := tx.Outbox().Queue(t.Context(), store.Message{Tenant: h.Tenant.ID, ID: identity.NewID(identity.MessageID), Kind: "code",
				Recipient: u.Mail, Language: "en", Arguments: []byte("{}"), Dedupe: "to " + u.Mail, MessageID: "m", ExpiresAt: now.Add(time.Hour)}); err != nil {
				return err
			}
			if _, err := tx.Invitations().Add(t.Context(), invitation, identity.NewSecret()); err != nil {
				return err
			}
			if err := tx.Users().RecordLogin(t.Context(), h.Tenant.ID, u.ID, "b", false, identity.ByPush); err != nil {
				return err
			}
			return tx.Event(t.Context(), audit.Event{Kind: audit.PasswordWrong, User: u.ID, Journey: j.ID, Personal: map[string]string{"name": "Zacharias"}})
		})
		if len(findMarks(t, h.DB, marked)) < 10 {
			t.Fatal("the test does not put the person where it looks")
		}
		gone, err := d.Remove(t.Context(), who, h.Tenant.ID, "zacharias")
		if err != nil {
			t.Fatal(err)
		}
		if gone.Authenticators != 1 || gone.Groups != 1 || gone.Sessions != 1 || gone.Events != 3 {
			t.Errorf("gone: %+v", gone)
		}
		for _, place := range findMarks(t, h.DB, marked) {
			t.Errorf("still there: %s", place)
		}
		if got, err := h.DB.Authenticators().Get(t.Context(), h.Tenant.ID, a.ID); err != nil || got.State() != identity.Revoked {
			t.Errorf("the authenticator: %s, %v, want it revoked", got.State(), err)
		}
		if got, err := h.DB.Invitations().Get(t.Context(), h.Tenant.ID, invitation.ID); err != nil || got.State(now) != store.InvitationRevoked {
			t.Errorf("the invitation: %s, %v, want it revoked", got.State(now), err)
		}
		of, err := store.Collect(h.DB.Events().List(t.Context(), h.Tenant.ID, store.EventFilter{User: u.ID}))
		if err != nil || len(of) != 6 {
			t.Fatalf("%d events of the removed user, %v, want 6", len(of), err)
		}
		for _, e := range of {
			told := e.Kind == audit.UserRemoved || e.Kind == audit.AuthenticatorRevoked || e.Kind == audit.EnrollInvitationEnded
			if e.Erased == told { // by whom is no datum of the person
				t.Errorf("%s erased: %v", e.Kind, e.Erased)
			}
		}
		// The user is not found by name, nor by the id as a name; the name is free.
		for _, name := range []string{"zacharias", u.ID} {
			if _, err := h.DB.Users().ByName(t.Context(), h.Tenant.ID, name); !errors.Is(err, identity.NotFound) {
				t.Errorf("%s is found: %v", name, err)
			}
		}
		again, err := d.AddUser(t.Context(), who, h.Tenant.ID, NewUser{Name: "Zacharias"})
		if err != nil || again.ID == u.ID {
			t.Errorf("the name again: %+v, %v", again, err)
		}
		if users, err := store.Collect(h.DB.Users().List(t.Context(), h.Tenant.ID, "", 10)); err != nil || len(users) != 2 {
			t.Errorf("%d users, %v, want 2", len(users), err)
		}
	})
}

// findMarks returns where in the database any of the marks occurs.
func findMarks(t *testing.T, db *store.DB, marks []string) []string {
	t.Helper()
	snapshot, err := db.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	var places []string
	for _, table := range snapshot.Tables {
		for row, err := range snapshot.Rows(t.Context(), table) {
			if err != nil {
				t.Fatal(err)
			}
			for i, value := range row {
				if bytes, ok := value.([]byte); ok {
					value = string(bytes)
				}
				text, _ := value.(string)
				for _, mark := range marks {
					if strings.Contains(strings.ToLower(text), strings.ToLower(mark)) {
						places = append(places, fmt.Sprintf("%s.%s: %s", table.Name, table.Columns[i], text))
					}
				}
			}
		}
	}
	return places
}

func TestRemoveGroup(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		d, who := New(h.DB, 1), operator(h)
		g, err := d.AddGroup(t.Context(), who, h.Tenant.ID, "Nurses")
		if err != nil {
			t.Fatal(err)
		}
		if err := d.AddMember(t.Context(), who, h.Tenant.ID, "Nurses", "anna.berg"); err != nil {
			t.Fatal(err)
		}
		document, err := policy.Encode(policy.SelfProvisioning{Target: policy.TargetOnly, Groups: []string{g.ID}})
		if err != nil {
			t.Fatal(err)
		}
		h.Do(t, func(tx *store.Tx) error {
			return tx.Policies().Set(t.Context(), h.Tenant.ID, policy.KindSelfProvisioning, 0, document)
		})
		_, err = d.RemoveGroup(t.Context(), who, h.Tenant.ID, "nurses")
		if !errors.Is(err, identity.Conflict) || !strings.Contains(err.Error(), "self-provisioning") {
			t.Errorf("a group a policy names: %v, want a Conflict that names the policy", err)
		}
		h.Do(t, func(tx *store.Tx) error {
			document, err := policy.Encode(policy.SelfProvisioning{Target: policy.TargetAll})
			if err != nil {
				return err
			}
			return tx.Policies().Set(t.Context(), h.Tenant.ID, policy.KindSelfProvisioning, 1, document)
		})
		if n, err := d.RemoveGroup(t.Context(), who, h.Tenant.ID, "nurses"); n != 1 || err != nil {
			t.Errorf("removed with %d members, %v, want 1", n, err)
		}
		if _, err := h.DB.Groups().ByName(t.Context(), h.Tenant.ID, "Nurses"); !errors.Is(err, identity.NotFound) {
			t.Errorf("the group afterwards: %v, want NotFound", err)
		}
		if len(eventsOf(t, h, audit.GroupRemoved)) != 1 || len(eventsOf(t, h, audit.GroupMember)) != 2 {
			t.Error("want an event of the group's end and two of the membership")
		}
	})
}
