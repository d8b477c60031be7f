package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/store"
)

// An owner is somebody who approves on a phone.
type owner struct {
	person
	link string // of the activation, until the phone has it
}

// owners adds people who are about to set up a phone: their journeys stand at
// the QR code.
func (h *installation) owners(ctx context.Context, db *store.DB, who identity.Principal, app, hash, scenario string, n int) (chan *owner, error) {
	all := make(chan *owner, n)
	for len(all) < n {
		if err := h.someOwners(ctx, db, who, app, hash, scenario, all, min(batch, n-len(all))); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (h *installation) someOwners(ctx context.Context, db *store.DB, who identity.Principal, app, hash, scenario string, all chan<- *owner, n int) error {
	return db.InTx(ctx, who, func(tx *store.Tx) error {
		rules, err := enroll.ReadRules(ctx, tx.Reader, h.tenant.ID)
		if err != nil {
			return err
		}
		for range n {
			u := identity.User{Tenant: h.tenant.ID, ID: identity.NewID(identity.UserID), Name: fmt.Sprintf("%s%04d", scenario, len(all)), Password: hash}
			if err := tx.Users().Add(ctx, u); err != nil {
				return err
			}
			now := tx.Now()
			j := &identity.Journey{Tenant: u.Tenant, ID: identity.NewID(identity.JourneyID), Application: app, Protocol: identity.OIDC,
				Request: []byte(`{}`), Browser: "bench", IP: "127.0.0.1", UserID: u.ID, Name: u.Name,
				Required:  []identity.Validation{identity.Password, identity.SecondFactor},
				Passed:    []identity.CompletedFactor{{Validation: identity.Password, Method: identity.ByPassword, At: now}},
				Enroll:    identity.EnrollPlatform,
				StartedAt: now, ExpiresAt: now.Add(time.Duration(rules.Limits.JourneyLifetime) * time.Second)}
			j.Code.PassedAt = now
			if err := tx.Journeys().Add(ctx, j); err != nil {
				return err
			}
			notice, err := enroll.ChoosePlatform(ctx, tx, j, u, identity.Linux, rules, "en")
			if err := errors.Join(err, tx.Journeys().Step(ctx, j)); err != nil || notice != "" {
				return fmt.Errorf("activation of %s: %s %w", u.Name, notice, err)
			}
			shown, err := enroll.Shown(ctx, tx.Reader, j)
			if err != nil {
				return err
			}
			all <- &owner{person{id: u.ID, name: u.Name}, shown.Link(h.config.BaseURL)}
		}
		return nil
	})
}

// push is a login in which a phone approves. What is timed is not the login but
// the last of it: from the moment the phone sends its approval until the
// browser, told by the event stream, is on its way to the application. Each
// phone is used once, as its passcode goes with the answer.
func push(ctx context.Context, r *rig) (act, error) {
	return approvals(ctx, r, r.phones["push"], r.process), nil
}

// across is push where browser and phone talk to two servers of one database.
func across(ctx context.Context, r *rig) (act, error) {
	return approvals(ctx, r, r.phones["nodes"], r.second), nil
}

// approvals are logins whose browser talks to one server, and whose phone to
// the first.
func approvals(ctx context.Context, r *rig, phones <-chan *owner, browsing *process) act {
	return func() (time.Duration, error) {
		var o *owner
		select {
		case o = <-phones:
		default:
			return 0, errNobody
		}
		w, err := r.waiter(ctx, o, r.both)
		if err != nil {
			return 0, err
		}
		w.browser.address = browsing.address
		if err := w.ask(); err != nil {
			return 0, err
		}
		return w.answer(ctx)
	}
}

// A waiter is somebody whose browser waits for what the phone says.
type waiter struct {
	*owner
	phone   *phone.Phone
	sent    atomic.Int64 // when the approval was, in nanoseconds
	browser *browser
	relying *relying
	ticket  ticket
	at      page
	going   <-chan error
}

// waiter gives somebody a phone and a browser, and nothing to do yet.
func (r *rig) waiter(ctx context.Context, o *owner, app party) (*waiter, error) {
	w := &waiter{owner: o, browser: newBrowser(r.config.BaseURL), relying: r.relyingOf(app)}
	w.phone = &phone.Phone{Dir: filepath.Join(r.config.Dir(), "phones", o.name), HTTP: &http.Client{Transport: watched{&w.sent}, Timeout: patience}}
	if _, err := w.phone.Activate(ctx, phone.Activation{Link: o.link, Name: o.name, Push: true}); err != nil {
		return nil, fmt.Errorf("activate: %w", err)
	}
	return w, nil
}

// ask begins a login, has a request sent, and listens at the page that waits.
func (w *waiter) ask() error {
	path, ticket := w.relying.request("openid")
	at, err := w.browser.open(path)
	if err != nil {
		return err
	}
	if w.at, err = w.browser.login(at, &w.person); err != nil {
		return err
	}
	w.ticket = ticket
	w.going, err = w.browser.wait(w.at)
	return err
}

// answer approves, and says how long after that the browser went on.
func (w *waiter) answer(ctx context.Context) (time.Duration, error) {
	if err := approve(ctx, w.phone, w.at); err != nil {
		return 0, err
	}
	if err := <-w.going; err != nil {
		return 0, err
	}
	at, err := w.browser.post(w.at.path, formOf(w.at.body))
	took := time.Duration(time.Now().UnixNano() - w.sent.Load())
	if err != nil {
		return 0, err
	}
	_, err = w.relying.redeem(at.leads, w.ticket, &w.person)
	return took, errors.Join(err, w.browser.close(), w.relying.back.close())
}

// watched notes when the phone's answer leaves.
type watched struct{ sent *atomic.Int64 }

// RoundTrip implements http.RoundTripper.
func (w watched) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/answer") {
		w.sent.Store(time.Now().UnixNano())
	}
	return http.DefaultTransport.RoundTrip(r)
}

// approve approves what waits, with the number the page shows.
func approve(ctx context.Context, ph *phone.Phone, at page) error {
	_, after, _ := strings.Cut(at.body, `<p class="number"`)
	_, after, _ = strings.Cut(after, ">")
	number, _, _ := strings.Cut(after, "<")
	waiting, err := ph.Pending(ctx)
	if err != nil || len(waiting) != 1 {
		return fmt.Errorf("%d requests wait: %w", len(waiting), err)
	}
	outcome, err := ph.Approve(ctx, waiting[0].ID, number)
	if err != nil || outcome.Outcome != string(store.PushApproved) {
		return fmt.Errorf("approval came to %q: %w", outcome.Outcome, err)
	}
	return nil
}

// wait opens a waiting page's event stream, on a connection of its own as
// browsers do, and tells when it says to go on.
func (b *browser) wait(at page) (<-chan error, error) {
	_, after, _ := strings.Cut(at.body, `data-stream="`)
	address, _, found := strings.Cut(after, `"`)
	if !found {
		return nil, fmt.Errorf("%s has no event stream", at.path)
	}
	stream := line{address: b.address, host: b.host}
	res, err := stream.ask(http.MethodGet, html.UnescapeString(address), "Accept: text/event-stream\r\n"+b.head(), "")
	if err != nil {
		return nil, errors.Join(err, stream.close())
	}
	lines := bufio.NewScanner(res.Body)
	if err := stream.conn.SetDeadline(time.Now().Add(maxLifetime)); err != nil {
		return nil, errors.Join(err, stream.close())
	}
	if !lines.Scan() || res.StatusCode != http.StatusOK { // it says that it is there
		return nil, errors.Join(fmt.Errorf("event stream: %s %w", res.Status, lines.Err()), stream.close())
	}
	going := make(chan error, 1)
	go func() {
		for lines.Scan() {
			if lines.Text() == "event: go" {
				going <- stream.close()
				return
			}
		}
		going <- errors.Join(errors.New("event stream ended"), lines.Err(), stream.close())
	}()
	return going, nil
}
