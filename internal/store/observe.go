package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// A Statement is what the database was asked to do, and what came of it. See
// [Options.Observe].
type Statement struct {
	Query string // as it was sent; BEGIN, COMMIT or ROLLBACK for the bounds of a transaction
	InTx  bool   // whether it ran inside a transaction
	Rows  int64  // that an INSERT, UPDATE or DELETE changed; 0 for all others
	Took  time.Duration
	Err   error
}

// openPool is sql.Open for a database whose statements are observed, where observe
// is not nil.
func openPool(name, dsn string, observe func(context.Context, Statement)) (*sql.DB, error) {
	pool, err := sql.Open(name, dsn)
	if err != nil || observe == nil {
		return pool, err
	}
	plain := sourceConnector{dsn, pool.Driver()}
	return sql.OpenDB(observedConnector{plain, observe}), pool.Close()
}

// A sourceConnector makes a driver that knows no connectors into one.
type sourceConnector struct {
	dsn    string
	driver driver.Driver
}

func (c sourceConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c sourceConnector) Driver() driver.Driver                        { return c.driver }

// An observedConnector opens connections whose statements are observed. It works
// at the driver, below the statements that are kept prepared, so that it sees
// each execution once, however it came about.
type observedConnector struct {
	driver.Connector
	observe func(context.Context, Statement)
}

func (c observedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	plain, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	whole, ok := plain.(wholeConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("store: a %T cannot be observed", plain), plain.Close())
	}
	return &observedConn{wholeConn: whole, observe: c.observe}, nil
}

// A wholeConn is what both drivers' connections can do. database/sql looks for
// each of these by itself, and does without what it does not find.
type wholeConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
}

type observedConn struct {
	wholeConn
	observe func(context.Context, Statement)
	inTx    bool
}

// CheckNamedValue implements driver.NamedValueChecker, as far as the driver does.
func (c *observedConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.wholeConn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// IsValid implements driver.Validator, as far as the driver does.
func (c *observedConn) IsValid() bool {
	v, ok := c.wholeConn.(driver.Validator)
	return !ok || v.IsValid()
}

func (c *observedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	began := time.Now()
	tx, err := c.wholeConn.BeginTx(ctx, opts)
	c.inTx = err == nil
	c.observe(ctx, Statement{Query: "BEGIN", InTx: true, Took: time.Since(began), Err: err})
	if err != nil {
		return nil, err
	}
	return observedTx{tx, c, ctx}, nil
}

// An observedTx keeps the context its transaction was begun with: the end of a
// transaction has none of its own.
type observedTx struct {
	driver.Tx
	conn *observedConn
	ctx  context.Context
}

func (t observedTx) Commit() error   { return t.end("COMMIT", t.Tx.Commit) }
func (t observedTx) Rollback() error { return t.end("ROLLBACK", t.Tx.Rollback) }

func (t observedTx) end(query string, how func() error) error {
	began := time.Now()
	err := how()
	t.conn.inTx = false
	t.conn.observe(t.ctx, Statement{Query: query, InTx: true, Took: time.Since(began), Err: err})
	return err
}

func (c *observedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	plain, err := c.wholeConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	whole, ok := plain.(wholeStmt)
	if !ok {
		return nil, errors.Join(fmt.Errorf("store: a %T cannot be observed", plain), plain.Close())
	}
	return observedStmt{whole, c, query}, nil
}

func (c *observedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return c.exec(ctx, query, func() (driver.Result, error) { return c.wholeConn.ExecContext(ctx, query, args) })
}

func (c *observedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.query(ctx, query, func() (driver.Rows, error) { return c.wholeConn.QueryContext(ctx, query, args) })
}

type wholeStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type observedStmt struct {
	wholeStmt
	conn *observedConn
	text string
}

func (s observedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.conn.exec(ctx, s.text, func() (driver.Result, error) { return s.wholeStmt.ExecContext(ctx, args) })
}

func (s observedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.conn.query(ctx, s.text, func() (driver.Rows, error) { return s.wholeStmt.QueryContext(ctx, args) })
}

func (c *observedConn) exec(ctx context.Context, query string, run func() (driver.Result, error)) (driver.Result, error) {
	began := time.Now()
	res, err := run()
	if errors.Is(err, driver.ErrSkip) {
		return res, err // database/sql prepares it and comes again
	}
	s := Statement{Query: query, InTx: c.inTx, Took: time.Since(began), Err: err}
	if err == nil && !strings.HasPrefix(strings.TrimSpace(query), "SELECT") { // PostgreSQL counts what that reads
		s.Rows, _ = res.RowsAffected() // drivers that cannot say so say none
	}
	c.observe(ctx, s)
	return res, err
}

// query observes a statement that returns rows. One that writes has done so
// once its rows are read (RETURNING), and is reported then.
func (c *observedConn) query(ctx context.Context, query string, run func() (driver.Rows, error)) (driver.Rows, error) {
	began := time.Now()
	rows, err := run()
	if errors.Is(err, driver.ErrSkip) {
		return rows, err
	}
	s := Statement{Query: query, InTx: c.inTx, Took: time.Since(began), Err: err}
	if err == nil && strings.Contains(query, "RETURNING") {
		return &observedRows{Rows: rows, done: func(n int64, err error) {
			s.Rows, s.Err, s.Took = n, err, time.Since(began)
			c.observe(ctx, s)
		}}, nil
	}
	c.observe(ctx, s)
	return rows, err
}

// observedRows counts what a statement that writes returns.
type observedRows struct {
	driver.Rows
	n    int64
	err  error
	done func(n int64, err error) // nil once it was called
}

func (r *observedRows) Next(dest []driver.Value) error {
	err := r.Rows.Next(dest)
	switch {
	case err == nil:
		r.n++
	case !errors.Is(err, io.EOF):
		r.err = err
	}
	return err
}

func (r *observedRows) Close() error {
	err := r.Rows.Close()
	if r.done != nil {
		r.done(r.n, errors.Join(r.err, err))
		r.done = nil
	}
	return err
}
