package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

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

// load lets browsers do a scenario for the time of the run, after a fifth of it
// to warm up, and says what came of it and what the server spent.
func (r *rig) load(ctx context.Context, o options, s scenario, y yardsticks, database string) (Row, error) {
	row := Row{Scenario: s.name, Title: s.title, Browsers: s.atOnce}
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
		if err := r.spend(&used, func() { m.add(meter(ctx, d/halves, doing)) }); err != nil {
			return err
		}
	}
	slices.Sort(m.each)
	row.note(m)
	if row.times(m); !s.moment {
		row.rates(m, used)
	}
	return nil
}

// spent is CPU time: the server's, the load's, and the whole machine's.
type spent struct{ server, driver, all time.Duration }

// spend adds what do spends.
func (r *rig) spend(used *spent, do func()) error {
	read := func() (s spent, err error) {
		var errs [3]error
		s.server, errs[0] = cpu(r.pid())
		s.driver, errs[1] = cpu("self")
		s.all, errs[2] = busy()
		return s, errors.Join(errs[:]...)
	}
	before, err := read()
	if err != nil {
		return err
	}
	do()
	after, err := read()
	used.server += after.server - before.server
	used.driver += after.driver - before.driver
	used.all += after.all - before.all
	return err
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
