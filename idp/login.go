package idp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/latchkey-id/latchkey/internal/journey"
	"github.com/latchkey-id/latchkey/internal/web"
)

// get shows the present prompt of a journey. It changes nothing.
func (p *IdP) get(w http.ResponseWriter, r *http.Request) error {
	t, err := p.Site.Tenant(r)
	if err != nil {
		return err
	}
	b := p.browserAt(r, t)
	b.readSession(r) // of a journey that is over, or that could go on with it
	prompt, err := p.Engine.Look(r.Context(), b.Client, r.PathValue("journey"))
	if err != nil {
		return err
	}
	return b.render(w, r, prompt)
}

// post hands an input to the journey and sends the browser on: to the same
// address, so that reloading and going back repeat nothing, or with the answer to
// the application.
func (p *IdP) post(w http.ResponseWriter, r *http.Request) error {
	if err := web.Form(w, r); err != nil {
		return err
	}
	t, err := p.Site.Tenant(r)
	if err != nil {
		return err
	}
	b := p.browserAt(r, t)
	id, state, input := r.PathValue("journey"), r.PostFormValue("state"), readInput(r)
	if language, ok := input.(journey.PickLanguage); ok {
		return b.pickLanguage(w, r, id, state, language)
	}
	b.readSession(r)
	if _, goesOn := input.(journey.Continue); goesOn && r.PostFormValue("do") != "session" {
		if err := b.longPoll(w, r, id, state); err != nil {
			return err
		}
	}
	prompt, err := p.Engine.Take(r.Context(), b.Client, id, state, input)
	if err != nil {
		return err
	}
	return b.answer(w, r, prompt)
}

// pickLanguage shows the same page again in another language, with what was typed
// and is no secret (ENR-13).
func (b *browser) pickLanguage(w http.ResponseWriter, r *http.Request, id, state string, in journey.PickLanguage) error {
	in.Language = b.idp.Site.Catalog.Negotiate(in.Language, "", "", "").Lang()
	b.Picked, b.Redirects = in.Language, false
	prompt, err := b.idp.Engine.Take(r.Context(), b.Client, id, state, in)
	if err != nil {
		return err
	}
	if err := b.idp.Site.PickLanguage(w, r, in.Language); err != nil {
		return err
	}
	return b.render(w, r, prompt)
}

// pollTime is how long the answer to "continue" waits for the phone where no
// script does (JRN-11).
const pollTime = 20 * time.Second

// longPoll waits until the phone has done its part, or for as long as a person
// without scripts can be asked to.
func (b *browser) longPoll(w http.ResponseWriter, r *http.Request, id, state string) error {
	if err := clearDeadlines(w); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), pollTime)
	defer cancel()
	go func() { // a server that shuts down holds no answer back
		select {
		case <-b.idp.Closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	_, err := b.idp.Engine.Wait(ctx, b.Client, id, state)
	return err
}

// clearDeadlines lets a response take its time: the server's deadlines are for
// clients that keep it waiting, not for those that it keeps waiting.
func clearDeadlines(w http.ResponseWriter) error {
	control := http.NewResponseController(w)
	if err := errors.Join(control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{})); err != nil {
		return fmt.Errorf("idp: deadlines: %w", err)
	}
	return nil
}
