package store

import (
	"context"
	"database/sql"
	"sync"
)

// statements keeps the prepared form of each query. Queries are constants, so their
// number is bounded. Parsing them anew each time would be a quarter of the work of a
// sign-in on SQLite.
type statements struct {
	pool *sql.DB
	kept sync.Map // query → *sql.Stmt
}

// of returns the prepared statement of a query; nil if it cannot be prepared, in
// which case running the query as text returns the error.
func (s *statements) of(ctx context.Context, query string) *sql.Stmt {
	if kept, ok := s.kept.Load(query); ok {
		return kept.(*sql.Stmt)
	}
	stmt, err := s.pool.PrepareContext(ctx, query)
	if err != nil {
		return nil
	}
	if kept, twice := s.kept.LoadOrStore(query, stmt); twice {
		_ = stmt.Close() // another goroutine was faster
		return kept.(*sql.Stmt)
	}
	return stmt
}

// on returns a querier that runs prepared statements on a pool or, if tx is not nil,
// in a transaction. It is plain itself if the driver prepares statements.
func (s *statements) on(plain querier, tx *sql.Tx) querier {
	if s == nil {
		return plain
	}
	return &preparing{statements: s, plain: plain, tx: tx}
}

// learn prepares the queries that a transaction ran as text. It is called after the
// transaction, which held the only connection.
func (s *statements) learn(ctx context.Context, q querier) {
	if p, ok := q.(*preparing); ok {
		for _, query := range p.missed {
			s.of(ctx, query)
		}
	}
}

// preparing is a querier that runs prepared statements instead of texts.
type preparing struct {
	statements *statements
	plain      querier
	tx         *sql.Tx  // nil outside a transaction
	missed     []string // queries of the transaction that are not prepared yet
}

func (p *preparing) statement(ctx context.Context, query string) *sql.Stmt {
	if p.tx == nil {
		return p.statements.of(ctx, query)
	}
	kept, ok := p.statements.kept.Load(query)
	if !ok {
		p.missed = append(p.missed, query)
		return nil
	}
	return p.tx.StmtContext(ctx, kept.(*sql.Stmt))
}

func (p *preparing) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if stmt := p.statement(ctx, query); stmt != nil {
		return stmt.QueryContext(ctx, args...)
	}
	return p.plain.QueryContext(ctx, query, args...)
}

func (p *preparing) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if stmt := p.statement(ctx, query); stmt != nil {
		return stmt.QueryRowContext(ctx, args...)
	}
	return p.plain.QueryRowContext(ctx, query, args...)
}

func (p *preparing) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if stmt := p.statement(ctx, query); stmt != nil {
		return stmt.ExecContext(ctx, args...)
	}
	return p.plain.ExecContext(ctx, query, args...)
}
