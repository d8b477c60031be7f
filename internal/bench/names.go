package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// How often names are compared, and by how much, in percent, the medians of the
// answers to them may differ in the best of the tries.
const (
	namePairs      = 2000
	namePairsQuick = 5
	nameTries      = 3
	mostDifference = 2
)

// codeWait is the least time between two codes of a journey that a tenant can set.
const codeWait = 10 * time.Second

// naming compares how long a user's name and one that is nobody's are answered
// (T-LOG-02): named on the first page, said to have forgotten the password, with a
// wrong mailed code typed, and asked for another code; of each, the answer to the form
// and the page after it. Pairs of a user and of nobody come from an address of their
// own, and do everything in random order. What differs too much in one try by chance
// does not in the next; what does in each try makes the scenario fail.
func naming(ctx context.Context, r *rig, o options, s scenario) (row Row, err error) {
	row = Row{Scenario: s.name, Title: s.title, Browsers: 2}
	keys, err := r.config.Keys()
	if err != nil {
		return row, err
	}
	db, err := store.Open(ctx, store.Options{Source: r.config.Source(), Keys: keys})
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	who := builder
	who.Tenant = r.tenant.ID
	_, err = admin.SetPolicy(ctx, db, who, r.tenant.ID, policy.KindLimits, func(present policy.Document) (policy.Document, error) {
		limits := present.(policy.Limits)
		limits.MailCodesPerUser, limits.MailCodeResend = 20, int64(codeWait.Seconds())
		return limits, nil
	})
	if err != nil {
		return row, err
	}
	tries, pairs := nameTries, namePairs
	if o.quick {
		tries, pairs = 1, namePairsQuick
	}
	best := make(map[string]float64) // of all tries so far, in percent, by button
	for try := range tries {
		c := &nameComparison{rig: r, try: try, took: make(map[string][2][]time.Duration)}
		if err := c.run(ctx, pairs, !o.quick); err != nil {
			return row, err
		}
		row.times(reading{each: c.all()})
		var worst string
		row.DifferencePercent, worst = 0, ""
		for what, percent := range c.differences() {
			if before, known := best[what]; !known || percent < before {
				best[what] = percent
			}
			if best[what] >= row.DifferencePercent {
				row.DifferencePercent, worst = best[what], what
			}
		}
		if row.DifferencePercent < mostDifference || o.quick {
			break
		}
		if try == tries-1 {
			row.Failed++
			row.Errors = append(row.Errors, fmt.Sprintf("each of %d tries tells names by the time of an answer: %s, by %.1f %%", tries, worst, row.DifferencePercent))
		}
	}
	_, row.PeakMiB, err = r.memory()
	return row, err
}

// A nameComparison is one try.
type nameComparison struct {
	*rig
	try   int
	named []*namedPair
	took  map[string][2][]time.Duration // by button: of users, and of nobody
}

// A namedPair is a user's name and nobody's, each in a browser at a page.
type namedPair struct {
	browsers [2]*browser
	at       [2]page
	asked    time.Time // when both had asked for a code
}

// run has each pair press the buttons once, and, if again is set, ask for another code
// as soon as all have asked for one.
func (c *nameComparison) run(ctx context.Context, pairs int, again bool) error {
	for i := range pairs {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, err := c.begin(i)
		if err != nil {
			return err
		}
		name, nobodys := c.crowd.names(i)
		for _, press := range []struct {
			what   string
			fields [2]url.Values
		}{
			{"name", [2]url.Values{{"username": {name}}, {"username": {nobodys}}}},
			{"forgot", [2]url.Values{{"do": {"forgot"}}, {"do": {"forgot"}}}},
			{"wrong code", [2]url.Values{{"code": {"000000"}}, {"code": {"000000"}}}},
		} {
			if err := c.press(p, press.what, press.fields); err != nil {
				return err
			}
		}
		p.asked = time.Now()
		if err := errors.Join(p.browsers[0].close(), p.browsers[1].close()); err != nil {
			return err
		}
		c.named = append(c.named, p)
	}
	if !again {
		return nil
	}
	for _, p := range c.named {
		time.Sleep(time.Until(p.asked.Add(codeWait + time.Second)))
		for _, i := range inAnyOrder() {
			var err error
			if p.at[i], _, err = p.browsers[i].shown(p.at[i].path); err != nil {
				return err
			}
		}
		if err := c.press(p, "again", [2]url.Values{{"do": {"resend"}}, {"do": {"resend"}}}); err != nil {
			return err
		}
		if err := errors.Join(p.browsers[0].close(), p.browsers[1].close()); err != nil {
			return err
		}
	}
	return nil
}

// begin opens the first page in two browsers at an address of their own: of one
// address only so many codes are asked for.
func (c *nameComparison) begin(i int) (*namedPair, error) {
	p := new(namedPair)
	for _, n := range inAnyOrder() {
		b := newBrowser(c.config.BaseURL)
		b.from = fmt.Sprintf("127.%d.%d.%d", c.try+1, i/250, i%250+1)
		path, _ := c.relyingOf(c.both).request("openid")
		var err error
		if p.at[n], err = b.open(path); err != nil {
			return nil, err
		}
		p.browsers[n] = b
	}
	return p, nil
}

// press presses a button in both browsers, one after the other, in random order.
func (c *nameComparison) press(p *namedPair, what string, fields [2]url.Values) error {
	for _, n := range inAnyOrder() {
		form := formOf(p.at[n].body)
		for name, values := range fields[n] {
			form[name] = values
		}
		posted, shown, next, err := p.browsers[n].pressed(p.at[n].path, form)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		p.at[n] = next
		c.note(what, n, posted)
		c.note("page after "+what, n, shown)
	}
	return nil
}

func (c *nameComparison) note(what string, n int, took time.Duration) {
	both := c.took[what]
	both[n] = append(both[n], took)
	c.took[what] = both
}

// pressed posts a form and opens the page it leads to, and says how long each took.
func (b *browser) pressed(path string, form url.Values) (posted, shown time.Duration, at page, err error) {
	a, posted, err := b.timed(http.MethodPost, path, form.Encode())
	if err != nil {
		return 0, 0, page{}, err
	}
	next, own := strings.CutPrefix(a.location, b.base)
	if a.status != http.StatusSeeOther || !own && !strings.HasPrefix(next, "/") {
		return 0, 0, page{}, fmt.Errorf("%s: status %d, leads to %q: %s", bare(path), a.status, a.location, problem(a.body))
	}
	at, shown, err = b.shown(next)
	return posted, shown, at, err
}

// shown opens a page, which may say that what was typed is wrong.
func (b *browser) shown(path string) (page, time.Duration, error) {
	a, took, err := b.timed(http.MethodGet, path, "")
	if err == nil && a.status != http.StatusOK && a.status != http.StatusUnprocessableEntity {
		err = fmt.Errorf("%s: status %d: %s", bare(path), a.status, problem(a.body))
	}
	return page{path: path, body: a.body}, took, err
}

// timed sends a request and says how long the answer took.
func (b *browser) timed(method, path, body string) (answer, time.Duration, error) {
	head := b.head()
	began := time.Now()
	a, err := b.send(method, path, head, body)
	took := time.Since(began)
	b.keep(a.cookies)
	return a, took, err
}

// differences returns by how many percent the medians differ, by button.
func (c *nameComparison) differences() map[string]float64 {
	all := make(map[string]float64)
	for what, both := range c.took {
		user, nobody := medianTime(both[0]), medianTime(both[1])
		all[what] = 100 * float64(max(user-nobody, nobody-user)) / float64(nobody)
	}
	return all
}

func medianTime(all []time.Duration) time.Duration {
	return reading{each: slices.Sorted(slices.Values(all))}.quantile(0.5)
}

// all are the times of every answer, in order.
func (c *nameComparison) all() (all []time.Duration) {
	for _, both := range c.took {
		all = slices.Concat(all, both[0], both[1])
	}
	slices.Sort(all)
	return all
}

// names returns the i-th pair of the name of one of the crowd and one, as long, that is
// nobody's. Both change from pair to pair: rows that were just read are read faster, and
// the one that is read for nobody's name is that of the name which comes next.
func (c *crowd) names(i int) (users, nobodys string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.waiting)
	return fmt.Sprintf("user%06d", i%n), fmt.Sprintf("user%05dx", i*7%max(n/10, 1))
}

// inAnyOrder is 0 and 1, which of them first is random: neither is always measured behind
// the other.
func inAnyOrder() []int {
	var b [1]byte
	rand.Read(b[:])
	first := int(b[0] & 1)
	return []int{first, 1 - first}
}
