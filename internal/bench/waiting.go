package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxLifetime is how long a push request may be open, by the strictest of what
// policy.Push allows: the last of thousands is sent long before the first is
// answered.
const maxLifetime = 300 * time.Second

// answerTime is over how much of the minute the answers are spread.
const answerTime = 50 * time.Second

// waiting is a morning: all at once want to sign in, and then look at their
// phones. Each browser holds its event stream while its request waits. When the
// last has one, the answers come, spread over most of a minute, in an order of
// their own; as in push, what is timed is from the approval to the browser's
// going on.
func waiting(ctx context.Context, r *rig, o options, s scenario) (Row, error) {
	row := Row{Scenario: s.name, Title: s.title, Browsers: o.waiting}
	if err := r.forgetPeak(); err != nil {
		return row, err
	}
	var all []*waiter
	var mu sync.Mutex
	// Nobody begins to wait before all have a phone: making keys takes longer
	// than it may.
	gather := each(ctx, o.waiting, o.concurrency, 0, func(int) (time.Duration, error) {
		w, err := r.waiter(ctx, <-r.phones["waiting"], r.passing)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, w)
		return 0, err
	})
	if row.note(gather); gather.failed > 0 {
		return row, nil
	}
	begin := each(ctx, len(all), o.concurrency, 0, func(i int) (time.Duration, error) {
		return 0, errors.Join(all[i].ask(), all[i].browser.close()) // the stream has a connection of its own
	})
	if row.note(begin); begin.failed > 0 {
		return row, nil
	}
	// In an order that has to do with nothing else: a link ends with a secret.
	slices.SortFunc(all, func(a, b *waiter) int { return strings.Compare(a.link, b.link) })
	var m reading
	var used spent
	err := r.spend(&used, func() {
		m = each(ctx, len(all), 8*o.concurrency, answerTime/time.Duration(max(len(all), 100)), func(i int) (time.Duration, error) {
			return all[i].answer(ctx)
		})
	})
	if err != nil {
		return row, err
	}
	slices.Sort(m.each)
	row.note(m)
	row.times(m)
	row.rates(m, used)
	row.TookSeconds = m.took.Seconds()
	_, row.PeakMiB, err = r.memory()
	return row, err
}

// each does n things, so many of them at once and no two begun closer together
// than a pause.
func each(ctx context.Context, n, atOnce int, pause time.Duration, do func(i int) (time.Duration, error)) reading {
	var all reading
	var mu sync.Mutex
	var wg sync.WaitGroup
	turn := make(chan struct{}, atOnce)
	began := time.Now()
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		time.Sleep(time.Until(began.Add(time.Duration(i) * pause)))
		turn <- struct{}{}
		wg.Go(func() {
			took, err := do(i)
			<-turn
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				all.failed++
				all.errors = append(all.errors, err.Error())
				return
			}
			all.each = append(all.each, took)
		})
	}
	wg.Wait()
	all.took = time.Since(began)
	return all
}
