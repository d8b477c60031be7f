// Package store is the database: one SQL text for SQLite and PostgreSQL, written
// by hand over database/sql.
//
// # Core
//
// [Open] returns a [DB]. Whatever changes the database is done by [DB.InTx], which
// runs a function with a [Tx] and commits what it did, or nothing. A Tx knows who
// acts ([Tx.Who]) and the time ([Reader.Now]), and has what every change needs:
//
//   - [Tx.Event] writes the audit event of the change. Change and event commit
//     together, or not at all.
//   - [Tx.UseOnce] uses up what works once, such as the id of a request.
//   - [Tx.Allow] counts against a rate limit.
//   - [Tx.Seal] and [Reader.Unseal] encrypt secrets for their place in the database;
//     [Reader.MAC] is for codes that are too short to be stored as a plain hash.
//   - [Tx.Notify] wakes whoever called [DB.Subscribe] for a topic, on this node and
//     on others, once the transaction has committed.
//   - [Tx.Lease] gives a piece of work to one node at a time.
//
// # Views
//
// All queries are grouped by subject in views. A view is a few words of memory over
// the same database or transaction, so that it is made where it is used:
//
//	j, err := db.Journeys().Get(ctx, tenant, id)
//	err = tx.Journeys().Step(ctx, j)
//
// A [Reader] has the views for reading; DB and Tx embed it. The views of a Tx write
// too. A function that reads takes a Reader, and is handed db.Reader or tx.Reader.
//
// What must happen once is decided by the database in one statement (a conditional
// UPDATE, or INSERT ON CONFLICT DO NOTHING), never by reading first and writing then.
//
// Every row of a tenant carries the tenant's id, and every query of it names the
// tenant. The exceptions say why.
//
// # Deadlines
//
// Each transaction and each read ends after [Options.Timeout], whatever the context of
// its caller says, with an identity.Unavailable. Work that rightly takes longer says so
// where it begins, by [LongRunning]; deadline.go has how long. A server that has stopped
// answering is told from a slow statement by a probe (silence.go), and until it answers
// again statements are refused at once.
//
// # Dialects
//
// The two databases differ in how statements are prepared, how other nodes are
// notified, and little more: dialect.go has all of it, postgres.go that of PostgreSQL. SQLite has one connection that
// writes, so that transactions queue for it, and a pool of readers. PostgreSQL has one
// pool, and rows are locked by the statements that change them.
//
// Tests use package storetest, which has both databases.
package store
