package privacyideaapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/privacyidea"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
)

// maxSkew is how far off the time an app signs may be, either way.
const maxSkew = 60 * time.Second

// poll shows an app the request that waits for its user, if push reaches it: an
// array of one challenge, or an empty one. A poll that was recorded and is played
// again shows nothing: what was signed is used up, however the signature is
// written.
func (p *API) poll(r *http.Request, t identity.Tenant, query url.Values) ([]json.RawMessage, error) {
	ctx := r.Context()
	in, err := privacyidea.ReadPoll(query)
	if err != nil {
		return nil, errUnverified(err)
	}
	a, key, err := p.app(ctx, t, in.Serial)
	if err != nil {
		return nil, err
	}
	if err := privacyidea.Verify(key, in.Signed(), in.Signature); err != nil {
		return nil, errUnverified(err)
	}
	if skew := p.db.Now().Sub(in.At); skew > maxSkew || skew < -maxSkew {
		return nil, errUnverified(errors.New("privacyideaapi: signed at another time"))
	}
	err = p.db.InTx(ctx, p.principal(r, a), func(tx *store.Tx) error {
		generation, err := tx.Installation().RestoreGeneration(ctx)
		if err != nil {
			return err
		}
		if !generation.BeganAt.IsZero() && !in.At.After(generation.BeganAt) {
			return errUnverified(errors.New("privacyideaapi: signed before the backup was restored"))
		}
		err = tx.UseOnce(ctx, a.Tenant, "privacyidea poll", a.ID+" "+in.Timestamp, in.At.Add(2*maxSkew))
		if errors.Is(err, identity.Conflict) {
			return errUnverified(err)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	waiting := []json.RawMessage{} // none is an empty array, never null
	c, ok, err := p.challenge(ctx, t, a, slices.Contains(in.Capabilities, privacyidea.DeclineReason))
	if err != nil || !ok {
		return waiting, err
	}
	signer, err := p.signer(ctx, a)
	if err != nil {
		return nil, err
	}
	signed, err := c.Sign(signer)
	return append(waiting, signed), err
}

// challenge returns the request that waits for an authenticator, as its app
// shows it; false where none does, or none that the app can answer. reasons says
// whether the app knows reasons to decline: only then is it told that they are
// taken, since one that did not know would not know what was signed either.
func (p *API) challenge(ctx context.Context, t identity.Tenant, a identity.Authenticator, reasons bool) (privacyidea.Challenge, bool, error) {
	user, err := authenticator.Holder(ctx, p.db.Reader, a)
	if err != nil {
		return privacyidea.Challenge{}, false, err
	}
	w, err := push.Pending(ctx, p.db.Reader, a.Tenant, user.ID)
	if errors.Is(err, identity.NotFound) {
		return privacyidea.Challenge{}, false, nil
	}
	if err != nil {
		return privacyidea.Challenge{}, false, err
	}
	platforms, err := store.ReadPolicy[policy.Platforms](ctx, p.db.Reader, a.Tenant)
	if err != nil || !policy.Reaches(a, platforms, w.Presence, p.db.Now()) {
		return privacyidea.Challenge{}, false, err
	}
	options, err := p.db.Push().Options(ctx, w.Tenant, w.ID)
	if err != nil || len(options) == 0 && w.Presence != policy.NoPresence { // none are left: it has ended since we looked
		return privacyidea.Challenge{}, false, err
	}
	l := p.site.Catalog.Negotiate(user.Language, "", "", t.Language)
	from := w.IP
	if w.Place != "" {
		from = w.Place + " (" + w.IP + ")"
	}
	if w.Agent != "" {
		from = strings.TrimPrefix(from+", "+w.Agent, ", ")
	}
	key := "push.privacyidea.question"
	if from == "" {
		key = "push.privacyidea.anywhere"
	}
	c := privacyidea.Challenge{Nonce: privacyidea.EncodeNonce(w.Nonce), Address: privacyidea.Address(p.site.Base.String(), t.Slug), Serial: a.Serial,
		Title: w.Application, Presence: options, Reasons: reasons,
		Question: l.T(key, "name", w.Name, "application", w.Application, "organisation", t.OrganisationName(),
			"from", from, "at", w.LoginAt.UTC().Format("15:04"))}
	return c, true, nil
}
