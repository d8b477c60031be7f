package enroll_test

import (
	"testing"

	"github.com/latchkey-id/latchkey/enroll/enrolltest"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

type fixture struct{ *enrolltest.Fixture }

// each runs f in a fixture on every database at hand.
func each(t *testing.T, f func(t *testing.T, h *fixture)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) { f(t, &fixture{enrolltest.New(t, h)}) })
}

// onSQLite is a fixture for what does not depend on the database.
func onSQLite(t *testing.T) *fixture {
	t.Helper()
	return &fixture{enrolltest.New(t, storetest.SQLite(t))}
}
