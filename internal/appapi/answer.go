package appapi

import (
	"cmp"
	"context"
	"errors"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/store"
)

// waiting is what pending answers.
type waiting struct {
	Time    int64           `json:"time"`
	Request *waitingRequest `json:"request"` // null when nothing waits
}

// waitingRequest is a push request as a phone sees it: PUSH-12, and never the
// number (PUSH-19).
type waitingRequest struct {
	ID           string             `json:"id"`
	Nonce        string             `json:"nonce"`
	Application  string             `json:"application"`
	Organisation string             `json:"organisation"`
	User         string             `json:"user"`
	Started      int64              `json:"started"`
	Address      string             `json:"address,omitempty"`
	Place        string             `json:"place,omitempty"`
	Browser      string             `json:"browser,omitempty"`
	Expires      int64              `json:"expires"`
	Presence     *push.UserPresence `json:"presence,omitempty"`
	// ChangePassword is the address at which the person changes the password once
	// somebody else has it; empty of somebody who has none.
	ChangePassword string `json:"change_password,omitempty"`
}

// pending shows the app the request that waits for its user, if push reaches
// this authenticator. An app that cannot do the presence check is told so: there
// is no silent way around one (PUSH-22).
func (a *API) pending(ctx context.Context, m message) (any, error) {
	if s := m.app.State(); s != identity.Active {
		return nil, notInState(s)
	}
	user, err := userOf(ctx, a.db.Reader, m.app)
	if err != nil {
		return nil, err
	}
	now := a.db.Now()
	none := waiting{Time: now.Unix()}
	p, err := push.Pending(ctx, a.db.Reader, m.app.Tenant, user.ID)
	if errors.Is(err, identity.NotFound) {
		return none, nil
	}
	if err != nil {
		return nil, err
	}
	platforms, err := store.ReadPolicy[policy.Platforms](ctx, a.db.Reader, m.app.Tenant)
	if err != nil {
		return nil, err
	}
	if err := push.CheckCapability(m.app, p.Presence); err != nil {
		return nil, err
	}
	if !policy.Reaches(m.app, platforms, p.Presence, now) {
		return none, nil
	}
	tenant, err := a.db.Tenants().Get(ctx, m.app.Tenant)
	if err != nil {
		return nil, err
	}
	r := &waitingRequest{ID: p.ID, Nonce: p.Nonce, Application: p.Application, Organisation: tenant.OrganisationName(),
		User: p.Name, Started: p.LoginAt.Unix(), Address: p.IP, Place: p.Place, Browser: p.Agent, Expires: p.ExpiresAt.Unix()}
	if user.Password != "" && a.selfService != "" {
		r.ChangePassword = a.selfService + "/t/" + tenant.Slug + "/me/password"
	}
	options, err := a.db.Push().Options(ctx, p.Tenant, p.ID)
	if err != nil {
		return nil, err
	}
	r.Presence = push.ForPhone(p.Presence, options)
	return waiting{Time: now.Unix(), Request: r}, nil
}

// answerBody is what answer is sent.
type answerBody struct {
	Request  string        `json:"request"`
	Nonce    string        `json:"nonce"`
	Decision push.Decision `json:"decision"`
	Number   string        `json:"number"`
	Passcode string        `json:"passcode"`
	PIN      string        `json:"pin"` // that the server checks, of who has one
}

// wellFormed reports what of an answer cannot be, whichever request it is to.
func (b answerBody) wellFormed() error {
	switch {
	case !identity.IsID(identity.PushID, b.Request):
		return errors.New("request is no id of one")
	case b.Nonce == "":
		return errors.New("nonce is needed")
	case b.Decision != push.Approve && b.Decision != push.DenyNotMe && b.Decision != push.DenyMistake:
		return errors.New("an unknown decision")
	case b.Decision == push.Approve && b.Passcode == "":
		return errors.New("an approval needs a passcode")
	}
	return nil
}

// answered is what answer answers.
type answered struct {
	Outcome store.PushOutcome `json:"outcome"`
}

// answer ends the request that waits, as its person decided (PUSH-13, PUSH-14).
// The use of the jti, the check of the passcode and its use, the end of the
// request, its event, the count of a failed login and the wake-up of the browser
// are one transaction: all happen, or none.
func (a *API) answer(ctx context.Context, m message) (any, error) {
	var in answerBody
	if err := object(m.body, &in); err != nil {
		return nil, malformed(err)
	}
	if err := in.wellFormed(); err != nil {
		return nil, malformed(err)
	}
	var out answered
	var no error
	err := a.write(ctx, m, func(tx *store.Tx, app identity.Authenticator) error {
		if s := app.State(); s != identity.Active {
			return notInState(s)
		}
		if in.Decision == push.Approve {
			// Before the request is looked at: a wrong one must count, and the
			// transaction commit, whatever becomes of the request (PUSH-13).
			right, left, err := authenticator.TryServerPIN(ctx, tx, app, otp.Canonical(in.PIN))
			if err != nil {
				return err
			}
			if !right {
				no = wrongPIN(left)
				return nil
			}
		}
		end, err := push.TakeAnswer(ctx, tx, app, push.Answer{
			Request: in.Request, Nonce: in.Nonce, Decision: in.Decision, Number: in.Number,
			Passcode: func() (push.Verdict, store.Passcode, error) {
				if err := askedWho(ctx, tx, app, in.Request); err != nil {
					return push.PasscodeWrong, store.Passcode{}, err
				}
				return authenticator.Approve(ctx, tx, app, in.Nonce, in.Passcode)
			},
		})
		if err != nil {
			return err
		}
		out.Outcome = end.Outcome
		if !end.Failed {
			return nil
		}
		return directory.FailedAnswer(ctx, tx, end)
	})
	if err = cmp.Or(err, no); err != nil {
		return nil, err
	}
	return out, nil
}
