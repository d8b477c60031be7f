package store

import (
	"crypto/sha256"
	"encoding/hex"
	goflag "flag" // flag is a function of this package
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store/testdb"
)

var update = goflag.Bool("update", false, "add new migrations to testdata/landed.txt")

// A landedMigration is a line of testdata/landed.txt.
type landedMigration struct {
	name    string
	version int64
	hash    string
}

func landedMigrations(t *testing.T) (all []landedMigration) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "landed.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var m landedMigration
		if _, err := fmt.Sscan(line, &m.name, &m.hash); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if m.version, err = numberOf(m.name); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// chain is the hash of a migration in testdata/landed.txt, after the one before.
func chain(t *testing.T, before []byte, name string) []byte {
	t.Helper()
	text, err := fs.ReadFile(migrations, "migrations/"+name)
	if err != nil {
		t.Fatalf("a migration that landed is gone: %v", err)
	}
	sum := sha256.Sum256(append(slices.Clone(before), text...))
	return sum[:]
}

// What landed is in databases of the field: it stays as it is, and in its order, and a new
// migration has the highest number (QLT-2).
func TestQLT2_LandedMigrationsStay(t *testing.T) {
	landed := landedMigrations(t)
	files, err := fs.Glob(migrations, "migrations/*.sql") // sorted
	if err != nil {
		t.Fatal(err)
	}
	faults, added := checkLanded(t, landed, files)
	if *update && len(faults) == 0 {
		f, err := os.OpenFile(filepath.Join("testdata", "landed.txt"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for _, m := range added {
			if _, err := fmt.Fprintln(f, m.name, m.hash); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	for _, m := range added {
		t.Errorf("%s is not in testdata/landed.txt; go test ./internal/store -run Landed -update adds it", m.name)
	}
	for _, fault := range faults {
		t.Error(fault)
	}

	// The check finds what it is for.
	for name, tt := range map[string]struct {
		landed []landedMigration
		files  []string
		says   string
	}{
		"a number that was left out": {landed[:len(landed)-1], append(slices.Clone(files[:8]), "migrations/0009_late.sql"), "0009_late.sql has a number below"},
		"a line put in between":      {slices.Concat(landed[:3], landed[4:5], landed[3:]), files, "not what landed"},
		"a text that was changed":    {append(slices.Clone(landed[:1]), landedMigration{landed[1].name, landed[1].version, "0"}), files, "not what landed"},
	} {
		if faults, _ := checkLanded(t, tt.landed, tt.files); !strings.Contains(strings.Join(faults, "\n"), tt.says) {
			t.Errorf("%s: %q, want one that says %q", name, faults, tt.says)
		}
	}
}

// checkLanded compares the list with the files, and returns the lines for new ones.
func checkLanded(t *testing.T, landed []landedMigration, files []string) (faults []string, added []landedMigration) {
	t.Helper()
	var highest int64
	var sum []byte
	names := make(map[string]bool)
	for _, m := range landed {
		sum = chain(t, sum, m.name)
		if got := hex.EncodeToString(sum)[:16]; got != m.hash {
			return []string{fmt.Sprintf("%s, or its place, is not what landed: add a migration instead", m.name)}, nil
		}
		highest = max(highest, m.version)
		names[m.name] = true
	}
	for _, file := range files {
		name := path.Base(file)
		if names[name] {
			continue
		}
		n, err := numberOf(name)
		if err != nil {
			t.Fatal(err)
		}
		if n <= highest {
			faults = append(faults, fmt.Sprintf("%s has a number below %d, which landed", name, highest))
			continue
		}
		sum = chain(t, sum, name)
		added = append(added, landedMigration{name, n, hex.EncodeToString(sum)[:16]})
		highest = n
	}
	return faults, added
}

// steps reads out of the texts of the migrations what the databases have.
func TestSteps_AreTheShapeOfTheDatabases(t *testing.T) {
	each(t, func(t *testing.T, db *DB) {
		all, err := steps()
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, s := range all {
			want = append(want, s.columns...)
		}
		s, err := db.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var got []string
		for _, table := range s.Tables {
			for _, column := range table.Columns {
				got = append(got, table.Name+"."+column)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("the database has\n%v\nand the migrations\n%v", got, want)
		}
	})
}

// earliest is how many migrations the first database in the field had.
const earliest = 5

// eachEarlier runs f with a database of each schema that landed, with a row in each table
// that it has, of those kinds that are wanted of the n-th.
func eachEarlier(t *testing.T, wanted func(kind string, n int) bool, f func(t *testing.T, source string, applied []int64)) {
	t.Helper()
	landed := landedMigrations(t)
	for n := earliest; n < len(landed); n++ {
		var applied, others []int64
		for i, m := range landed {
			if i < n {
				applied = append(applied, m.version)
			} else {
				others = append(others, m.version)
			}
		}
		run := func(t *testing.T, source string) {
			db, err := Open(t.Context(), Options{Source: source, Keys: NewKeyring()})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			provider, err := db.migrator(others...)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := provider.Up(t.Context()); err != nil {
				t.Fatal(err)
			}
			insertEarlier(t, db)
			f(t, source, applied)
		}
		name := strings.TrimSuffix(landed[n-1].name, ".sql")
		if wanted("sqlite", n) {
			t.Run("until "+name+"/sqlite", func(t *testing.T) { run(t, filepath.Join(t.TempDir(), "t.db")) })
		}
		if dsn := os.Getenv("TEST_POSTGRES"); dsn != "" && wanted("postgres", n) {
			t.Run("until "+name+"/postgres", func(t *testing.T) { run(t, testdb.EmptySchema(t, dsn)) })
		}
	}
}

// An earlierRow is a row as the migration that made its table knows it.
type earlierRow struct {
	table   string
	columns string
	values  []any
}

var rowsMadeAt = time.Now().Unix()

// earlierRows are a row of each table: of a tenant with a user who has everything.
func earlierRows() []earlierRow {
	const t, user, auth, app, journey, session = "ten_1", "usr_1", "aut_1", "app_1", "jrn_1", "ses_1"
	now := rowsMadeAt
	later, b := now+3600, []byte{1, 0, 255}
	row := func(table, columns string, values ...any) earlierRow { return earlierRow{table, columns, values} }
	return []earlierRow{
		row("tenants", "id, slug, name, created_at", t, "demo", "Example Hospital", now),
		row("meta", "name, value", "least release", "1"),
		row("data_keys", "tenant_id, id, root, wrapped, created_at", t, 1, 1, b, now),
		row("policies", "tenant_id, kind, version, document, changed_at", t, "limits", 3, "{}", now),
		row("used_once", "tenant_id, kind, used_key, until", t, "jti", "k", later),
		row("rates", "tenant_id, kind, subject, hits, until", t, "login", "192.0.2.1", "[1]", later),
		row("events", "tenant_id, id, at_ms, kind, actor_kind, personal, salt, digest", t, "evt_1", now*1000, "login.success", "browser", "{}", b, b),
		row("leases", "name, holder, until", "sweeper", "node", later),
		row("users", "tenant_id, id, name, name_folded, mail, may_enroll_at, created_at", t, user, "Anna", "anna", "anna@example.org", now, now),
		row("browser_users", "tenant_id, browser, user_id, failures, logged_in_at", t, "b", user, 2, now),
		row("groups", "tenant_id, id, name, name_folded, created_at", t, "grp_1", "Nurses", "nurses", now),
		row("group_members", "tenant_id, group_id, user_id", t, "grp_1", user),
		row("authenticators", "tenant_id, id, serial, kind, name, seed, last_step, enrolled_at, activated_at", t, auth, "LK-1", "totp", "Phone", b, 7, now, now),
		row("authenticator_users", "tenant_id, authenticator_id, user_id", t, auth, user),
		row("applications", "tenant_id, id, name, protocol, identifier, created_at", t, app, "Payroll", "oidc", "payroll", now),
		row("requests", "tenant_id, id, application_id, wants, expires_at", t, "req_1", app, "{}", later),
		row("journeys", "tenant_id, id, version, application_id, protocol, request, browser, user_id, code_mac, code_root, code_sends, code_expires_at, started_at, expires_at",
			t, journey, 4, app, "oidc", "{}", "b", user, b, 1, 2, later, now, later),
		row("journey_required", "tenant_id, journey_id, validation, place", t, journey, "password", 1),
		row("journey_passed", "tenant_id, journey_id, validation, method, passed_at", t, journey, "password", "password", now),
		row("sessions", "tenant_id, id, secret_hash, user_id, browser, auth_time, created_at, seen_at, idle, expires_at", t, session, "hash", user, "b", now, now, now, 60, later),
		row("session_validations", "tenant_id, session_id, validation, method, passed_at", t, session, "password", "password", now),
		row("session_applications", "tenant_id, session_id, application_id, protocol, session_index, subject, started_at", t, session, app, "oidc", "sid", "sub", now),
		row("subjects", "tenant_id, application_id, user_id, subject, created_at", t, app, user, "sub", now),
		row("signing_keys", "tenant_id, id, purpose, algorithm, private_key, created_at, active_from", t, "key_1", "oidc", "ES256", b, now, now),
		row("activations", "tenant_id, id, user_id, platform, template, push_allowed, secret_hash, short_mac, short_root, sealed, created_at, expires_at",
			t, "act_1", user, "linux", "{}", 1, "hash", b, 1, b, now, later),
		row("push_requests", "tenant_id, id, user_id, journey_id, browser, application, name, presence, number, nonce, login_at, created_at, expires_at",
			t, "psh_1", user, journey, "b", "Payroll", "anna", "enter", b, "nonce", now, now, later),
		row("outbox", "tenant_id, id, kind, recipient, language, arguments, dedupe, message_id, created_at, due_at, expires_at",
			t, "mail_1", "code", "anna@example.org", "en", b, "d", "m", now, now, later),
		row("oidc_grants", "tenant_id, id, application_id, user_id, session_id, subject, sid, scope, offline, acr, auth_time, redirect_uri, code_hash, code_expires_at, created_at, expires_at",
			t, "gra_1", app, user, session, "sub", "sid", "openid", 0, "acr", now, "https://payroll.example.org", "hash", later, now, later),
		row("oidc_tokens", "tenant_id, token_hash, grant_id, kind, scope, expires_at", t, "hash", "gra_1", "access", "openid", later),
		row("metadata_sources", "tenant_id, application_id, url, fetched_at, tried_at, due_at", t, app, "https://payroll.example.org", now, now, later),
		row("refused_requests", "tenant_id, application_id, reason, detail, count, refused_at", t, app, "time", "a clock is wrong", 2, now),
		row("epochs", "number, began_at, copied_at", 1, now, now),
		row("invitations", "tenant_id, id, user_id, secret_hash, created_at, expires_at", t, "inv_1", user, "hash", now, later),
		row("vapid_keys", "id, root, public, private, created_at", 1, 1, b, b, now),
		row("push_subscriptions", "tenant_id, authenticator_id, host, endpoint, p256dh, auth, created_at", t, auth, "push.example.org", b, b, b, now),
		row("push_notifications", "tenant_id, push_id, authenticator_id, kind, due_at, expires_at", t, "psh_1", auth, "request", now, later),
		row("authenticator_pins", "tenant_id, authenticator_id, salt, iterations, proof_mac, proof_root", t, auth, b, 1000, b, 1),
		row("challenges", "tenant_id, journey_id, sealed, expires_at", t, journey, b, later),
		row("passing_locks", "tenant_id, authenticator_id, until", t, auth, later),
		row("recovery_codes", "tenant_id, user_id, mac, root, made_at", t, user, b, 1, now),
		row("temporary_passcodes", "tenant_id, user_id, mac, root, many, made_at, expires_at", t, user, b, 1, 0, now, later),
		row("passkeys", "tenant_id, authenticator_id, user_id, credential_id, public_key, sign_count", t, auth, user, "cred", b, 3),
		row("remembered_devices", "tenant_id, id, user_id, browser, secret_hash, created_at, used_at, idle, expires_at", t, "dev_1", user, "b", "hash", now, now, 60, later),
		row("server_pins", "tenant_id, authenticator_id, mac, root, due", t, auth, b, 1, 0),
		row("server_pin_history", "tenant_id, authenticator_id, place, mac, root", t, auth, 1, b, 1),
		row("code_requests", "tenant_id, journey_id, sealed, expires_at", t, journey, b, later),
		row("mailed_codes", "tenant_id, journey_id, number, mac, root, expires_at", t, journey, 2, b, 1, later),
		row("rate_counts", "tenant_id, kind, subject, counted_at, n, until", t, "code", "s", now, 1, later),
	}
}

func insertEarlier(t *testing.T, db *DB) {
	t.Helper()
	for _, row := range earlierRows() {
		there, err := db.dialect.has(t.Context(), db.q, row.table)
		if err != nil {
			t.Fatal(err)
		}
		if !there {
			continue
		}
		_, err = db.writer.ExecContext(t.Context(), `INSERT INTO `+row.table+` (`+row.columns+`) VALUES (`+numbered(1, len(row.values))+`)`, row.values...)
		if err != nil {
			t.Fatalf("%s: %v", row.table, err)
		}
	}
}

// checkEarlier compares the rows of tables that were there before with what was inserted,
// except for some.
func checkEarlier(t *testing.T, db *DB, there func(table string) bool, except ...string) {
	t.Helper()
	for _, row := range earlierRows() {
		if !there(row.table) || slices.Contains(except, row.table) {
			continue
		}
		got, into := make([]any, len(row.values)), make([]any, len(row.values))
		for i := range got {
			into[i] = &got[i]
		}
		var n int64
		count := db.q.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM `+row.table).Scan(&n)
		err := db.q.QueryRowContext(t.Context(), `SELECT `+row.columns+` FROM `+row.table).Scan(into...)
		if err != nil || count != nil || n != 1 {
			t.Errorf("%s: %d rows, %v, %v", row.table, n, err, count)
			continue
		}
		names := strings.Split(row.columns, ", ")
		for i, want := range row.values {
			if n, ok := want.(int); ok {
				want = int64(n)
			}
			if !reflect.DeepEqual(got[i], want) {
				t.Errorf("%s.%s: %v, want %v", row.table, names[i], got[i], want)
			}
		}
	}
}

// A database of each schema that landed is brought up to date, with what is in it (QLT-2):
// that of 18 migrations too, among them 0019, 0022 and 0023 and not 0017, 0018, 0020 and
// 0021. (Without out-of-order migrations those from 0023 to 0021 fail.)
func TestQLT2_EveryEarlierDatabaseIsBroughtUpToDate(t *testing.T) {
	full, err := steps()
	if err != nil {
		t.Fatal(err)
	}
	both := func(string, int) bool { return true }
	eachEarlier(t, both, func(t *testing.T, source string, applied []int64) {
		db, err := Open(t.Context(), Options{Source: source, Keys: NewKeyring()})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		before, err := db.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		before.Close()
		pending, err := db.Pending(t.Context())
		if err != nil || len(pending) != len(full)-len(applied) {
			t.Errorf("pending: %v, %v, want %d", pending, err, len(full)-len(applied))
		}
		if err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if pending, err := db.Pending(t.Context()); err != nil || len(pending) != 0 {
			t.Errorf("pending afterwards: %v, %v", pending, err)
		}
		checkEarlier(t, db, func(table string) bool {
			return slices.ContainsFunc(before.Tables, func(b Table) bool { return b.Name == table })
		})
		var codes int64 // 0031 takes the codes of journeys that are open
		err = db.q.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM mailed_codes WHERE journey_id = 'jrn_1' AND number = 2 AND root = 1`).Scan(&codes)
		if err != nil || codes != 1 {
			t.Errorf("%d codes of its journey, %v", codes, err)
		}
		if u, err := db.Users().ByName(t.Context(), "ten_1", "ANNA"); err != nil || u.ID != "usr_1" || u.PasswordDue {
			t.Errorf("its user: %+v, %v", u, err)
		}
	})
}

// memoryBackup is a snapshot in memory, as a release that knew so much made it.
func memoryBackup(t *testing.T, source string) Backup {
	t.Helper()
	db, err := Open(t.Context(), Options{Source: source, Keys: NewKeyring()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := db.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rows := make(map[string][][]any)
	for _, table := range s.Tables {
		for row, err := range s.Rows(t.Context(), table) {
			if err != nil {
				t.Fatal(err)
			}
			kept := slices.Clone(row)
			for i, v := range kept {
				if b, ok := v.([]byte); ok {
					kept[i] = slices.Clone(b)
				}
			}
			rows[table.Name] = append(rows[table.Name], kept)
		}
	}
	return Backup{Schema: s.Schema, Least: s.Least, Tables: s.Tables, MadeAt: db.Now(), Rows: func(table Table) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			for _, row := range rows[table.Name] {
				if !yield(slices.Clone(row), nil) {
					return
				}
			}
		}
	}}
}

// backups is the migration with which backups came.
const backups = 8

// A backup of each schema that landed is restored, into the other database, though it does
// not say which migrations its database had, and invalidates what it must (QLT-2,
// T-REL-11). (With the tables up to the highest number instead of those it has, a backup
// from 0023 to 0021 is refused; with options in the first UPDATE, one before 0011 fails.)
func TestTREL11_EveryEarlierBackupIsRestored(t *testing.T) {
	// From one kind of database into the other, in turn; where there is only one, into
	// that.
	inTurn := func(kind string, n int) bool {
		return os.Getenv("TEST_POSTGRES") == "" || (kind == "sqlite") == (n%2 == 0)
	}
	eachEarlier(t, inTurn, func(t *testing.T, source string, applied []int64) {
		if !slices.Contains(applied, backups) {
			return
		}
		c := memoryBackup(t, source)
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(t.TempDir(), "restored.db")
		if dsn := os.Getenv("TEST_POSTGRES"); dsn != "" && !strings.HasPrefix(source, "postgres") {
			target = testdb.EmptySchema(t, dsn)
		}
		db, err := Open(t.Context(), Options{Source: target, Keys: NewKeyring()})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		ended, err := db.Import(t.Context(), identity.Principal{Kind: identity.CommandLine}, c, func() {})
		if err != nil {
			t.Fatal(err)
		}
		if ended.Sessions != 1 || ended.Grants != 1 || ended.Journeys != 1 || ended.Pushes != 1 || ended.Activations != 1 || ended.Passcodes != 1 || ended.Mails != 1 {
			t.Errorf("ended: %+v", ended)
		}
		if pending, err := db.Pending(t.Context()); err != nil || len(pending) != 0 {
			t.Errorf("pending: %v, %v", pending, err)
		}
		// The planner knows what was imported: otherwise each reference to a user costs as
		// much as there are users. (Without analyze it knows of nothing.)
		if strings.HasPrefix(target, "postgres") {
			var known float64
			if err := db.q.QueryRowContext(t.Context(), `SELECT reltuples FROM pg_class WHERE oid = to_regclass('users')`).Scan(&known); err != nil || known != 1 {
				t.Errorf("the server knows of %v users, %v", known, err)
			}
		}
		// Except for what a restore changes: see TestTREL11_EveryTableIsThoughtOf.
		checkEarlier(t, db, func(table string) bool { return c.has(table, "") }, "events", "leases", "users", "authenticators", "requests", "journeys",
			"activations", "push_requests", "outbox", "epochs", "push_notifications", "challenges", "passing_locks", "recovery_codes", "vapid_keys", "code_requests", "mailed_codes")
		var codes int64
		err = db.q.QueryRowContext(t.Context(), `SELECT (SELECT COUNT(*) FROM mailed_codes) + (SELECT COUNT(*) FROM code_requests)`).Scan(&codes)
		if err != nil || codes != 0 {
			t.Errorf("%d codes that were mailed, %v, want none", codes, err)
		}
		var options, enroll any
		if err := db.q.QueryRowContext(t.Context(), `SELECT may_enroll_at FROM users`).Scan(&enroll); err != nil || enroll != nil {
			t.Errorf("leave to enrol: %v, %v", enroll, err)
		}
		if err := db.q.QueryRowContext(t.Context(), `SELECT options FROM push_requests`).Scan(&options); err != nil || options != nil {
			t.Errorf("options: %v, %v", options, err)
		}
	})
}

// A backup with a column that no migration explains, or with half a migration, is refused.
func TestBackup_WithoutRefuses(t *testing.T) {
	c := memoryBackup(t, testdb.SQLite(t, migrate))
	change := func(f func(all []Table)) Backup {
		changed := c
		changed.Tables = slices.Clone(c.Tables)
		f(changed.Tables)
		return changed
	}
	for name, changed := range map[string]Backup{
		"a column too many": change(func(all []Table) { all[0].Columns = append(slices.Clone(all[0].Columns), "colour") }),
		"half a migration":  change(func(all []Table) { all[0].Columns = all[0].Columns[1:] }),
		"another order":     change(func(all []Table) { all[0], all[1] = all[1], all[0] }),
	} {
		if err := changed.Check(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
