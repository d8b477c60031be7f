package store

import (
	"maps"
	"slices"
	"testing"
)

// Every table is either invalidated when a restore generation begins, or the reason
// why a copy of it can be used stands here. Who adds a table decides.
func TestTREL11_EveryTableIsThoughtOf(t *testing.T) {
	ended := []string{"sessions", "session_applications", "oidc_grants", "push_requests", "journeys", "activations",
		"authenticators", "invitations", "users", "requests", "leases", "outbox", "epochs", "push_notifications", "remembered_devices",
		"recovery_codes", "temporary_passcodes", "passing_locks", "challenges", "code_requests", "mailed_codes"}
	kept := map[string]string{
		"tenants":             "is not used up",
		"meta":                "is not used up",
		"data_keys":           "is not used up",
		"policies":            "is not used up",
		"events":              "only grows; those after the copy are lost",
		"rates":               "counts fall back by what happened since; their spans are minutes",
		"rate_counts":         "counts fall back by what happened since; their spans are minutes",
		"used_once":           "what it guards is ended (requests), or refused by its time (calls, see enroll)",
		"browser_users":       "a known browser proves nothing; its count of failures falls back",
		"groups":              "is not used up",
		"group_members":       "is not used up",
		"authenticator_users": "is not used up",
		"applications":        "is not used up",
		"journey_required":    "its journey is ended",
		"journey_passed":      "its journey is ended",
		"session_validations": "its session is ended",
		"passkeys":            "a counter falls back; what was signed since is over challenges of journeys that are ended",
		"authenticator_pins":  "what was unlocked is shut within a minute; a PIN changed since opens nothing, and its app is set up anew",
		"server_pins":         "a PIN changed since is the one before again, and due if it was",
		"server_pin_history":  "is as old as its PIN",
		"subjects":            "is not used up",
		"signing_keys":        "is not used up",
		"oidc_tokens":         "its grant is revoked",
		"metadata_sources":    "is fetched anew when due",
		"refused_requests":    "is what an operator is told, and uses nothing up",
		"vapid_keys":          "is not used up; with another one every subscription would be dead",
		"push_subscriptions":  "one that ended since is refused by its push service, and an app that was opened since says where it is",
	}
	all, err := tables(func(int64) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if slices.Contains(ended, name) == (kept[name] != "") {
			t.Errorf("what becomes of %s when a restore generation begins? See beginGeneration", name)
		}
	}
	for name := range maps.Keys(kept) {
		if !slices.Contains(all, name) {
			t.Errorf("there is no table %s", name)
		}
	}
}

// The tables that a copy is made of are those there are.
func TestSnapshot_HasEveryTable(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		s, err := db.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		query := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`
		if _, ok := db.dialect.(postgres); ok {
			query = `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()`
		}
		there, err := Collect(list(t.Context(), db.Reader, "tables", func(row scanner) (name string, err error) { return name, row.Scan(&name) }, query))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range there {
			if name != "goose_db_version" && !slices.ContainsFunc(s.Tables, func(t Table) bool { return t.Name == name }) {
				t.Errorf("%s is in the database and not in the copy", name)
			}
		}
		if len(there) != len(s.Tables)+1 {
			t.Errorf("%d tables, and %d in the copy", len(there)-1, len(s.Tables))
		}
	})
}
