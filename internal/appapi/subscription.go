package appapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/notify"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/webpush"
	"github.com/latchkey-id/latchkey/locales"
)

// Who subscribes and is gone, over and over, has us call a push service each
// time; who tests has us call it at once.
var (
	subscribing = store.Rate{Kind: "push subscription", Max: 20, Per: time.Hour}
	trying      = store.Rate{Kind: "push test", Max: 10, Per: 10 * time.Minute}
)

// subscriptionBody is a browser's PushSubscription, as it is.
type subscriptionBody struct {
	Endpoint string `json:"endpoint"`
	Keys     struct {
		P256DH string `json:"p256dh"`
		Auth   string `json:"auth"`
	} `json:"keys"`
}

// standingWeb is how Web Push stands for an authenticator.
type standingWeb struct {
	Key        string `json:"key"`
	Subscribed bool   `json:"subscribed"`
	Failed     string `json:"failed,omitempty"` // for people
}

// webPush tells how Web Push stands for an authenticator; nothing where no
// browser is notified.
func (a *API) webPush(ctx context.Context, m message) (*standingWeb, error) {
	if a.notifier.Disabled {
		return nil, nil
	}
	key, err := a.notifier.PublicKey(ctx)
	if err != nil {
		return nil, err
	}
	web := &standingWeb{Key: key}
	s, err := a.db.Subscriptions().Get(ctx, m.app.Tenant, m.app.ID)
	if errors.Is(err, identity.NotFound) {
		return web, nil
	}
	web.Subscribed, web.Failed = true, why(m.words, notify.Failure(s.Failure))
	return web, err
}

// why says in the reader's language why a notification did not leave.
func why(words locales.Printer, f notify.Failure) string {
	if f == "" {
		return ""
	}
	return words.T("api.push." + string(f))
}

// subscribe has a push service notify the authenticator, in place of the one
// that has done so until now.
func (a *API) subscribe(ctx context.Context, m message) (any, error) {
	var in subscriptionBody
	if err := object(m.body, &in); err != nil {
		return nil, malformed(err)
	}
	if in.Endpoint == "" {
		return nil, malformed(errors.New("endpoint is needed"))
	}
	s, err := a.notifier.Parse(in.Endpoint, in.Keys.P256DH, in.Keys.Auth)
	switch {
	case errors.Is(err, webpush.ErrEndpoint):
		return nil, &refusal{status: http.StatusBadRequest, Code: "endpoint", cause: err}
	case err != nil:
		return nil, malformed(err)
	}
	err = a.write(ctx, m, func(tx *store.Tx, app identity.Authenticator) error {
		if app.State() != identity.Active {
			return notInState(app.State())
		}
		if err := tx.Allow(ctx, app.Tenant, subscribing, app.ID); err != nil {
			return err
		}
		return notify.Subscribe(ctx, tx, app, s)
	})
	if err != nil {
		return nil, err
	}
	return a.status(ctx, m)
}

// unsubscribe ends the authenticator's subscription, if it has one.
func (a *API) unsubscribe(ctx context.Context, m message) (any, error) {
	if err := object(m.body, &struct{}{}); err != nil {
		return nil, malformed(err)
	}
	err := a.write(ctx, m, func(tx *store.Tx, app identity.Authenticator) error {
		if app.State() != identity.Active {
			return notInState(app.State())
		}
		return notify.Unsubscribe(ctx, tx, app)
	})
	if err != nil {
		return nil, err
	}
	return a.status(ctx, m)
}

// tried is what a test says.
type tried struct {
	Sent    bool   `json:"sent"`
	Failed  string `json:"failed,omitempty"` // for people
	Expires int64  `json:"expires"`
}

// test rings the authenticator, for its person to see whether that works.
func (a *API) test(ctx context.Context, m message) (any, error) {
	if err := object(m.body, &struct{}{}); err != nil {
		return nil, malformed(err)
	}
	var app identity.Authenticator
	var user identity.User
	err := a.write(ctx, m, func(tx *store.Tx, now identity.Authenticator) (err error) {
		if app = now; app.State() != identity.Active {
			return notInState(app.State())
		}
		if err := tx.Allow(ctx, app.Tenant, trying, app.ID); err != nil {
			return err
		}
		user, err = userOf(ctx, tx.Reader, app)
		return err
	})
	if err != nil {
		return nil, err
	}
	failure, expires, err := a.notifier.SendTest(ctx, app, user.ID)
	if err != nil {
		return nil, err
	}
	return tried{Sent: failure == "", Failed: why(m.words, failure), Expires: expires.Unix()}, nil
}
