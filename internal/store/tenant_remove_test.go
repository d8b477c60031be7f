package store

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store/testdb"
)

// Every table of ours either has rows of tenants, and is among those that a removal
// deletes from, or is listed as one that has none. Without this a new table would keep
// rows of tenants that are gone.
func TestTenantTables(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		tables, err := TenantTables()
		if err != nil {
			t.Fatal(err)
		}
		all, err := allTables()
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range all {
			rows, err := db.pool.QueryContext(t.Context(), "SELECT * FROM "+table+" LIMIT 0")
			if err != nil {
				t.Fatal(err)
			}
			names, err := rows.Columns()
			rows.Close()
			if err = errors.Join(err, rows.Err()); err != nil {
				t.Fatal(err)
			}
			has := slices.Contains(names, "tenant_id")
			if has != slices.Contains(tables, table) || has == slices.Contains(untenanted, table) {
				t.Errorf("%s: has a column tenant_id: %t; a removal deletes from it: %t", table, has, !has)
			}
		}
		if tables[0] != "data_keys" {
			t.Errorf("first is %s, want the keys", tables[0])
		}
	})
}

// Of a tenant that is removed no row stays in any table, and of another all do. Each
// table has a row of both; a tenant whose removal was not begun loses none.
func TestTenantRowsAreDeleted(t *testing.T) {
	source := testdb.SQLite(t, migrate)
	raw, err := sql.Open("sqlite", source+"?_pragma=foreign_keys(0)&_pragma=ignore_check_constraints(1)") // the rows mean nothing
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	tables, err := TenantTables()
	if err != nil {
		t.Fatal(err)
	}
	for _, tenant := range []string{"ten_a", "ten_b"} {
		if _, err := raw.ExecContext(t.Context(), `INSERT INTO tenants (id, slug, name, created_at) VALUES ($1, $1, $1, 0)`, tenant); err != nil {
			t.Fatal(err)
		}
		for _, table := range tables {
			insertAnyRow(t, raw, table, tenant)
		}
	}
	raw.Close()
	db := open(t, source)
	count := func(table, tenant string) (n int) {
		t.Helper()
		if err := db.pool.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM `+table+` WHERE tenant_id = $1`, tenant).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	deleteAll := func(tenant string) {
		t.Helper()
		for _, table := range tables {
			err := db.InTx(t.Context(), identity.Principal{}, func(tx *Tx) error {
				_, err := tx.Tenants().DeleteRows(t.Context(), tenant, table, 10)
				return err
			})
			if err != nil {
				t.Fatalf("%s: %v", table, err)
			}
		}
	}
	deleteAll("ten_a")
	for _, table := range tables {
		if count(table, "ten_a") != 1 {
			t.Errorf("%s lost a row of a tenant that stays", table)
		}
	}
	err = db.InTx(t.Context(), identity.Principal{}, func(tx *Tx) error { return tx.Tenants().BeginRemoval(t.Context(), "ten_a") })
	if err != nil {
		t.Fatal(err)
	}
	deleteAll("ten_a")
	for _, table := range tables {
		if count(table, "ten_a") != 0 || count(table, "ten_b") != 1 {
			t.Errorf("%s: %d rows of the removed tenant, want 0; %d of the other, want 1", table, count(table, "ten_a"), count(table, "ten_b"))
		}
	}
	err = db.InTx(t.Context(), identity.Principal{}, func(tx *Tx) error { return tx.Tenants().FinishRemoval(t.Context(), "ten_a") })
	if err != nil {
		t.Error(err)
	}
	if err := db.InTx(t.Context(), identity.Principal{}, func(tx *Tx) error { return tx.Tenants().FinishRemoval(t.Context(), "ten_b") }); !errors.Is(err, identity.NotFound) {
		t.Errorf("a removal that was not begun was finished: %v", err)
	}
}

// insertAnyRow inserts a row of a tenant with any values that the table takes.
func insertAnyRow(t *testing.T, raw *sql.DB, table, tenant string) {
	t.Helper()
	rows, err := raw.QueryContext(t.Context(), `SELECT name, type, "notnull", dflt_value IS NOT NULL FROM pragma_table_info($1)`, table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var names []string
	var values []any
	for rows.Next() {
		var name, kind string
		var needed, preset bool
		if err := rows.Scan(&name, &kind, &needed, &preset); err != nil {
			t.Fatal(err)
		}
		switch {
		case name == "tenant_id":
			names, values = append(names, name), append(values, tenant)
		case !needed || preset:
		case strings.HasPrefix(kind, "BIGINT"), strings.HasPrefix(kind, "INTEGER"):
			names, values = append(names, name), append(values, 1)
		default:
			names, values = append(names, name), append(values, "x "+tenant)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	rows.Close()
	if _, err := raw.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, strings.Join(names, ", "), numbered(1, len(names))), values...); err != nil {
		t.Fatalf("%s: %v", table, err)
	}
}
