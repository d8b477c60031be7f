package report

import (
	"context"
	"iter"
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Checks are the presence checks that can be required.
var Checks = []policy.Presence{policy.Pick, policy.Enter, policy.SixDigits}

// An App is authenticator apps of one platform, version and ability, or one of them.
type App struct {
	Platform       identity.Platform `json:"platform"`
	App            string            `json:"app"`              // and version
	Serial         string            `json:"serial,omitempty"` // of one, where single ones were asked for
	User           string            `json:"user,omitempty"`
	Authenticators int64             `json:"authenticators"`
	Cannot         []string          `json:"cannot"`          // presence checks
	Least          string            `json:"least,omitempty"` // version that can do the check asked for
}

// Apps counts the active apps by platform, version and the checks they cannot do.
func Apps(ctx context.Context, r store.Reader, tenant string) iter.Seq2[App, error] {
	return func(yield func(App, error) bool) {
		var last App
		for a, err := range r.Authenticators().Apps(ctx, tenant) { // those that are alike follow one another
			app := appOf(a, "")
			switch {
			case err != nil:
				yield(app, err)
				return
			case app.Platform == last.Platform && app.App == last.App && slices.Equal(app.Cannot, last.Cannot):
				last.Authenticators++
			default:
				if last.Authenticators > 0 && !yield(last, nil) {
					return
				}
				last = app
			}
		}
		if last.Authenticators > 0 {
			yield(last, nil)
		}
	}
}

// AppsWithout yields the active apps that could not do a check, one by one.
func AppsWithout(ctx context.Context, r store.Reader, tenant string, check policy.Presence) iter.Seq2[App, error] {
	return func(yield func(App, error) bool) {
		for a, err := range r.Authenticators().Apps(ctx, tenant) {
			app := appOf(a, check)
			if err == nil && !slices.Contains(app.Cannot, string(check)) {
				continue
			}
			if !yield(app, err) || err != nil {
				return
			}
		}
	}
}

// appOf is one app: for itself where a check was asked for, and else as the
// first of its kind.
func appOf(a store.App, asked policy.Presence) App {
	row := App{Platform: a.Platform, App: a.Version, Authenticators: 1, Cannot: []string{}}
	for _, check := range Checks {
		if !slices.Contains(a.Capabilities, check.Capability()) {
			row.Cannot = append(row.Cannot, string(check))
		}
	}
	if asked != "" {
		row.Serial, row.User, row.Least = a.Serial, a.User, push.MinVersion(a.Version, asked.Capability())
	}
	return row
}
