package enroll

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/templates"
)

// invite sends a user a link.
func (h *house) invite(t *testing.T, user identity.User) store.Invitation {
	t.Helper()
	var i store.Invitation
	h.Do(t, func(tx *store.Tx) (err error) {
		var why Hindrance
		i, why, err = Invite(t.Context(), tx, user, InvitationLife, "https://id.example.org/t/demo")
		if why != "" {
			t.Errorf("hindered: %q", why)
		}
		return err
	})
	return i
}

// An invitation is used up by the transaction it is redeemed in, and by one.
func TestENR19_OfManyThatRedeemOneDoes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		user := h.addUser(t, "dora")
		i := h.invite(t, user)
		var journeys []*identity.Journey
		for range 8 {
			journeys = append(journeys, h.openJourney(t, user, i))
		}
		nodes := []*store.DB{h.DB, h.Node(t)}
		won := storetest.Race(t, len(journeys), func(n int) error {
			return nodes[n%2].InTx(t.Context(), h.Who, func(tx *store.Tx) error {
				return redeem(t.Context(), tx, journeys[n].ID, user, identity.Authenticator{ID: "aut_x"})
			})
		})
		if got := len(h.events(t, h.Tenant.ID, audit.EnrollInvitationUsed)); won != 1 || got != 1 {
			t.Errorf("%d redeemed, with %d events; want 1", won, got)
		}
	})
}

// openJourney is a journey that an invitation began.
func (h *house) openJourney(t *testing.T, user identity.User, i store.Invitation) *identity.Journey {
	t.Helper()
	now := h.Clock.Now()
	j := &identity.Journey{Tenant: user.Tenant, ID: identity.NewID(identity.JourneyID), Application: h.Application.ID, Protocol: identity.SAML,
		Request: []byte(`{}`), Invitation: i.ID, Browser: "b", UserID: user.ID, Name: user.Name, Enroll: identity.EnrollPlatform,
		Code: identity.Code{PassedAt: now}, StartedAt: now, ExpiresAt: now.Add(15 * time.Minute)}
	h.Do(t, func(tx *store.Tx) error { return tx.AddJourney(t.Context(), j) })
	return j
}

func TestENR19_WhatCannotBeRedeemed(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for name, spoil := range map[string]func(tx *store.Tx, i store.Invitation) error{
			"revoked": func(tx *store.Tx, i store.Invitation) error {
				_, err := tx.RevokeInvitation(t.Context(), i)
				return err
			},
			"replaced": func(tx *store.Tx, i store.Invitation) error {
				_, err := tx.ReplaceInvitation(t.Context(), i)
				return err
			},
		} {
			user := h.addUser(t, name)
			i := h.invite(t, user)
			j := h.openJourney(t, user, i)
			h.Do(t, func(tx *store.Tx) error { return spoil(tx, i) })
			err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
				return redeem(t.Context(), tx, j.ID, user, identity.Authenticator{ID: "aut_x"})
			})
			if !errors.Is(err, identity.Conflict) {
				t.Errorf("%s: %v, want a Conflict", name, err)
			}
		}
		// Somebody else's journey, whatever its row says, and a user who has one.
		user, other := h.addUser(t, "mine"), h.addUser(t, "theirs")
		i := h.invite(t, user)
		for name, who := range map[string]identity.User{"another user": other, "has one": user} {
			j := h.openJourney(t, who, i)
			err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error {
				if name == "has one" {
					if _, _, err := HandOut(t.Context(), tx, user, Handout{Kind: identity.TOTP, Secret: otp.NewSecret(otp.SHA1), Digits: 6, Period: 30}); err != nil {
						return err
					}
				}
				return redeem(t.Context(), tx, j.ID, who, identity.Authenticator{ID: "aut_x"})
			})
			if !errors.Is(err, identity.Conflict) {
				t.Errorf("%s: %v, want a Conflict", name, err)
			}
		}
	})
}

// Ending an invitation voids what was begun by it, and nothing of a login.
func TestENR19_EndingVoidsWhatWasBegunByIt(t *testing.T) {
	h := onSQLite(t)
	user := h.addUser(t, "dora")
	i := h.invite(t, user)
	j := h.openJourney(t, user, i)
	h.step(t, j, func(tx *store.Tx) error {
		_, err := ChoosePlatform(t.Context(), tx, j, user, identity.Android, h.rules, "en")
		return err
	})
	woken, stop := h.DB.Subscribe(store.JourneyTopic(h.openJourney(t, user, i).ID)) // of a page where nothing is issued yet
	defer stop()
	h.Do(t, func(tx *store.Tx) error { return Revoke(t.Context(), tx, i) })
	select {
	case <-woken:
	default:
		t.Error("a page that the link opened was not told")
	}
	if got := h.shown(t, j).State; got != Expired {
		t.Errorf("what it began is %q, want %q", got, Expired)
	}
	i = h.invite(t, user)
	_, login := h.issued(t, user)
	h.Do(t, func(tx *store.Tx) error { return Revoke(t.Context(), tx, i) })
	if a := h.newApp(t); login.State != Waiting || a.call(t, "activate", fields{"secret": login.Secret}).status != 200 {
		t.Error("ending an invitation ended what a login began")
	}
	if err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) error { return Revoke(t.Context(), tx, i) }); !errors.Is(err, identity.Conflict) {
		t.Errorf("revoked again: %v, want a Conflict", err)
	}
}

func TestENR19_WhoIsNotInvited(t *testing.T) {
	h := onSQLite(t)
	disabled := h.addUser(t, "disabled")
	disabled.DisabledAt = h.Clock.Now()
	mute := h.addUser(t, "mute")
	mute.Mail = ""
	forged := h.addUser(t, "forged")
	forged.Mail = "a@example.org\r\nBcc: b@example.org"
	has := h.addUser(t, "has")
	h.enrolled(t, has, false)
	half := h.addUser(t, "half")
	_, shown := h.issued(t, half)
	h.newApp(t).must(t, "activate", fields{"secret": shown.Secret})
	for _, tt := range []struct {
		user identity.User
		want Hindrance
	}{{disabled, InviteDisabled}, {mute, InviteNoMail}, {forged, InviteNoMail}, {has, InviteHas}, {half, ""}} {
		if got, err := Hindered(t.Context(), h.DB, tt.user); got != tt.want || err != nil {
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
		return tx.SetPolicy(t.Context(), h.Tenant.ID, policy.KindPlatforms, 0, document)
	})
	if got, err := Hindered(t.Context(), h.DB, half); got != InviteNoPlatform || err != nil {
		t.Errorf("without a platform: %q, %v", got, err)
	}
}

// The secret is in the mail and nowhere else, and a newer mail is the only one
// that leaves.
func TestENR19_TheMailAloneHasTheSecret(t *testing.T) {
	h := onSQLite(t)
	user := h.addUser(t, "dora")
	h.invite(t, user)
	i := h.invite(t, user)
	mails := h.mailed(t)
	if len(mails) != 1 || mails[0].Kind != templates.MailInvitation || !mails[0].ExpiresAt.Equal(i.ExpiresAt) {
		t.Fatalf("mails: %+v", mails)
	}
	_, secret, _ := strings.Cut(string(mails[0].Arguments), invitationMark)
	secret = secret[:26]
	if got := InvitationSecret(secret); got != secret {
		t.Errorf("secret %q is read as %q", secret, got)
	}
	found, err := h.DB.InvitationBySecret(t.Context(), h.Tenant.ID, secret)
	if err != nil || found.ID != i.ID {
		t.Errorf("found %+v, %v", found, err)
	}
	for _, e := range h.events(t, h.Tenant.ID, "") {
		for _, v := range e.Data {
			if strings.Contains(v, secret) {
				t.Errorf("event %s has the secret", e.Kind)
			}
		}
	}
}

func TestInvitationSecret(t *testing.T) {
	const secret = "ABCDEFGHIJKLMNOPQRSTUVWX27"
	for brought, want := range map[string]string{
		secret: secret, "  " + strings.ToLower(secret) + "\n": secret, secret[:10] + " \u00a0" + secret[10:]: secret,
		"#i1." + secret: secret, "https://id.example.org/t/demo/enroll#i1." + secret: secret,
		"https://safe.example.net/?u=https%3A%2F%2Fid#i1.x#i1." + secret: secret,
		"": "", secret[1:]: "", secret + "A": "", strings.Replace(secret, "A", "0", 1): "", strings.Replace(secret, "A", "\x00", 1): "",
		strings.Repeat(" ", 3000) + secret: "", "#i1.": "",
	} {
		if got := InvitationSecret(brought); got != want {
			t.Errorf("%q is read as %q, want %q", brought, got, want)
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

func FuzzInvitationSecret(f *testing.F) {
	f.Add("https://id.example.org/t/demo/enroll#i1.ABCDEFGHIJKLMNOPQRSTUVWX27")
	f.Fuzz(func(t *testing.T, brought string) {
		if got := InvitationSecret(brought); got != "" && (len(got) != 26 || strings.Trim(got, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "") {
			t.Errorf("%q is read as %q", brought, got)
		}
	})
}
