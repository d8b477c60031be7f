package identity

import "testing"

func TestJourney_IsBoundByItsOwnSecretAlone(t *testing.T) {
	secret := NewSecret()
	bound := &Journey{Binding: HashBinding(secret)}
	for _, tt := range []struct {
		name   string
		j      *Journey
		secret string
		want   bool
	}{
		{"its own", bound, secret, true},
		{"another's", bound, NewSecret(), false},
		{"none", bound, "", false},
		{"none, of a journey that nobody is bound to", &Journey{}, "", false},
		{"none, of a journey begun without", &Journey{Binding: HashBinding("")}, "", false},
		{"any, of a journey that nobody is bound to", &Journey{}, secret, false},
		{"the hash itself", bound, string(HashBinding(secret)), false},
	} {
		if got := tt.j.BoundBy(tt.secret); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
