package admin

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

func addUser(t *testing.T, h *storetest.Fixture, name string) identity.User {
	t.Helper()
	user := identity.User{Tenant: h.Tenant.ID, ID: identity.NewID(identity.UserID), Name: name, Mail: "anna@example.org"}
	h.Do(t, func(tx *store.Tx) error { return tx.Users().Add(t.Context(), user) })
	return user
}

// invite sends a user a link.
func invite(t *testing.T, h *storetest.Fixture, user identity.User) store.Invitation {
	t.Helper()
	var i store.Invitation
	h.Do(t, func(tx *store.Tx) (err error) {
		var why Ineligible
		i, why, err = Invite(t.Context(), tx, user, InvitationLife, "https://id.example.org/t/demo")
		if why != "" {
			t.Errorf("not invited: %q", why)
		}
		return err
	})
	return i
}

// loginJourney is a journey of a user who typed the code that was mailed.
func loginJourney(t *testing.T, h *storetest.Fixture, user identity.User) *identity.Journey {
	t.Helper()
	return addJourney(t, h, user, "")
}

// invitedJourney is a journey that an invitation began.
func invitedJourney(t *testing.T, h *storetest.Fixture, user identity.User, i store.Invitation) *identity.Journey {
	t.Helper()
	return addJourney(t, h, user, i.ID)
}

func addJourney(t *testing.T, h *storetest.Fixture, user identity.User, invitation string) *identity.Journey {
	t.Helper()
	now := h.Clock.Now()
	j := &identity.Journey{Tenant: user.Tenant, ID: identity.NewID(identity.JourneyID), Application: h.Application.ID, Protocol: identity.SAML,
		Request: []byte(`{}`), Invitation: invitation, Browser: "b", UserID: user.ID, Name: user.Name, Enroll: identity.EnrollPlatform,
		Code: identity.Code{PassedAt: now}, StartedAt: now, ExpiresAt: now.Add(15 * time.Minute)}
	h.Do(t, func(tx *store.Tx) error { return tx.Journeys().Add(t.Context(), j) })
	return j
}

// choosePlatform goes as far as the page with the QR code, on Android.
func choosePlatform(t *testing.T, h *storetest.Fixture, j *identity.Journey, user identity.User) {
	t.Helper()
	h.Do(t, func(tx *store.Tx) error {
		rules, err := enroll.ReadRules(t.Context(), tx.Reader, user.Tenant)
		if err != nil {
			return err
		}
		if _, err := enroll.ChoosePlatform(t.Context(), tx, j, user, identity.Android, rules, "en"); err != nil {
			return err
		}
		return tx.Journeys().Step(t.Context(), j)
	})
}

// registerKey does what an app does that has scanned the QR code: its
// authenticator is being set up.
func registerKey(t *testing.T, h *storetest.Fixture, j *identity.Journey, user identity.User) {
	t.Helper()
	h.Do(t, func(tx *store.Tx) error {
		act, err := tx.Activations().OfJourney(t.Context(), j.Tenant, j.ID)
		if err != nil {
			return err
		}
		a := identity.Authenticator{Tenant: user.Tenant, ID: identity.NewID(identity.AuthenticatorID), Serial: "LK-HALF-MADE", Kind: identity.AppToken,
			Name: "Pixel 9", Platform: identity.Android, Key: []byte(`{}`), Seed: []byte("12345678901234567890"), Digits: 6, Step: 30, LastStep: -1,
			Template: []byte(`{}`), EnrolledAt: tx.Now()}
		if err := tx.Authenticators().Add(t.Context(), a, user.ID); err != nil {
			return err
		}
		used, err := tx.Activations().Use(t.Context(), act, "a thumbprint", a.ID)
		if !used {
			t.Errorf("the activation was not used: %v", err)
		}
		return err
	})
	if got := shown(t, h, j); got != enroll.KeyRegistered {
		t.Fatalf("the activation is %q, want %q", got, enroll.KeyRegistered)
	}
}

// shown is where the activation of a journey stands.
func shown(t *testing.T, h *storetest.Fixture, j *identity.Journey) enroll.ActivationState {
	t.Helper()
	a, err := enroll.Shown(t.Context(), h.DB.Reader, j)
	if err != nil {
		t.Fatal(err)
	}
	return a.State
}

// Ending an invitation voids what was begun by it, and nothing of a login.
func TestENR19_EndingVoidsWhatWasBegunByIt(t *testing.T) {
	h := storetest.SQLite(t)
	user := addUser(t, h, "dora")
	i := invite(t, h, user)
	j := invitedJourney(t, h, user, i)
	choosePlatform(t, h, j, user)
	woken, stop := h.DB.Subscribe(store.JourneyTopic(invitedJourney(t, h, user, i).ID)) // of a page where nothing is issued yet
	defer stop()
	h.Do(t, func(tx *store.Tx) error { return RevokeInvitation(t.Context(), tx, i) })
	select {
	case <-woken:
	default:
		t.Error("a page that the link opened was not told")
	}
	if got := shown(t, h, j); got != enroll.Expired {
		t.Errorf("what it began is %q, want %q", got, enroll.Expired)
	}
	i = invite(t, h, user)
	login := loginJourney(t, h, user)
	choosePlatform(t, h, login, user)
	h.Do(t, func(tx *store.Tx) error { return RevokeInvitation(t.Context(), tx, i) })
	if got := shown(t, h, login); got != enroll.Waiting {
		t.Errorf("ending an invitation ended what a login began: it is %q", got)
	}
	if err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error { return RevokeInvitation(t.Context(), tx, i) }); !errors.Is(err, identity.Conflict) {
		t.Errorf("revoked again: %v, want a Conflict", err)
	}
}

func TestENR19_WhoIsNotInvited(t *testing.T) {
	h := storetest.SQLite(t)
	disabled := addUser(t, h, "disabled")
	disabled.DisabledAt = h.Clock.Now()
	mute := addUser(t, h, "mute")
	mute.Mail = ""
	forged := addUser(t, h, "forged")
	forged.Mail = "a@example.org\r\nBcc: b@example.org"
	has := addUser(t, h, "has")
	h.Do(t, func(tx *store.Tx) error {
		_, _, err := authenticator.Provision(t.Context(), tx, has, authenticator.TokenSpec{Kind: identity.TOTP})
		return err
	})
	half := addUser(t, h, "half")
	setUp := loginJourney(t, h, half)
	choosePlatform(t, h, setUp, half)
	registerKey(t, h, setUp, half)
	for _, tt := range []struct {
		user identity.User
		want Ineligible
	}{{disabled, InviteDisabled}, {mute, InviteNoMail}, {forged, InviteNoMail}, {has, InviteHas}, {half, ""}} {
		if got, err := MayInvite(t.Context(), h.DB.Reader, tt.user); got != tt.want || err != nil {
			t.Errorf("%s: %q, %v, want %q", tt.user.Name, got, err, tt.want)
		}
		h.Do(t, func(tx *store.Tx) error {
			i, why, err := Invite(t.Context(), tx, tt.user, time.Hour, "https://id.example.org/t/demo")
			if why != tt.want || (i.ID == "") != (tt.want != "") {
				t.Errorf("%s: invited as %q though %q", tt.user.Name, i.ID, why)
			}
			return err
		})
	}
	document, err := policy.Encode(policy.Platforms{})
	if err != nil {
		t.Fatal(err)
	}
	h.Do(t, func(tx *store.Tx) error {
		return tx.Policies().Set(t.Context(), h.Tenant.ID, policy.KindPlatforms, 0, document)
	})
	if got, err := MayInvite(t.Context(), h.DB.Reader, half); got != InviteNoPlatform || err != nil {
		t.Errorf("without a platform: %q, %v", got, err)
	}
	// Another vendor's app is one, where its passcodes count (ENR-12). (Without the
	// push policy in the judgement, the second would be invited to a dead end.)
	thirdParty := policy.DefaultSelfProvisioning()
	thirdParty.ThirdParty = true
	push := policy.DefaultPush()
	for _, tt := range []struct {
		codes bool
		want  Ineligible
	}{{true, ""}, {false, InviteNoPlatform}} {
		push.CodesAllowed = tt.codes
		if err := setPolicies(t, h, replacing(thirdParty, push), nil); err != nil {
			t.Fatal(err)
		}
		if got, err := MayInvite(t.Context(), h.DB.Reader, half); got != tt.want || err != nil {
			t.Errorf("with another vendor's app alone, codes allowed %v: %q, %v, want %q", tt.codes, got, err, tt.want)
		}
	}
}

// Whoever has a link that works is left out, and each is invited once however many
// operators do it; a dry run sends nothing; what ends it says who was done before.
func TestENR19_InviteEach(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		dora, mute := addUser(t, h, "dora"), addUser(t, h, "mute")
		mute.Mail = ""
		request := InvitationRequest{Life: time.Hour, Base: "https://id.example.org/t/demo"}
		invite := func(r InvitationRequest) []InvitationResult {
			t.Helper()
			results, err := InviteEach(t.Context(), h.DB, h.Who, []identity.User{dora, mute}, r)
			if err != nil || len(results) != 2 || results[1].Invited || results[1].Ineligible != InviteNoMail {
				t.Errorf("%+v, %v", results, err)
			}
			return results
		}
		dry := request
		dry.DryRun = true
		if results := invite(dry); !results[0].Invited || len(events(t, h, audit.EnrollInvited)) != 0 {
			t.Errorf("a dry run: %+v, with %d events", results, len(events(t, h, audit.EnrollInvited)))
		}
		storetest.Race(t, 4, func(int) error { invite(request); return nil })
		if got := len(events(t, h, audit.EnrollInvited)); got != 1 {
			t.Errorf("four operators at once sent %d links, want 1", got)
		}
		if results := invite(request); results[0].Invited || results[0].WorkingUntil.IsZero() {
			t.Errorf("invited though there is a link: %+v", results[0])
		}
		request.Again = true
		if results := invite(request); !results[0].Invited {
			t.Errorf("not invited again: %+v", results[0])
		}
		h.Do(t, func(tx *store.Tx) error {
			_, err := RevokeOpenInvitation(t.Context(), tx, dora)
			return err
		})
		err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
			_, err := RevokeOpenInvitation(t.Context(), tx, dora)
			return err
		})
		if !errors.Is(err, identity.NotFound) {
			t.Errorf("revoked again: %v, want NotFound", err)
		}
	})
}

// The secret is in the mail and nowhere else, and a newer mail is the only one
// that leaves.
func TestENR19_TheMailAloneHasTheSecret(t *testing.T) {
	h := storetest.SQLite(t)
	user := addUser(t, h, "dora")
	invite(t, h, user)
	i := invite(t, h, user)
	var mails []store.Message
	h.Do(t, func(tx *store.Tx) (err error) {
		mails, err = tx.Outbox().Lease(t.Context(), "test", h.Clock.Now().Add(24*time.Hour), 100)
		return err
	})
	if len(mails) != 1 || mails[0].Kind != "enrolment-invitation" || !mails[0].ExpiresAt.Equal(i.ExpiresAt) {
		t.Fatalf("mails: %+v", mails)
	}
	_, secret, _ := strings.Cut(string(mails[0].Arguments), "#i1.")
	secret = secret[:26]
	if got := enroll.InvitationSecret(secret); got != secret {
		t.Errorf("secret %q is read as %q", secret, got)
	}
	found, err := h.DB.Invitations().BySecret(t.Context(), h.Tenant.ID, secret)
	if err != nil || found.ID != i.ID {
		t.Errorf("found %+v, %v", found, err)
	}
	for _, e := range events(t, h, "") {
		for _, v := range e.Data {
			if strings.Contains(v, secret) {
				t.Errorf("event %s has the secret", e.Kind)
			}
		}
	}
}

func TestReadNames(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"anna\nbo\n", "anna bo"},
		{"\ufeffname\r\nanna\r\n\r\nbo\r\n", "anna bo"},
		{"mail, Name ,groups\nx@example.org,anna,a;b\n", "anna"},
		{"\"anna\"\n", "anna"},
		{"name\n\n", "!"}, {"", "!"}, {"mail,name\nx\n", "!"}, {"\"anna", "!"}, {"\xff\xfe", "!"},
	} {
		names, err := ReadNames([]byte(tt.in))
		got := strings.Join(names, " ")
		if err != nil {
			got = "!"
		}
		if got != tt.want {
			t.Errorf("%q: %q, %v, want %q", tt.in, got, err, tt.want)
		}
	}
}
