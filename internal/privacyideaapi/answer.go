package privacyideaapi

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/privacyidea"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
)

// decisionOf returns what an answer decides. Who declines without a reason may have been
// asked about somebody else's login: it counts as that, since to take it for a mistake
// would let an attacker try again unnoticed.
func decisionOf(a privacyidea.Answer) push.Decision {
	switch {
	case !a.Decline:
		return push.Approve
	case a.Reason == privacyidea.Cancelled:
		return push.DenyMistake
	}
	return push.DenyNotMe
}

// answer takes an app's answer, and reports whether it was an approval, or a
// denial, that counted. A wrong pick does not, and is final; nor does what comes
// after another answer, or too late.
//
// The request is the one whose nonce was signed, whatever nonce was sent. An
// answer to one that is no more is told so only where the app signed it.
func (p *API) answer(r *http.Request, t identity.Tenant, form url.Values) (bool, error) {
	ctx := r.Context()
	in, err := privacyidea.ReadAnswer(form)
	if err != nil {
		return false, errUnverified(err)
	}
	a, key, err := p.app(ctx, t, in.Serial)
	if err != nil {
		return false, err
	}
	user, err := authenticator.Holder(ctx, p.db.Reader, a)
	if err != nil {
		return false, err
	}
	w, err := push.Pending(ctx, p.db.Reader, a.Tenant, user.ID)
	if err != nil && !errors.Is(err, identity.NotFound) {
		return false, err
	}
	if err != nil || privacyidea.Verify(key, in.Signed(privacyidea.EncodeNonce(w.Nonce)), in.Signature) != nil {
		if err := privacyidea.Verify(key, in.Signed(in.Nonce), in.Signature); err != nil || in.Nonce == "" {
			return false, errUnverified(err)
		}
		return false, nil
	}
	var outcome store.PushOutcome
	err = p.db.InTx(ctx, p.principal(r, a), func(tx *store.Tx) error {
		end, err := push.TakeAnswer(ctx, tx, a, push.Answer{
			Request: w.ID, Nonce: w.Nonce, Decision: decisionOf(in), Number: in.Presence,
			// The signature is the only factor. Push does not reach an authenticator whose
			// template asks for more, and no approval of one counts.
			Passcode: func() (push.Verdict, store.Passcode, error) {
				if used, err := tx.Passcodes().UseSigned(ctx, a.Tenant, a.ID); err != nil || !used {
					return push.PasscodeWrong, store.Passcode{}, err
				}
				return push.PasscodeRight, store.Passcode{}, nil
			},
		})
		if err != nil {
			return err
		}
		outcome = end.Outcome
		if !end.Failed {
			return nil
		}
		return directory.FailedAnswer(ctx, tx, end)
	})
	if refused, ok := errors.AsType[*push.Refusal](err); ok {
		p.site.Log.InfoContext(ctx, "privacyIDEA Authenticator's answer changed nothing", "authenticator", a.ID, "why", refused)
		return false, nil
	}
	return err == nil && outcome != store.PushWrongNumber, err
}
