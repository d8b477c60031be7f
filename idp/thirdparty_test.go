package idp_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/templates"
)

// toPlatform goes from the portal, as somebody who has no authenticator, to
// what follows the mailed code.
func (s *site) toPlatform() *userAgent {
	s.t.Helper()
	v := s.userAgent().open("/t/demo/login").send("username", "berit.lie").send("password", password).sees(`value="enrol"`).send("do", "enrol")
	return v.sees(`name="code"`).send("code", s.mailedCode())
}

// mailedCode takes the verification code out of the outbox, once it was made as a
// server does in the background.
func (s *site) mailedCode() string {
	s.t.Helper()
	if _, err := (&enroll.CodeMailer{DB: s.DB}).Flush(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	var args templates.VerificationCode
	s.Do(s.t, func(tx *store.Tx) error {
		due, err := tx.Outbox().Lease(s.t.Context(), "test", s.Clock.Now().Add(time.Hour), 10)
		if err != nil || len(due) == 0 {
			s.t.Fatalf("mails: %v, %v", due, err)
		}
		return json.Unmarshal(due[len(due)-1].Arguments, &args)
	})
	return args.Code
}

// newcomer is a site whose user has no authenticator.
func newcomer(t *testing.T, h *storetest.Fixture, set ...policy.Document) *site {
	t.Helper()
	s := newSite(t, h)
	h.Do(t, func(tx *store.Tx) error {
		_, err := tx.Authenticators().Revoke(t.Context(), h.Tenant.ID, s.token.ID)
		return err
	})
	for _, d := range set {
		s.set(d)
	}
	return s
}

// allowed lets another vendor's app be enrolled.
func allowed() policy.Document {
	d := policy.DefaultSelfProvisioning()
	d.ThirdParty = true
	return d
}

var typedSecret = regexp.MustCompile(`id="secret"[^>]*>([A-Z2-7 ]+)<`)

func (v *userAgent) secret() []byte {
	v.t.Helper()
	found := typedSecret.FindStringSubmatch(v.page)
	if found == nil {
		v.t.Fatalf("no secret on\n%s", v.page)
	}
	secret, err := otp.DecodeSecret(found[1])
	if err != nil {
		v.t.Fatal(err)
	}
	return secret
}

func TestENR12_AnotherAppWithoutScripts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		s := newcomer(t, h, allowed())
		v := s.toPlatform().sees(`value="third-party"`).send("platform", "third-party").sees(`class="qr"`)
		secret := v.secret()
		now := func() string { return otp.TOTP(secret, otp.Params{}, h.Clock.Now()) }
		if v.open(v.at); string(v.secret()) != string(secret) {
			t.Error("a reload shows another secret")
		}
		v.send("passcode", otp.TOTP(secret, otp.Params{}, h.Clock.Now().Add(time.Hour))).sees(`id="problem"`).sees(`class="qr"`)
		if string(v.secret()) != string(secret) {
			t.Error("a wrong passcode changed the secret")
		}
		v.send("do", "back").sees(`value="third-party"`).send("platform", "third-party")
		if string(v.secret()) == string(secret) {
			t.Error("choosing anew shows the old secret")
		}
		secret = v.secret()
		spent := now()
		v.send("passcode", spent).sees("Wait until it shows a new passcode").sees(`name="passcode"`)
		v.send("passcode", spent).sees("already used")
		h.Clock.Advance(30 * time.Second)
		v.send("passcode", now()).sees("signed in as " + h.User.ID)
	})
}

// Where it is the one thing allowed, its choice is skipped (ENR-7).
func TestENR12_NothingElseAllowed(t *testing.T) {
	s := newcomer(t, storetest.SQLite(t), allowed(), policy.Platforms{})
	s.toPlatform().sees(`id="secret"`)
}

// The link of an enrolment mail leads to the same page, and ends with it: there
// is no login that a next passcode would be for.
func TestENR12_ByInvitation(t *testing.T) {
	s := newcomer(t, storetest.SQLite(t), allowed(), policy.Platforms{})
	var mailed templates.Invitation
	s.Do(t, func(tx *store.Tx) error {
		if _, why, err := admin.Invite(t.Context(), tx, s.User, time.Hour, s.url+"/t/demo"); err != nil || why != "" {
			t.Fatalf("Invite: %q, %v", why, err)
		}
		due, err := tx.Outbox().Lease(t.Context(), "test", s.Clock.Now().Add(time.Hour), 10)
		if err != nil || len(due) != 1 {
			t.Fatalf("mails: %v, %v", due, err)
		}
		return json.Unmarshal(due[0].Arguments, &mailed)
	})
	v := s.userAgent().open("/t/demo/enroll").send("secret", mailed.Code).send("password", password)
	v.sees(`id="secret"`).send("do", "back").sees(`value="third-party"`).send("platform", "third-party")
	v.send("passcode", otp.TOTP(v.secret(), otp.Params{}, s.Clock.Now()))
	if strings.Contains(v.page, `name="passcode"`) || strings.Contains(v.page, `id="problem"`) {
		t.Errorf("after the confirmation:\n%s", v.page)
	}
	all, err := store.Collect(s.DB.Authenticators().OfUser(t.Context(), s.Tenant.ID, s.User.ID))
	if err != nil || len(all) != 1 || all[0].Kind != identity.TOTP {
		t.Errorf("authenticators: %+v, %v", all, err)
	}
	s.userAgent().open("/t/demo/enroll").send("secret", mailed.Code).sees("already")
}

// Where passcodes do not count it would be of no use, and where the tenant does
// not allow it it is not there: neither on the page nor by its form.
func TestENR12_NotOffered(t *testing.T) {
	push := policy.DefaultPush()
	push.CodesAllowed = false
	for name, set := range map[string][]policy.Document{
		"not allowed":         {policy.DefaultSelfProvisioning()},
		"passcodes count not": {allowed(), push},
	} {
		t.Run(name, func(t *testing.T) {
			v := newcomer(t, storetest.SQLite(t), set...).toPlatform().sees(`name="platform"`)
			if strings.Contains(v.page, "third-party") {
				t.Error("another app is offered")
			}
			if v.send("platform", "third-party"); strings.Contains(v.page, `id="secret"`) || !strings.Contains(v.page, `name="platform"`) {
				t.Errorf("its form leads to\n%s", v.page)
			}
		})
	}
}
