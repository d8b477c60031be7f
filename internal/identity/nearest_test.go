package identity

import "testing"

func TestNearest(t *testing.T) {
	words := []string{"anna", "Änne", "bo", "mail.host", "mail.port"}
	for _, tt := range []struct{ written, want string }{
		{"anan", "anna"},
		{"ANNA", "anna"},
		{"änn", "Änne"},
		{"mail.hst", "mail.host"},
		{"mailport", "mail.port"},
		{"b", "bo"},
		{"nothing like it", ""},
		{"", ""},
	} {
		if got := Nearest(tt.written, words); got != tt.want {
			t.Errorf("Nearest(%q) = %q, want %q", tt.written, got, tt.want)
		}
	}
}
