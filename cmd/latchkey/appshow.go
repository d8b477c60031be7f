package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/idp/oidc"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/oidcclient"
	"github.com/latchkey-id/latchkey/internal/samlsp"
	"github.com/latchkey-id/latchkey/internal/store"
)

// appShown is all there is to say of an application.
type appShown struct {
	appRow
	SAML *samlShown `json:"saml,omitempty"`
	OIDC *oidcShown `json:"oidc,omitempty"`

	// Refused are its requests that were refused, by reason, the last one first.
	Refused []store.RefusedRequests `json:"refused,omitempty"`
}

type samlShown struct {
	samlsp.Settings
	Source    *sourceShown `json:"metadata_source,omitempty"`
	GoodUntil time.Time    `json:"good_until,omitzero"`
	Ours      samlOurs     `json:"ours"`
}

// samlOurs is what to enter at a service provider.
type samlOurs struct {
	Metadata string `json:"metadata"` // our entityID too
	SSO      string `json:"sso"`
}

type sourceShown struct {
	URL       string    `json:"url"`
	FetchedAt time.Time `json:"fetched_at"`
	TriedAt   time.Time `json:"tried_at"`
	DueAt     time.Time `json:"due_at"`
	Failures  int64     `json:"failures"`
	Failure   string    `json:"failure,omitempty"`
}

type oidcShown struct {
	RedirectURIs   []string       `json:"redirect_uris"`
	PostLogoutURIs []string       `json:"post_logout_uris"`
	Origins        []string       `json:"origins"`
	Public         bool           `json:"public"`
	Native         bool           `json:"native"`
	Offline        bool           `json:"offline"`
	FollowOrigins  bool           `json:"follow_origins"` // the origins of redirect_uris are origins too
	SecretBuiltIn  bool           `json:"secret_built_in"`
	IDTokenClaims  bool           `json:"id_token_claims"`
	Algorithm      string         `json:"algorithm"`
	Issuer         string         `json:"issuer"`
	Ours           oidc.Addresses `json:"ours"`
}

// application finds an application by name, identifier or id. Its error names the
// nearest.
func (ts tenantScope) application(ctx context.Context, name string) (identity.Application, error) {
	var found []identity.Application
	var called []string
	for a, err := range ts.db.Applications().All(ctx, ts.tenant.ID) {
		if err != nil {
			return identity.Application{}, err
		}
		if name == a.ID || name == a.Identifier {
			return a, nil
		}
		if identity.FoldName(name) == identity.FoldName(a.Name) {
			found = append(found, a)
		}
		called = append(called, a.Name, a.Identifier)
	}
	switch len(found) {
	case 0:
		return identity.Application{}, withNearest(identity.NotFound, "application", name, slices.Values(called))
	case 1:
		return found[0], nil
	}
	return identity.Application{}, fmt.Errorf("%d applications are called %q: name one by its identifier or id; \"latchkey app list\" has them", len(found), name)
}

// showApp gathers all there is to say of an application.
func (s *shell) showApp(ctx context.Context, ts tenantScope, app identity.Application) (appShown, error) {
	shown := appShown{appRow: rowOfApp(app)}
	issuer, err := s.address(ts, "")
	if err != nil {
		return shown, err
	}
	if shown.Refused, err = store.Collect(ts.db.Applications().Refused(ctx, ts.tenant.ID, app.ID)); err != nil {
		return shown, err
	}
	switch app.Protocol {
	case identity.SAML:
		set, err := samlsp.SettingsOf(app)
		if err != nil {
			return shown, err
		}
		shown.SAML = &samlShown{Settings: set, GoodUntil: app.ValidUntil, Ours: samlOurs{issuer + "/saml/metadata", issuer + "/saml/sso"}}
		source, err := ts.db.Metadata().Source(ctx, ts.tenant.ID, app.ID)
		if errors.Is(err, identity.NotFound) {
			return shown, nil
		}
		if err != nil {
			return shown, err
		}
		shown.SAML.Source = rowOfSource(source)
	case identity.OIDC:
		o, err := oidcclient.OptionsOf(app)
		if err != nil {
			return shown, err
		}
		c, err := oidcclient.Read(app)
		if err != nil {
			return shown, err
		}
		shown.OIDC = &oidcShown{RedirectURIs: o.RedirectURIs, PostLogoutURIs: append([]string{}, o.PostLogoutURIs...), Origins: append([]string{}, o.Origins...),
			Public: o.Public, Native: o.Native, Offline: o.Offline, FollowOrigins: o.FollowOrigins, SecretBuiltIn: c.SecretBuiltIn,
			IDTokenClaims: c.IDTokenClaims, Algorithm: o.Algorithm, Issuer: issuer, Ours: oidc.AddressesOf(issuer)}
	}
	return shown, nil
}

func rowOfSource(m store.MetadataSource) *sourceShown {
	return &sourceShown{m.URL, m.FetchedAt, m.TriedAt, m.DueAt, m.Failures, m.Failure}
}

// rows are an application for people to read.
func (a appShown) rows(now time.Time) [][]string {
	rows := [][]string{{"Name", a.Name}, {"Id", a.ID}, {"Protocol", a.Protocol}, {"Home", a.Home}, {"Added", formatTime(a.CreatedAt)},
		{"Push", a.push()}}
	if a.SAML != nil {
		rows = append(rows, a.SAML.rows(a.Identifier, now)...)
	}
	if a.OIDC != nil {
		rows = append(rows, a.OIDC.rows(a.Identifier)...)
	}
	for _, r := range a.Refused {
		rows = append(rows, []string{"Refused", fmt.Sprintf("%s: %s", formatTime(r.Last), r.Detail)},
			[]string{"  for its", fmt.Sprintf("%s, %d in all", r.Reason, r.Count)})
	}
	return rows
}

// push says how a presence check stands at an application (PUSH-21).
func (a appRow) push() string {
	switch {
	case a.CannotShowNumber && a.PushWithoutPresence:
		return "can show no number; a plain push is allowed"
	case a.CannotShowNumber:
		return "can show no number; none that needs one"
	}
	return "shows a number where one is asked for"
}

func (a *samlShown) rows(entityID string, now time.Time) [][]string {
	rows := [][]string{{"EntityID", entityID}}
	rows = append(rows, rowPerValue("Answers go to", a.ACS)...)
	nameID := a.NameID + ", unless a request names another"
	if a.ForceNameID != "" {
		nameID = a.ForceNameID + ", whatever a request names"
	}
	rows = append(rows, []string{"NameID", nameID}, []string{"Requests", map[bool]string{true: "must be signed", false: "may be unsigned"}[a.SignedRequests]})
	for _, c := range a.Certificates {
		rows = append(rows, []string{"Certificate", c.Key + ", " + c.Subject},
			[]string{"  its age", fmt.Sprintf("%s: from %s to %s", days(now.Sub(c.NotBefore)), c.NotBefore.Format(time.DateOnly), c.NotAfter.Format(time.DateOnly))},
			[]string{"  its SHA-256", c.SHA256})
	}
	rows = append(rows, rowPerValue("Attribute", a.Attributes)...)
	if len(a.LeftOut) > 0 {
		rows = append(rows, rowPerValue("Left out", a.LeftOut)...)
	}
	if a.Source == nil {
		rows = append(rows, []string{"Metadata", "given by hand"})
	} else {
		rows = append(rows, []string{"Metadata from", a.Source.URL}, []string{"Last good one", formatTime(a.Source.FetchedAt)}, []string{"Next try", formatTime(a.Source.DueAt)})
		if a.Source.Failure != "" {
			rows = append(rows, []string{"Failed", fmt.Sprintf("%d in a row, last at %s: %s", a.Source.Failures, formatTime(a.Source.TriedAt), a.Source.Failure)})
		}
	}
	if !a.GoodUntil.IsZero() {
		rows = append(rows, []string{"Good until", formatTime(a.GoodUntil)})
	}
	return append(rows, []string{"Enter there", "what is ours:"}, []string{"  our metadata", a.Ours.Metadata}, []string{"  our entityID", a.Ours.Metadata},
		[]string{"  our single sign-on", a.Ours.SSO})
}

func (a *oidcShown) rows(clientID string) [][]string {
	secret := "set"
	switch {
	case a.Public:
		secret = "none: a public application"
	case a.SecretBuiltIn:
		secret = "set: each copy of the application has it"
	}
	rows := [][]string{{"Client id", clientID}, {"Client secret", secret}}
	rows = append(rows, rowPerValue("Redirect URI", a.RedirectURIs)...)
	rows = append(rows, rowPerValue("Post-logout URI", a.PostLogoutURIs)...)
	origins := a.Origins
	if a.FollowOrigins {
		origins = append([]string{"those of the redirect URIs"}, origins...)
	}
	rows = append(rows, rowPerValue("Origin", origins)...)
	answer := map[bool]string{true: "yes", false: "no"}
	return append(rows, []string{"Installed program", answer[a.Native]}, []string{"Refresh tokens", answer[a.Offline]}, []string{"Signed with", a.Algorithm},
		[]string{"Claims in ID tokens", answer[a.IDTokenClaims]},
		[]string{"Enter there", "what is ours:"}, []string{"  our issuer", a.Issuer},
		[]string{"  authorization", a.Ours.Authorization}, []string{"  token", a.Ours.Token}, []string{"  userinfo", a.Ours.UserInfo},
		[]string{"  keys", a.Ours.Keys}, []string{"  introspection", a.Ours.Introspection}, []string{"  revocation", a.Ours.Revocation},
		[]string{"  logout", a.Ours.Logout})
}

// rowPerValue returns a row of a table for each value.
func rowPerValue(name string, values []string) [][]string {
	if len(values) == 0 {
		return [][]string{{name, ""}}
	}
	var rows [][]string
	for _, v := range values {
		rows = append(rows, []string{name, v})
	}
	return rows
}

// days writes an age in whole days.
func days(d time.Duration) string {
	if n := int(d / (24 * time.Hour)); n != 1 {
		return fmt.Sprintf("%d days", n)
	}
	return "1 day"
}

type appShow struct {
	Application string `arg:"" help:"Its name, entityID or client id, or id."`
}

func (appShow) Help() string {
	return "Also shows what has to be entered at the application.\n\nExample:\n\n    latchkey app show Payroll"
}

// Run shows an application.
func (c *appShow) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		app, err := ts.application(ctx, c.Application)
		if err != nil {
			return err
		}
		shown, err := s.showApp(ctx, ts, app)
		if err != nil {
			return err
		}
		if s.flags.JSON {
			return s.encode(shown)
		}
		return table(s.stdout, shown.rows(ts.db.Now()))
	})
}
