package policy

import (
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Users are counted if passcodes are refused and no app of theirs could answer a push.
func TestPUSH5_LockedOut(t *testing.T) {
	phone := App{identity.Android, []string{"presence:none", "presence:enter"}}
	old := App{identity.Android, []string{"presence:none"}}
	elsewhere := App{identity.Windows, phone.Capabilities}
	platforms := DefaultPlatforms()
	platforms[identity.Windows] = PlatformRule{Allowed: true} // without push (PUSH-6)
	for _, tt := range []struct {
		name   string
		tenant string
		class  UserClass
		want   int64
	}{
		{"codes are allowed", "YYE", UserClass{Users: 3}, 0},
		{"a phone", "YNE", UserClass{Users: 3, HasAuthenticator: true, Apps: []App{phone}}, 0},
		{"two, one of which can", "YNE", UserClass{Users: 3, HasAuthenticator: true, Apps: []App{old, phone}}, 0},
		{"an app too old", "YNE", UserClass{Users: 3, HasAuthenticator: true, Apps: []App{old}}, 3},
		{"which is enough for a plain push", "YNN", UserClass{Users: 3, HasAuthenticator: true, Apps: []App{old}}, 0},
		{"a platform without push", "YNE", UserClass{Users: 3, HasAuthenticator: true, Apps: []App{elsewhere}}, 3},
		{"passcodes alone", "YNE", UserClass{Users: 3, HasAuthenticator: true}, 3},
		{"push off never refuses codes", "NNE", UserClass{Users: 3, HasAuthenticator: true}, 0},
		{"a group's policy instead", "YYE", UserClass{Users: 3, HasAuthenticator: true, Groups: []string{"strict"}}, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := DefaultPush()
			p.PushSettings = settings(tt.tenant)
			p.Groups = map[string]PushSettings{"strict": settings("YNE")}
			if got := p.CountLockedOut([]UserClass{tt.class}, platforms); got.Users != tt.want || got.Unenrolled != 0 {
				t.Errorf("got %+v, want %d", got, tt.want)
			}
		})
	}
	p := DefaultPush()
	p.CodesAllowed = false
	got := p.CountLockedOut([]UserClass{{Users: 2}, {Users: 3, HasAuthenticator: true}, {Users: 4, HasAuthenticator: true, Apps: []App{phone}}}, platforms)
	if want := (LockedOut{Users: 5, Unenrolled: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
