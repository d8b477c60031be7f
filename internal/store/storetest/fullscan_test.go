package storetest

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/store"
)

func TestFullScans(t *testing.T) {
	f := SQLite(t)
	db, err := sql.Open("sqlite", f.Source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, tt := range []struct {
		name, query string
		want        int
	}{
		{"by its key", `SELECT name FROM users WHERE tenant_id = $1 AND id = $2`, 0},
		{"of a whole tenant", `SELECT name FROM users WHERE tenant_id = $1 AND display_name = $2`, 1},
		{"of all tenants", `UPDATE users SET language = $1 WHERE display_name = $2`, 1},
		{"that may be", `SELECT /* full scan */ name FROM users WHERE display_name = $1`, 0},
		{"of a small table", `SELECT name FROM tenants WHERE name = $1`, 0},
		{"a page by an index", `SELECT name FROM users WHERE tenant_id = $1 AND name_folded > $2 ORDER BY name_folded LIMIT 10`, 0},
		{"no query", `PRAGMA data_version`, 0},
	} {
		got, err := fullScans(t.Context(), db, tt.query)
		if err != nil || len(got) != tt.want {
			t.Errorf("%s: got %v, %v, want %d", tt.name, got, err, tt.want)
		}
	}
}

// A database tells what it is asked, and each query is judged.
func TestFullScans_AreSeen(t *testing.T) {
	f := SQLite(t)
	var asked queries
	db, err := store.Open(t.Context(), store.Options{Source: f.Source, Keys: f.Keys, Observe: asked.observe})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Users().Get(t.Context(), f.Tenant.ID, f.User.ID); err != nil {
		t.Fatal(err)
	}
	const scan = `SELECT name FROM users WHERE display_name = $1`
	asked.observe(t.Context(), store.Statement{Query: scan})
	for range 2 { // the second time from memory
		if got, err := asked.fullScans(t.Context(), f.Source); err != nil || len(got) != 1 || !strings.HasSuffix(got[0], scan) {
			t.Errorf("got %v, %v, want one of %s", got, err, scan)
		}
	}
	seen := false
	asked.seen.Range(func(query, _ any) bool {
		seen = seen || strings.Contains(query.(string), "FROM users u WHERE u.tenant_id = $1 AND u.id = $2")
		return true
	})
	if !seen {
		t.Error("the query of a user was not seen")
	}
}
