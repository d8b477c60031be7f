package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// DefaultTimeout is the time of [Options.Timeout] if none is given.
const DefaultTimeout = 5 * time.Second

// A patience says how long work on the database may take. A context carries it, because
// what a function does for a page and for an operator's report is the same; how long
// either may wait is known where the work begins.
type patience int

const (
	// interactive is the work for which somebody waits: a request, and everything
	// whose context says nothing else.
	interactive patience = iota
	// longRunning is the work of commands and of jobs in the background.
	longRunning
	// unbounded is the work on the whole database: migrations and restores. So is a
	// Snapshot, which is read outside of all this.
	unbounded
)

// longTransaction is the time of a transaction of long-running work: of a batch of a
// job. It holds locks for as long.
const longTransaction = time.Minute

// transaction is the time of a transaction that writes; 0 means no deadline.
func (p patience) transaction(timeout time.Duration) time.Duration {
	return [...]time.Duration{interactive: timeout, longRunning: longTransaction, unbounded: 0}[p]
}

// read is the time of a read, with its rows, and of a snapshot; 0 means no deadline. The
// rows of an export are read as fast as their reader takes them.
func (p patience) read(timeout time.Duration) time.Duration {
	return [...]time.Duration{interactive: timeout, longRunning: 0, unbounded: 0}[p]
}

type patienceKey struct{}

// LongRunning returns a context for work that rightly takes longer than a page may: an
// operator's commands, reports and exports, and jobs in the background. Without it each
// transaction and each read ends after [Options.Timeout].
func LongRunning(ctx context.Context) context.Context {
	return context.WithValue(ctx, patienceKey{}, longRunning)
}

// onWhole returns a context for work on the whole database.
func onWhole(ctx context.Context) context.Context {
	return context.WithValue(ctx, patienceKey{}, unbounded)
}

func patienceOf(ctx context.Context) patience {
	p, _ := ctx.Value(patienceKey{}).(patience)
	return p
}

// within returns a context that ends after a time; 0 means never.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

// A bounded querier gives each statement a deadline: that of its transaction or, outside
// of one, the time of a read. It refuses statements while the database is silent.
type bounded struct {
	plain   querier
	timeout time.Duration // of a read
	until   time.Time     // the deadline of the transaction; zero means none
	inTx    bool
	silence *silence
}

func (b *bounded) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	switch {
	case !b.inTx:
		return within(ctx, patienceOf(ctx).read(b.timeout))
	case b.until.IsZero():
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, b.until)
}

// begin returns the context of a statement, or an error if the database is silent.
func (b *bounded) begin(ctx context.Context) (context.Context, context.CancelFunc, error) {
	ctx, cancel := b.bound(ctx)
	if !b.inTx {
		if err := b.silence.await(ctx); err != nil {
			cancel()
			return nil, nil, err
		}
	}
	return ctx, cancel, nil
}

func (b *bounded) QueryContext(ctx context.Context, query string, args ...any) (resultRows, error) {
	ctx, cancel, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	found, err := b.plain.QueryContext(ctx, query, args...) //nolint:rowserrcheck // its caller looks at Err, and closes it
	if err != nil {
		b.silence.note(ctx, began)
		cancel()
		return nil, err
	}
	return &boundedRows{Rows: found, ctx: ctx, cancel: cancel, began: began, silence: b.silence}, nil
}

func (b *bounded) QueryRowContext(ctx context.Context, query string, args ...any) scanner {
	ctx, cancel, err := b.begin(ctx)
	if err != nil {
		return failedRow{err}
	}
	began := time.Now()
	return &boundedRow{row: b.plain.QueryRowContext(ctx, query, args...), ctx: ctx, cancel: cancel, began: began, silence: b.silence}
}

func (b *bounded) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	ctx, cancel, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	began := time.Now()
	res, err := b.plain.ExecContext(ctx, query, args...)
	if err != nil {
		b.silence.note(ctx, began)
	}
	return res, err
}

// boundedRows end their deadline when they are closed.
type boundedRows struct {
	*sql.Rows
	ctx     context.Context
	cancel  context.CancelFunc
	began   time.Time
	silence *silence
}

func (r *boundedRows) Close() error {
	defer r.cancel()
	if r.Err() != nil {
		r.silence.note(r.ctx, r.began)
	}
	return r.Rows.Close()
}

// A boundedRow ends its deadline when it is scanned.
type boundedRow struct {
	row     *sql.Row
	ctx     context.Context
	cancel  context.CancelFunc
	began   time.Time
	silence *silence
}

func (r *boundedRow) Scan(dest ...any) error {
	defer r.cancel()
	err := r.row.Scan(dest...)
	if err != nil {
		r.silence.note(r.ctx, r.began)
	}
	return err
}

type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }

// ended replaces the error of work whose deadline has passed: what database/sql says of
// a transaction that it has rolled back itself does not say why.
func ended(ctx context.Context, err error) error {
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return classify(errors.Join(err, context.DeadlineExceeded))
	}
	return classify(err)
}
