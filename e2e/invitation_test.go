package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What tells the pages of an enrolment by mail apart.
const (
	invitation = `button[value="begin"]`
	byHand     = `#secret`
	ending     = `.glyph.sign`
	ownPages   = `main a.button`
)

// Outsider returns somebody who has no authenticator and may not enrol alone.
func (d *Demo) Outsider() User {
	d.t.Helper()
	for _, u := range d.Users {
		if !u.Target && !u.Authenticator {
			return u
		}
	}
	d.t.Fatalf("demo has nobody who may not enrol alone, only %+v", d.Users)
	return User{}
}

var invitationLink = regexp.MustCompile(`http://\S+/enroll#i1\.([A-Z2-7]{26})`)

// Invite has the user sent a link, and returns it with the code in it.
func (w *Flow) Invite(command string) (link, code string) {
	w.Desk.t.Helper()
	before := len(w.Demo.mailsTo(w.User.Mail))
	w.Demo.run(nil, "", "enrollment", command, w.User.Name)
	mail := w.Demo.AwaitMail(w.User.Mail, before)
	found := invitationLink.FindStringSubmatch(mail.Text)
	if found == nil || !strings.Contains(strings.Replace(mail.Text, found[0], "", 1), found[1]) {
		w.Desk.t.Fatalf("a mail without a link, or without its code beside it: %+v", mail)
	}
	return found[0], found[1]
}

// FollowLink goes from the mail to the password accepted.
func (w *Flow) FollowLink(link, code string) {
	w.Desk.t.Helper()
	w.Desk.Open(link)
	w.at("enroll-begin", invitation)
	if w.Desk.profile.NoScript {
		w.Desk.Type(byHand, code)
	} else if !w.Desk.Has(`#by-hand[hidden]`) {
		w.Desk.t.Error("who has scripts is asked for the code in the link")
	}
	w.Desk.Follow(invitation)
	w.at("enroll-password", password)
	if at := w.Desk.URL().String(); strings.Contains(at, code) {
		w.Desk.t.Errorf("the secret went on to %s", at)
	}
	w.Desk.Type(password, w.User.Password)
	w.Desk.Follow(press("continue"))
}

// The whole way by an enrolment mail, with scripts and without, in the languages
// we can look at, every page looked at on the way; and then a login, in which
// the new authenticator is asked for and works.
func TestENR19_ByMail(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		profile Profile
	}{
		{"en", Profile{}}, {"without scripts", Profile{NoScript: true}}, {"de", Profile{Lang: "de"}}, {"ar", Profile{Lang: "ar"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := NewFlow(t, "saml", tt.profile)
			w.User = w.Demo.Outsider()
			w.OnPage = func(page string) {
				w.Desk.checkLayout("invitation-" + w.Desk.profile.Lang + "-" + page)
			}
			w.SignIn()
			w.at("refused", ending) // and told to ask for the mail (ENR-3)

			link, code := w.Invite("invite")
			w.FollowLink(link, code)
			w.PickPlatform("android")
			w.Phone.Activate(w.ShortCode(), false)
			w.continueWithoutScripts()
			w.at("enroll-done", ownPages)
			w.Desk.Reload()
			w.Desk.See(ownPages)

			// The link is used up, in this browser and in any other.
			w.Desk.Open(link)
			if tt.profile.NoScript {
				w.Desk.Type(byHand, code)
			}
			w.Desk.Follow(invitation)
			w.at("enroll-used", ending)

			w.OnPage = nil
			w.SignIn()
			w.Passcode()
			w.Arrive()

			for _, file := range []string{"demo.log", "latchkey.db", "latchkey.db-wal"} {
				if data, err := os.ReadFile(filepath.Join(w.Demo.dir, file)); err == nil && strings.Contains(string(data), code) {
					t.Errorf("the secret is in %s", file)
				}
			}
		})
	}
}

// The server is killed while the link is open, while the QR code is shown, and
// right after the app was activated; each time the same browser goes on. A
// browser that was lost begins again from the mail.
func TestENR19_KilledInTheMiddle(t *testing.T) {
	t.Parallel()
	w := NewFlow(t, "saml", Profile{})
	w.User = w.Demo.Outsider()
	link, code := w.Invite("invite")
	lost := w.Desk.Tab()
	lost.Open(link)
	lost.Follow(invitation)
	lost.See(password)

	w.Demo.Restart()
	w.FollowLink(link, code)
	w.PickPlatform("android")
	short := w.ShortCode()
	w.Demo.Restart()
	w.Desk.Reload()
	if got := w.ShortCode(); got != short {
		t.Errorf("after the restart the short code is %s, was %s", got, short)
	}
	w.Phone.Activate(short, false)
	w.Demo.Restart()
	w.Desk.Reload()
	w.Desk.See(ownPages)
}

// An operator's revocation, and a newer mail, reach the page that is open.
func TestENR19_EndedUnderAnOpenPage(t *testing.T) {
	t.Parallel()
	w := NewFlow(t, "saml", Profile{})
	w.User = w.Demo.Outsider()
	for _, tt := range []struct{ first, then, says string }{
		{"invite", "resend", "A newer mail was sent to you"},
		{"resend", "revoke", "This link was withdrawn"},
	} {
		w.FollowLink(w.Invite(tt.first))
		w.PickPlatform("android")
		w.Demo.run(nil, "", "enrollment", tt.then, w.User.Name)
		w.Desk.Await(tt.says, fmt.Sprintf(`document.querySelector("h1").textContent.includes(%q)`, tt.says))
	}
}
