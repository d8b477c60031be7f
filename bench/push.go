package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
	"github.com/latchkey-id/latchkey/identity"
	"github.com/latchkey-id/latchkey/phone"
	"github.com/latchkey-id/latchkey/store"
)

// An owner is somebody who approves on a phone.
type owner struct {
	person
	link string // of the activation, until the phone has it
}

// owners adds people who are about to set up a phone: their journeys stand at
// the QR code.
func (h *house) owners(ctx context.Context, db *store.DB, who identity.Principal, app, hash string, n int) error {
	h.phones = make(chan *owner, n)
	return db.InTx(ctx, who, func(tx *store.Tx) error {
		rules, err := enroll.ReadRules(ctx, tx, h.tenant.ID)
		if err != nil {
			return err
		}
		for i := range n {
			u := identity.User{Tenant: h.tenant.ID, ID: identity.NewID(identity.UserID), Name: fmt.Sprintf("owner%04d", i), Password: hash}
			if err := tx.AddUser(ctx, u); err != nil {
				return err
			}
			now := tx.Now()
			j := &identity.Journey{Tenant: u.Tenant, ID: identity.NewID(identity.JourneyID), Application: app, Protocol: identity.OIDC,
				Request: []byte(`{}`), Browser: "bench", IP: "127.0.0.1", UserID: u.ID, Name: u.Name,
				Required:  []identity.Validation{identity.Password, identity.OneTimePassword},
				Passed:    []identity.Passed{{Validation: identity.Password, Method: identity.ByPassword, At: now}},
				Enrol:     identity.EnrolPlatform,
				StartedAt: now, ExpiresAt: now.Add(time.Duration(rules.Limits.JourneyLife) * time.Second)}
			j.Code.PassedAt = now
			if err := tx.AddJourney(ctx, j); err != nil {
				return err
			}
			notice, err := enroll.ChoosePlatform(ctx, tx, j, u, identity.Linux, rules, "en")
			if err := errors.Join(err, tx.StepJourney(ctx, j)); err != nil || notice != "" {
				return fmt.Errorf("activation of %s: %s %w", u.Name, notice, err)
			}
			shown, err := enroll.Shown(ctx, tx, j)
			if err != nil {
				return err
			}
			h.phones <- &owner{person{id: u.ID, name: u.Name}, shown.Link(h.config.BaseURL)}
		}
		return nil
	})
}

// push is a login in which a phone approves. What is timed is not the login but
// the last of it: from the moment the phone sends its approval until the
// browser, told by the event stream, is on its way to the application. Each
// phone is used once, as its passcode goes with the answer.
func push(ctx context.Context, r *rig) (act, error) {
	b, rp := newBrowser(r.config.BaseURL), r.relyingOf(r.both)
	return func() (time.Duration, error) {
		var o *owner
		select {
		case o = <-r.phones:
		default:
			return 0, errNobody
		}
		var sent atomic.Int64 // when the approval was, in nanoseconds
		ph := &phone.Phone{Dir: filepath.Join(r.config.Dir(), "phones", o.name), HTTP: &http.Client{Transport: watched{&sent}, Timeout: patience}}
		if _, err := ph.Activate(ctx, phone.Activation{Link: o.link, Name: o.name, Push: true}); err != nil {
			return 0, fmt.Errorf("activate: %w", err)
		}
		clear(b.cookies)
		path, ticket := rp.request("openid")
		at, err := b.open(path)
		if err != nil {
			return 0, err
		}
		if at, err = b.login(at, &o.person); err != nil {
			return 0, err
		}
		going, err := b.wait(at)
		if err != nil {
			return 0, err
		}
		if err := approve(ctx, ph, at); err != nil {
			return 0, err
		}
		if err := <-going; err != nil {
			return 0, err
		}
		at, err = b.post(at.path, url.Values{"version": {field(at.body, "version")}, "step": {field(at.body, "step")}, "do": {"continue"}})
		took := time.Duration(time.Now().UnixNano() - sent.Load())
		if err != nil {
			return 0, err
		}
		_, err = rp.redeem(at.leads, ticket, &o.person)
		return took, err
	}, nil
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
	stream := line{address: b.address}
	res, err := stream.ask(http.MethodGet, html.UnescapeString(address), "Accept: text/event-stream\r\n"+b.head(), "")
	if err != nil {
		return nil, errors.Join(err, stream.close())
	}
	lines := bufio.NewScanner(res.Body)
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
