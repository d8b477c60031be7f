package directory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

func TestReadImport(t *testing.T) {
	for _, tt := range []struct {
		name string
		file string
		rows string // lines and names
		want []string
	}{
		{"as a spreadsheet writes it", "\ufeffName,Mail\r\nanna,a@example.org\r\nbo,\r\n", "2 anna, 3 bo", nil},
		{"blank lines count", "name\n\nanna\n\n\nbo\n", "3 anna, 6 bo", nil},
		{"a line break in a cell", "name,display_name\n\"anna\",\"A\nB\"\nbo,\n", "4 bo", []string{"line 2: display_name"}},
		{"no header", "", "", []string{"line 1: no header row"}},
		{"no name", "mail\na@example.org\n", "", []string{"line 1: name: is missing"}},
		{"a column twice", "name,name\na,b\n", "", []string{"line 1: name: is there twice"}},
		{"a password", "name,password\na,secret\n", "", []string{"line 1: password: is not known; there are name"}},
		{"too few fields", "name,mail\nanna\nbo,\n", "3 bo", []string{"line 2: has 1 fields, the header 2"}},
		{"a quote left open", "name,mail\nanna,\n\"bo,\ncy,\n", "2 anna", []string{"line 3: "}},
		{"one name spelt in two ways", "name\nAnna\nＡＮＮＡ\n", "2 Anna", []string{`line 3: name: "ＡＮＮＡ" is in line 2 already`}},
		{"not UTF-8", "name\nm\xfcller\n", "", []string{"is not UTF-8"}},
		{"all that is wrong at once", "name,mail,language\n,x,not a language\n", "", []string{"line 2: name", "line 2: mail", "line 2: language"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rows, err := ReadImport([]byte(tt.file))
			var got []string
			for _, row := range rows {
				got = append(got, fmt.Sprint(row.Line, " ", row.Name))
			}
			if strings.Join(got, ", ") != tt.rows {
				t.Errorf("rows %q, want %q", got, tt.rows)
			}
			problems, _ := errors.AsType[Problems](err)
			if len(problems) != len(tt.want) || err != nil && !errors.Is(err, identity.Invalid) {
				t.Fatalf("problems: %v, want %q", err, tt.want)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(problems[i].Error(), want) {
					t.Errorf("says %q, want %q", problems[i].Error(), want)
				}
			}
		})
	}
}

// Arbitrary input causes problems, never a panic, and no row that AddUser would refuse.
func FuzzReadImport(f *testing.F) {
	f.Add([]byte("name,display_name,mail,language,groups\nanna,Anna,a@example.org,de,Nurses;Staff\n"))
	f.Add([]byte("\ufeffname\n\"a\"\"b\",,\n"))
	f.Add([]byte("name\n\"\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		rows, _ := ReadImport(file)
		for _, row := range rows {
			if err := row.validate(); err != nil || row.Line < 2 {
				t.Errorf("row %+v: %v", row, err)
			}
		}
	})
}

// If an import stops half-way, the count is exact: those rows were added, with their events, and
// no others.
func TestImport_SaysHowFarItCame(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		d, who := New(h.DB, 1), operator(h)
		var rows []Row
		for i := range 2*importBatch + 10 {
			rows = append(rows, Row{Line: i + 2, NewUser: NewUser{Name: fmt.Sprintf("user%04d", i)}})
		}
		n, err := d.Import(t.Context(), who, h.Tenant.ID, rows, func(n int) {
			if n == importBatch { // a colleague was faster with a name of the next batch
				if _, err := d.AddUser(t.Context(), who, h.Tenant.ID, NewUser{Name: rows[importBatch+50].Name}); err != nil {
					t.Error(err)
				}
			}
		})
		if n != importBatch || !errors.Is(err, identity.Conflict) || !strings.Contains(err.Error(), fmt.Sprintf("line %d", importBatch+52)) {
			t.Errorf("imported %d, %v, want %d and a Conflict that names line %d", n, err, importBatch, importBatch+52)
		}
		users, err := store.Collect(h.DB.Users().List(t.Context(), h.Tenant.ID, "", 1000))
		if err != nil || len(users) != importBatch+2 { // with anna and the colleague's
			t.Errorf("%d users, %v, want %d", len(users), err, importBatch+2)
		}
		if !slices.ContainsFunc(users, func(u identity.User) bool { return u.Name == rows[importBatch-1].Name }) ||
			slices.ContainsFunc(users, func(u identity.User) bool { return u.Name == rows[importBatch].Name }) {
			t.Error("not the first batch, or more than that")
		}
	})
}

// Ten thousand people take few statements, each of which is a round trip to a server, and
// the server learns how large its tables have become: it would look for each new member
// among all users otherwise. (Without AddAll there are 40,000 statements; without Analyze
// the server knows of no user.)
func TestImport_TenThousandPeople(t *testing.T) {
	storetest.EachMigrated(t, func(t *testing.T, source string) {
		ctx := store.LongRunning(t.Context())
		var statements atomic.Int64
		db, err := store.Open(ctx, store.Options{Source: source, Keys: store.NewKeyring(),
			Observe: func(context.Context, store.Statement) { statements.Add(1) }})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		tenant := identity.Tenant{ID: identity.NewID(identity.TenantID), Slug: "demo", Name: "Example Hospital"}
		who := identity.Principal{Tenant: tenant.ID, Kind: identity.CommandLine, Name: "test"}
		if err := db.InTx(ctx, who, func(tx *store.Tx) error { return tx.Tenants().Add(ctx, tenant) }); err != nil {
			t.Fatal(err)
		}
		d := New(db, 1)
		if _, err := d.AddGroup(ctx, who, tenant.ID, "Nurses"); err != nil {
			t.Fatal(err)
		}
		const people = 10_000
		rows := make([]Row, people)
		for i := range rows {
			rows[i] = Row{Line: i + 2, NewUser: NewUser{Name: fmt.Sprint("user", i), Mail: fmt.Sprintf("user%d@example.org", i), Groups: []string{"Nurses", "nurses"}}}
		}
		before, began := statements.Load(), time.Now()
		if n, err := d.Import(ctx, who, tenant.ID, rows, func(int) {}); n != people || err != nil {
			t.Fatalf("imported %d, %v", n, err)
		}
		t.Logf("%d people in %v, by %d statements", people, time.Since(began).Round(time.Millisecond), statements.Load()-before)
		if got, most := statements.Load()-before, int64(people/4); got > most {
			t.Errorf("%d statements, want %d at most", got, most)
		}
		census, err := db.Tenants().Census(ctx, tenant.ID)
		if err != nil || census.Users != people {
			t.Errorf("census: %+v, %v", census, err)
		}
		for kind, want := range map[audit.Kind]int{audit.UserAdded: people, audit.GroupMember: people} {
			if all, err := store.Collect(db.Events().List(ctx, tenant.ID, store.EventFilter{Kind: kind, Limit: 2 * people})); err != nil || len(all) != want {
				t.Errorf("%d events %s, %v, want %d", len(all), kind, err, want)
			}
		}
		if !strings.HasPrefix(source, "postgres") {
			return
		}
		raw, err := sql.Open("pgx", source)
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		var known float64
		if err := raw.QueryRowContext(ctx, `SELECT reltuples FROM pg_class WHERE relname = 'users'`).Scan(&known); err != nil || known < people/2 {
			t.Errorf("the server knows of %v users, %v", known, err)
		}
	})
}
