package self

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/templates"
)

// creationLifetime is how long the creation of a passkey may take.
const creationLifetime = 10 * time.Minute

// passkeys lists the person's passkeys and offers to add one.
func (p *Portal) passkeys(pr *PageRequest) (templates.Body, error) {
	ctx := pr.Request.Context()
	body := templates.MePasskeys{Name: pr.User.Name, Typed: identity.CleanTyped(pr.Request.PostFormValue("name"))}
	held, err := store.Collect(p.DB.Passkeys().OfUser(ctx, pr.Tenant.ID, pr.User.ID))
	if err != nil {
		return nil, err
	}
	synced := map[string]bool{}
	var exclude []templates.PasskeyCredential
	for _, k := range held {
		synced[k.Authenticator] = k.Eligible
		exclude = append(exclude, templates.PasskeyCredential{Type: "public-key", ID: base64url(k.Credential), Transports: k.Transports})
	}
	for a, err := range p.DB.Authenticators().OfUser(ctx, pr.Tenant.ID, pr.User.ID) {
		if err != nil {
			return nil, err
		}
		if a.Kind == identity.Passkey {
			body.Passkeys = append(body.Passkeys, templates.PasskeyItem{Address: pr.Address("authenticators/" + a.ID), Name: a.Name,
				Synced: synced[a.ID], EnrolledAt: a.EnrolledAt, LastUsedAt: a.LastUsedAt})
		}
	}
	may, err := p.mayAddPasskey(ctx, p.DB.Reader, pr.Tenant.ID)
	if err != nil || !may {
		return body, err
	}
	body.Nonce = strconv.FormatInt(p.DB.Now().Add(creationLifetime).Unix(), 10) + "." + identity.NewSecret()
	challenge, err := creationChallenge(p.DB.Reader, pr, body.Nonce)
	if err != nil {
		return nil, err
	}
	creation := templates.PasskeyCreation{Challenge: challenge, RP: templates.PasskeyParty{ID: authenticator.RelyingPartyAt(p.Site.Base).ID, Name: pr.Tenant.OrganisationName()},
		User:    templates.PasskeyUser{ID: base64url([]byte(pr.User.ID)), Name: pr.User.Name, DisplayName: pr.User.Name},
		Timeout: 120_000, Exclude: exclude, Attestation: "none",
		Selection: templates.PasskeySelection{ResidentKey: "preferred", UserVerification: "preferred"}}
	for _, a := range authenticator.PasskeyAlgorithms {
		creation.Parameters = append(creation.Parameters, templates.PasskeyParameter{Type: "public-key", Algorithm: a})
	}
	text, err := json.Marshal(creation)
	body.Creation = string(text)
	return body, err
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// mayAddPasskey reports whether the tenant allows passkeys.
func (p *Portal) mayAddPasskey(ctx context.Context, r store.Reader, tenant string) (bool, error) {
	c, err := authenticator.ReadCredentials(ctx, r, tenant)
	return c.Passkeys != policy.NoPasskeys, err
}

// creationChallenge is the challenge for a new passkey, in base64url: a MAC of
// the session and the form's nonce, with a key that is not in the database. The
// nonce is used once.
func creationChallenge(r store.Reader, pr *PageRequest, nonce string) (string, error) {
	mac, _, err := r.MAC(nonce, "passkey creation", pr.Tenant.ID, pr.Session.ID)
	return base64url(mac), err
}

// addPasskey adds the credential that the browser made.
func (p *Portal) addPasskey(pr *PageRequest) (Result, error) {
	form, ctx := pr.Request.PostFormValue, pr.Request.Context()
	if form("do") != "add" {
		return Result{}, &identity.Error{Kind: identity.Invalid, Key: "error.invalid"}
	}
	err := p.DB.InTx(ctx, pr.Principal, func(tx *store.Tx) error {
		may, err := p.mayAddPasskey(ctx, tx.Reader, pr.Tenant.ID)
		if err != nil {
			return err
		}
		if !may {
			return &identity.Error{Kind: identity.Conflict, Key: "error.passkey.off"}
		}
		until, _, _ := strings.Cut(form("nonce"), ".")
		seconds, err := strconv.ParseInt(until, 10, 64)
		if err != nil || tx.Now().Unix() > seconds {
			return &identity.Error{Kind: identity.Conflict, Key: "error.passkey.late", Err: errors.New("portal: the passkey took too long")}
		}
		if err := tx.UseOnce(ctx, pr.Tenant.ID, "passkey creation", pr.Session.ID+" "+form("nonce"), time.Unix(seconds, 0).Add(time.Minute)); err != nil {
			return err
		}
		challenge, err := creationChallenge(tx.Reader, pr, form("nonce"))
		if err != nil {
			return err
		}
		u, err := tx.Users().Get(ctx, pr.Tenant.ID, pr.User.ID)
		if err != nil {
			return err
		}
		_, err = authenticator.AddPasskey(ctx, tx, u, authenticator.RelyingPartyAt(p.Site.Base), challenge, []byte(form("made")), defaultNames(pr), pr.Origin(tx.Now()))
		return err
	})
	return Result{Page: pr.Page.Name, Message: "passkey"}, err
}

// defaultNames are what a new passkey is called: as typed, or by the browser that made it.
func defaultNames(pr *PageRequest) authenticator.PasskeyName {
	name := authenticator.PasskeyName{Typed: pr.Request.PostFormValue("name"), Device: pr.L.T("me.passkeys.name"), SecurityKey: pr.L.T("me.passkeys.name.key")}
	if browser := web.Agent(pr.Request.UserAgent()); browser != "" {
		name.Device = pr.L.T("me.passkeys.name.browser", "browser", browser)
	}
	return name
}
