package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// flooders is how many browsers type wrong passwords at once, and guests how many who
// are signed in go from one application to another meanwhile.
const (
	flooders = 300
	guests   = 4
)

// guestPause is how long somebody who is signed in stays at an application.
const guestPause = 100 * time.Millisecond

// flood is an attack by wrong passwords, of names that are nobody's, while others use
// the sessions they have. What is timed is their single sign-on (T-ADM-15).
func flood(ctx context.Context, r *rig, o options, s scenario) (Row, error) {
	row := Row{Scenario: s.name, Title: s.title, Browsers: flooders}
	if o.quick {
		row.Browsers = o.concurrency
	}
	var signedIn []act
	for range guests {
		do, err := silent(ctx, r)
		if err != nil {
			return row, err
		}
		signedIn = append(signedIn, func() (time.Duration, error) {
			took, err := do()
			time.Sleep(guestPause)
			return took, err
		})
	}
	if err := r.forgetPeak(); err != nil {
		return row, err
	}
	flooding, stop := context.WithCancel(ctx)
	defer stop()
	var tried atomic.Int64
	var all sync.WaitGroup
	for n := range row.Browsers {
		all.Go(func() {
			for flooding.Err() == nil {
				if r.guess(flooding, n, &tried) != nil { // it was sent away, or its journey is over
					time.Sleep(guestPause)
				}
			}
		})
	}
	time.Sleep(o.duration / 5) // until all are at it
	m := meter(ctx, o.duration, signedIn)
	stop()
	all.Wait()
	if tried.Load() == 0 {
		return row, fmt.Errorf("flood: no wrong password was typed")
	}
	slices.Sort(m.each)
	row.note(m)
	row.times(m)
	var err error
	_, row.PeakMiB, err = r.memory()
	return row, err
}

// guess types wrong passwords in one journey until the flood is over.
func (r *rig) guess(ctx context.Context, n int, tried *atomic.Int64) error {
	b, rp := newBrowser(r.config.BaseURL), r.relyingOf(r.both)
	path, _ := rp.request("openid")
	at, err := b.open(path)
	if err == nil {
		form := formOf(at.body)
		form.Set("username", fmt.Sprintf("nobody%d", n))
		at, err = b.post(at.path, form)
	}
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		form := formOf(at.body)
		form.Set("password", "not the password")
		next, err := b.post(at.path, form)
		tried.Add(1)
		if err == nil {
			at = next
		} else if !strings.Contains(err.Error(), "status 503") { // there was no place in the queue, and the form is as good as before
			return err
		}
	}
	return nil
}
