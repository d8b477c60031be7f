package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// A rig is a house with a running server, and what the load needs of it.
type rig struct {
	*house
	*process
	relying relying // an application's server, as all begin
}

// A scenario is something people do all day.
type scenario struct {
	name, title string
	crowd       int // browsers at once, where it is not the run's to say
	// browser makes one that does it over and over, with whatever must have
	// happened before.
	browser func(ctx context.Context, r *rig) (act, error)
	// beside is the part of it that nothing makes faster; measured in between,
	// as what a machine has to give changes from minute to minute.
	beside func(yardsticks) yardstick
	// moment is of what times a moment of something longer: its rate and CPU say
	// nothing, and there is nothing to warm up with.
	moment bool
}

func hash(y yardsticks) yardstick         { return y.hash }
func xmlSignature(y yardsticks) yardstick { return y.xml }

// An act is what a browser does over and over. It says how long what matters of
// it took.
type act func() (time.Duration, error)

// errNobody says that there is nobody left to do it.
var errNobody = errors.New("nobody is left")

// timed is an act of which all matters.
func timed(do func() error) act {
	return func() (time.Duration, error) {
		began := time.Now()
		err := do()
		return time.Since(began), err
	}
}

// scenarios lists them in the order in which they run. Hashes leave memory
// behind, so the logins without one come first.
var scenarios = []scenario{
	{name: "passcode", title: "Fresh login, passcode alone", browser: passcodeAlone},
	{name: "fresh", title: "Fresh login, password and passcode", beside: hash, browser: fresh},
	{name: "crowd", title: "Fresh login, 64 at once", crowd: 64, beside: hash, browser: fresh},
	{name: "silent", title: "Silent sign-on, OpenID Connect", browser: silent},
	{name: "saml", title: "Sign-on with a live session, SAML", beside: xmlSignature, browser: silentSAML},
	{name: "refresh", title: "Refresh", browser: refresh},
	{name: "push", title: "From approval to the browser's going on", crowd: 2, moment: true, browser: push},
}

func scenarioNames() []string {
	var names []string
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return names
}

// fresh is a login of somebody in a browser that has never been here.
func fresh(_ context.Context, r *rig) (act, error) { return loginTo(r, r.both), nil }

// passcodeAlone is the same where no password is asked for.
func passcodeAlone(_ context.Context, r *rig) (act, error) { return loginTo(r, r.passing), nil }

func loginTo(r *rig, app party) act {
	b, rp := newBrowser(r.config.BaseURL), r.relyingOf(app)
	return timed(func() error {
		p, done, err := r.crowd.next()
		if err != nil {
			return err
		}
		defer done()
		clear(b.cookies)
		_, err = rp.signIn(b, p, "openid")
		return err
	})
}

// silent is a login in a browser that has a session: no page is shown.
func silent(_ context.Context, r *rig) (act, error) {
	b, rp, p, _, err := r.signedIn("openid")
	return timed(func() error {
		_, err := rp.signIn(b, p, "openid")
		return err
	}), err
}

// silentSAML is the same by SAML.
func silentSAML(ctx context.Context, r *rig) (act, error) {
	b, _, p, _, err := r.signedIn("openid")
	if err != nil {
		return nil, err
	}
	sp, err := newServiceProvider(ctx, r.saml, r.config.BaseURL)
	return timed(func() error { return sp.signIn(b, p) }), err
}

// refresh is an application that asks for new tokens.
func refresh(_ context.Context, r *rig) (act, error) {
	_, rp, p, got, err := r.signedIn("openid offline_access")
	token := got.Refresh
	return timed(func() error {
		got, err := rp.refresh(token, p)
		token = got.Refresh
		return err
	}), err
}

// relyingOf is a server of an application, with a connection of its own.
func (r *rig) relyingOf(app party) *relying {
	rp := r.relying
	rp.party = app
	return &rp
}

// signIn takes a browser through a login to the application and back.
func (r *relying) signIn(b *browser, p *person, scope string) (tokens, error) {
	path, ticket := r.request(scope)
	at, err := b.open(path)
	if err != nil {
		return tokens{}, err
	}
	if at, err = b.login(at, p); err != nil {
		return tokens{}, err
	}
	return r.redeem(at.leads, ticket, p)
}

// signedIn is a browser with a session, and the application it was for.
func (r *rig) signedIn(scope string) (*browser, *relying, *person, tokens, error) {
	b, rp := newBrowser(r.config.BaseURL), r.relyingOf(r.both)
	p, done, err := r.crowd.next()
	if err != nil {
		return nil, nil, nil, tokens{}, err
	}
	defer done()
	got, err := rp.signIn(b, p, scope)
	return b, rp, p, got, err
}

// measureOne runs the scenarios on one database.
func measureOne(ctx context.Context, o options, database string, progress func(format string, args ...any)) (run Run, err error) {
	run.Database = engine(database)
	dir, err := os.MkdirTemp("", "latchkey-bench.")
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	progress("%s: what this machine can do", run.Database)
	y, err := newYardsticks()
	if err != nil {
		return run, err
	}
	if run.Machine, err = y.machine(dir, o); err != nil {
		return run, err
	}
	progress("%s: %d people move in", run.Database, o.users)
	h, err := found(ctx, filepath.Join(dir, "house"), database, o)
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, h.drop()) }()
	p, err := run.begin(ctx, o, h)
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, p.stop(), run.complaints(h)) }()
	r := &rig{house: h, process: p}
	if r.relying, err = newRelying(ctx, h.config.BaseURL); err != nil {
		return run, err
	}
	for _, s := range scenarios {
		if len(o.only) > 0 && !slices.Contains(o.only, s.name) {
			continue
		}
		progress("%s: %s", run.Database, s.title)
		row, err := r.load(ctx, o, s, y, run.Database)
		if err != nil {
			return run, fmt.Errorf("%s: %w", s.name, err)
		}
		run.Rows = append(run.Rows, row)
	}
	run.judge()
	return run, ctx.Err()
}

// starts is how often the server is started to see how fast it is ready.
const starts = 5

// begin starts the server on a folder that exists, several times, and looks at
// the last one at rest.
func (run *Run) begin(ctx context.Context, o options, h *house) (p *process, err error) {
	times := starts
	if o.quick {
		times = 1
	}
	var ready []time.Duration
	for i := range times {
		if i > 0 {
			if err := p.stop(); err != nil {
				return nil, err
			}
		}
		if p, err = start(ctx, o.binary, h); err != nil {
			return nil, err
		}
		ready = append(ready, p.readyIn)
	}
	slices.Sort(ready)
	run.ReadyMS = milliseconds(ready[len(ready)/2])
	if !o.quick {
		time.Sleep(time.Second)
	}
	run.IdleMiB, _, err = p.memory()
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// load lets browsers do a scenario for the time of the run, after a fifth of it
// to warm up, and says what came of it and what the server spent.
func (r *rig) load(ctx context.Context, o options, s scenario, y yardsticks, database string) (Row, error) {
	row := Row{Scenario: s.name, Title: s.title, Browsers: s.crowd}
	if row.Browsers == 0 || o.quick { // a slow machine may rightly send some of a crowd away
		row.Browsers = o.concurrency
	}
	doing := make([]act, row.Browsers)
	for i := range doing {
		var err error
		if doing[i], err = s.browser(ctx, r); err != nil {
			return row, err
		}
	}
	if !s.moment {
		row.note(meter(ctx, o.duration/5, doing))
	}
	if err := r.forgetPeak(); err != nil {
		return row, err
	}
	profiled := make(chan error, 1)
	if o.profiles == "" {
		profiled <- nil
	} else {
		file := filepath.Join(o.profiles, s.name+"-"+database+".pprof")
		go func() { profiled <- r.profile(ctx, o.duration, file) }()
	}
	err := row.measure(ctx, r, s, y, doing, o.duration)
	if err := errors.Join(err, <-profiled); err != nil {
		return row, err
	}
	_, row.PeakMiB, err = r.memory()
	return row, err
}

// measure reads the meter twice for half the time, and the yardstick before,
// between and after.
func (row *Row) measure(ctx context.Context, r *rig, s scenario, y yardsticks, doing []act, d time.Duration) error {
	const halves = 2
	var m reading
	var used spent
	for i := range halves + 1 {
		if s.beside != nil {
			beside := s.beside(y)
			perSecond, ms, err := beside.rate(d / 10)
			if err != nil {
				return err
			}
			row.Alone = beside.name
			row.AlonePerSecond += perSecond / (halves + 1)
			row.AloneMS += ms / (halves + 1)
		}
		if i == halves {
			break
		}
		before, err := r.spent()
		if err != nil {
			return err
		}
		m.add(meter(ctx, d/halves, doing))
		after, err := r.spent()
		if err != nil {
			return err
		}
		used.server += after.server - before.server
		used.driver += after.driver - before.driver
	}
	slices.Sort(m.each)
	row.note(m)
	if row.times(m); !s.moment {
		row.rates(m, used)
	}
	return nil
}

// spent is CPU time of both sides, up to now.
type spent struct{ server, driver time.Duration }

func (r *rig) spent() (s spent, err error) {
	var err2 error
	s.server, err = cpu(r.pid())
	s.driver, err2 = cpu("self")
	return s, errors.Join(err, err2)
}

// A reading is what came of doing something for a while.
type reading struct {
	took   time.Duration
	each   []time.Duration // of those that succeeded, for quantiles in order
	failed int
	errors []string // a few of them
}

// fewErrors are enough to see what is wrong.
const fewErrors = 5

// meter lets all do their thing over and over until the time is up, and waits
// for the last of them.
func meter(ctx context.Context, d time.Duration, doing []act) reading {
	var all reading
	var mu sync.Mutex
	var wg sync.WaitGroup
	began := time.Now()
	for _, do := range doing {
		wg.Go(func() {
			var own reading
			for once := false; ctx.Err() == nil && (!once || time.Since(began) < d); once = true {
				took, err := do()
				if errors.Is(err, errNobody) {
					break
				}
				if err != nil {
					own.failed++
					own.errors = append(own.errors, err.Error())
					time.Sleep(10 * time.Millisecond) // what is broken need not be tried a million times
					continue
				}
				own.each = append(own.each, took)
			}
			mu.Lock()
			defer mu.Unlock()
			all.add(own)
		})
	}
	wg.Wait()
	all.took = time.Since(began)
	return all
}

// add puts another reading to this one.
func (m *reading) add(other reading) {
	m.took += other.took
	m.each = append(m.each, other.each...)
	m.failed += other.failed
	m.errors = append(m.errors, other.errors[:min(fewErrors, len(other.errors))]...)
}

// quantile is the duration that a part of all did not exceed.
func (m reading) quantile(q float64) time.Duration {
	if len(m.each) == 0 {
		return 0
	}
	return m.each[min(len(m.each)-1, int(q*float64(len(m.each))))]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// complaints counts what the server logged as its own failures.
func (run *Run) complaints(h *house) error {
	log, err := os.ReadFile(filepath.Join(h.config.Dir(), "server.log"))
	if err != nil {
		return err
	}
	run.Complaints = complaintsIn(log)
	return nil
}
