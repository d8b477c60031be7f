package policy

import (
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Who is counted: codes are refused, and no app could answer the push.
func TestPUSH5_Strands(t *testing.T) {
	phone := App{identity.Android, []string{"presence:none", "presence:enter"}}
	old := App{identity.Android, []string{"presence:none"}}
	elsewhere := App{identity.Windows, phone.Capabilities}
	platforms := DefaultPlatforms()
	platforms[identity.Windows] = PlatformRule{Allowed: true} // without push (PUSH-6)
	for _, tt := range []struct {
		name   string
		tenant string
		class  Class
		want   int64
	}{
		{"codes are allowed", "YYE", Class{Users: 3}, 0},
		{"a phone", "YNE", Class{Users: 3, Holds: true, Apps: []App{phone}}, 0},
		{"two, one of which can", "YNE", Class{Users: 3, Holds: true, Apps: []App{old, phone}}, 0},
		{"an app too old", "YNE", Class{Users: 3, Holds: true, Apps: []App{old}}, 3},
		{"which is enough for a plain push", "YNN", Class{Users: 3, Holds: true, Apps: []App{old}}, 0},
		{"a platform without push", "YNE", Class{Users: 3, Holds: true, Apps: []App{elsewhere}}, 3},
		{"passcodes alone", "YNE", Class{Users: 3, Holds: true}, 3},
		{"push off never refuses codes", "NNE", Class{Users: 3, Holds: true}, 0},
		{"a group's policy instead", "YYE", Class{Users: 3, Holds: true, Groups: []string{"strict"}}, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := DefaultPush()
			p.PushSettings = settings(tt.tenant)
			p.Groups = map[string]PushSettings{"strict": settings("YNE")}
			if got := p.Strands([]Class{tt.class}, platforms); got.Users != tt.want || got.Unenrolled != 0 {
				t.Errorf("got %+v, want %d", got, tt.want)
			}
		})
	}
	p := DefaultPush()
	p.CodesAllowed = false
	got := p.Strands([]Class{{Users: 2}, {Users: 3, Holds: true}, {Users: 4, Holds: true, Apps: []App{phone}}}, platforms)
	if want := (NoWayIn{Users: 5, Unenrolled: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
