package authenticator

import (
	"context"
	"fmt"
	"slices"

	"github.com/latchkey-id/latchkey/internal/store"
)

// FreeName returns a default name for an authenticator of a user: the one given or, if
// another of theirs has it, with a number behind it. Two of the same app have the same
// default name, and the user could not tell which of them to report lost. except are the
// ids of the authenticator itself and of the one that it replaces.
func FreeName(ctx context.Context, r store.Reader, tenant, user, name string, except ...string) (string, error) {
	taken := make(map[string]bool)
	for a, err := range r.Authenticators().OfUser(ctx, tenant, user) {
		if err != nil {
			return "", err
		}
		if !slices.Contains(except, a.ID) {
			taken[a.Name] = true
		}
	}
	free := name
	for n := 2; taken[free]; n++ {
		suffix := fmt.Sprintf(" (%d)", n)
		free = truncate(name, maxName-len(suffix)) + suffix
	}
	return free, nil
}

// truncate returns at most n characters of s.
func truncate(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n])
	}
	return s
}
