package e2e

import (
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"
)

// An asynchronous replica takes the place of its primary, and lacks what people were told
// last. After the command for it, nothing that was used in the lost transactions is
// accepted once more, and people come in as ever. (Without the command a passcode is.)
func TestFaultTREL11_ReplicaPromoted(t *testing.T) {
	needServer(t)
	t.Parallel()
	primary := startPostgres(t)
	w := newFaultServer(t, primary.source())
	w.addUsers(400, 40)
	replica := primary.replica()
	replica.start()
	w.start()
	w.under(t, func() {}) // some of this is replicated
	awaitReplica(t, primary, replica)
	replica.stop("fast")
	w.under(t, func() {})
	lost := w.history
	w.Kill()
	primary.stop("immediate")
	replica.start()
	replica.control("promote")

	if n := replica.count(`SELECT COUNT(*) FROM journeys WHERE outcome = 'success'`); n == 0 || n >= lost.counts["logins"] {
		t.Fatalf("of %d logins the replica has %d: nothing is shown", lost.counts["logins"], n)
	}
	w.env, w.source = append(w.env, "LATCHKEY_DATABASE="+replica.source()), replica.source()
	w.history = newHistory(t)
	w.run(nil, "", "after-promotion", "--yes")
	time.Sleep(time.Second) // what an app signs in the second of the command counts as signed before it
	w.start()
	w.refuses(lost)
	name, ok := w.takeNewcomer()
	if !ok {
		t.Fatal("nobody is left to enrol")
	}
	w.history.note(w.enroll(t.Context(), name))
	w.stop()
	w.checkHistory()
	for _, fault := range w.history.faults {
		t.Errorf("on the promoted replica: %s", fault)
	}
	t.Logf("refused on the promoted replica: %v", w.history.counts)
}

// count is what a query counts.
func (s *postgresServer) count(query string) (n int) {
	s.t.Helper()
	db, err := sql.Open("pgx", s.source())
	if err == nil {
		err = errors.Join(db.QueryRowContext(s.t.Context(), query).Scan(&n), db.Close())
	}
	if err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	return n
}

// awaitReplica waits until a replica has what its primary has committed so far.
func awaitReplica(t *testing.T, primary, replica *postgresServer) {
	t.Helper()
	db, err := sql.Open("pgx", primary.source())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var written string
	if err := db.QueryRowContext(t.Context(), `SELECT CAST(pg_current_wal_lsn() AS TEXT)`).Scan(&written); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(maxWait); ; time.Sleep(50 * time.Millisecond) {
		if replica.count(fmt.Sprintf(`SELECT CASE WHEN pg_last_wal_replay_lsn() >= '%s' THEN 1 ELSE 0 END`, written)) == 1 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the replica does not follow")
		}
	}
}
