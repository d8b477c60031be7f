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
	"github.com/latchkey-id/latchkey/templates"
)

// creationLife is how long a passkey may take to be made.
const creationLife = 10 * time.Minute

// passkeys lists the person's passkeys and offers to add one.
func (p *Portal) passkeys(v *Visit) (templates.Body, error) {
	ctx := v.Request.Context()
	body := templates.MePasskeys{Name: v.User.Name, Typed: identity.CleanTyped(v.Request.PostFormValue("name"))}
	held, err := store.Collect(p.DB.Passkeys().OfUser(ctx, v.Tenant.ID, v.User.ID))
	if err != nil {
		return nil, err
	}
	synced := map[string]bool{}
	var exclude []templates.PasskeyCredential
	for _, k := range held {
		synced[k.Authenticator] = k.Eligible
		exclude = append(exclude, templates.PasskeyCredential{Type: "public-key", ID: encoded(k.Credential), Transports: k.Transports})
	}
	for a, err := range p.DB.Authenticators().OfUser(ctx, v.Tenant.ID, v.User.ID) {
		if err != nil {
			return nil, err
		}
		if a.Kind == identity.Passkey {
			body.Passkeys = append(body.Passkeys, templates.PasskeyItem{Address: v.Address("authenticators/" + a.ID), Name: a.Name,
				Synced: synced[a.ID], EnrolledAt: a.EnrolledAt, LastUsedAt: a.LastUsedAt})
		}
	}
	may, err := p.mayAddPasskey(ctx, p.DB.Reader, v.Tenant.ID)
	if err != nil || !may {
		return body, err
	}
	body.Nonce = strconv.FormatInt(p.DB.Now().Add(creationLife).Unix(), 10) + "." + identity.NewSecret()
	challenge, err := creationChallenge(p.DB.Reader, v, body.Nonce)
	if err != nil {
		return nil, err
	}
	creation := templates.PasskeyCreation{Challenge: challenge, RP: templates.PasskeyParty{ID: authenticator.RelyingPartyAt(p.Site.Base).ID, Name: v.Tenant.OrganisationName()},
		User:    templates.PasskeyUser{ID: encoded([]byte(v.User.ID)), Name: v.User.Name, DisplayName: v.User.Name},
		Timeout: 120_000, Exclude: exclude, Attestation: "none",
		Selection: templates.PasskeySelection{ResidentKey: "preferred", UserVerification: "preferred"}}
	for _, a := range authenticator.PasskeyAlgorithms {
		creation.Parameters = append(creation.Parameters, templates.PasskeyParameter{Type: "public-key", Algorithm: a})
	}
	text, err := json.Marshal(creation)
	body.Creation = string(text)
	return body, err
}

func encoded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// mayAddPasskey reports whether the tenant has passkeys at all.
func (p *Portal) mayAddPasskey(ctx context.Context, r store.Reader, tenant string) (bool, error) {
	c, err := authenticator.ReadCredentials(ctx, r, tenant)
	return c.Passkeys != policy.NoPasskeys, err
}

// creationChallenge is what a new passkey signs, in base64url: of this session,
// this form and no other, made with a key that is not in the database. The form's
// nonce is used up with it.
func creationChallenge(r store.Reader, v *Visit, nonce string) (string, error) {
	mac, _, err := r.MAC(nonce, "passkey creation", v.Tenant.ID, v.Session.ID)
	return encoded(mac), err
}

// addPasskey takes what the browser made.
func (p *Portal) addPasskey(v *Visit) (Answer, error) {
	form, ctx := v.Request.PostFormValue, v.Request.Context()
	if form("do") != "add" {
		return Answer{}, &identity.Error{Kind: identity.Invalid, Key: "error.invalid"}
	}
	err := p.DB.InTx(ctx, v.Who, func(tx *store.Tx) error {
		may, err := p.mayAddPasskey(ctx, tx.Reader, v.Tenant.ID)
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
		if err := tx.UseOnce(ctx, v.Tenant.ID, "passkey creation", v.Session.ID+" "+form("nonce"), time.Unix(seconds, 0).Add(time.Minute)); err != nil {
			return err
		}
		challenge, err := creationChallenge(tx.Reader, v, form("nonce"))
		if err != nil {
			return err
		}
		u, err := tx.Users().Get(ctx, v.Tenant.ID, v.User.ID)
		if err != nil {
			return err
		}
		_, err = authenticator.AddPasskey(ctx, tx, u, authenticator.RelyingPartyAt(p.Site.Base), challenge, []byte(form("made")), form("name"), v.Origin(tx.Now()))
		return err
	})
	return Answer{To: v.Page.Name, Said: "passkey"}, err
}
