package idp_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// A ledger has what requests cost, by what can be counted.
type ledger struct {
	mu         sync.Mutex
	statements []string // texts, in order
	rows       int64
	hashes     int
}

func (l *ledger) observe(_ context.Context, s store.Statement) {
	text := strings.Join(strings.Fields(s.Query), " ")
	if strings.HasPrefix(text, "PRAGMA") || strings.Contains(text, "FROM tenants WHERE slug = $1") {
		return // the background's; and a tenant is remembered for a while
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.statements = append(l.statements, text)
	l.rows += s.Rows
}

func (l *ledger) hashed(context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hashes++
}

// A cost is what one press of a button cost: the POST and the page after it.
type cost struct {
	statements []string
	rows       int64
	hashes     int
	page       string // with its status; names and ids left out
	bytes      int
}

var named = regexp.MustCompile(`jrn_[a-z2-7]{26}|berit\.lie|plain\.man|nobody\.at|locked\.up|disabled1|nomailman|noword\.at`)

// costOf returns what was counted since the last time, with the page that came of it.
func (l *ledger) costOf(v *userAgent) cost {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := cost{l.statements, l.rows, l.hashes, fmt.Sprint(v.code, named.ReplaceAllString(v.page, "…")), len(v.page)}
	l.statements, l.rows, l.hashes = nil, 0, 0
	return c
}

// difference says in what a press for one name cost something else than for another.
func (c cost) difference(other cost, rows bool) string {
	for i := range max(len(c.statements), len(other.statements)) {
		one, two := at(c.statements, i), at(other.statements, i)
		if one != two {
			return fmt.Sprintf("statement %d of %d and %d:\n%s\n%s", i+1, len(c.statements), len(other.statements), one, two)
		}
	}
	switch {
	case rows && c.rows != other.rows:
		return fmt.Sprintf("%d and %d rows written", c.rows, other.rows)
	case c.hashes != other.hashes:
		return fmt.Sprintf("%d and %d hashes", c.hashes, other.hashes)
	case c.bytes != other.bytes:
		return fmt.Sprintf("%d and %d bytes", c.bytes, other.bytes)
	case c.page != other.page:
		return fmt.Sprintf("the pages differ:\n%s\n%s", c.page, other.page)
	}
	return ""
}

func at(all []string, i int) string {
	if i < len(all) {
		return all[i]
	}
	return "nothing"
}

// A press is a button on the page, with what was typed.
type press struct {
	what   string
	fields []string
	owns   bool // writes a row that not every name has: the user's count of failures (CRED-20), or a requirement that is revoked
	after  time.Duration
}

// Naming somebody, a wrong password, a forgotten one, and asking for a mailed code,
// asking again and typing a wrong one cost the same for every name: the same
// statements in the same order, rows, hashes and bytes. What is different, the code
// and its mail, is made afterwards, by whoever takes up the request (T-LOG-02).
//
// Tried with the mail queued in the request, without the event of a wrong code of
// nobody, without Spared in Journey, and with reserve leaving out who is nobody: each
// differed.
func TestTLOG02_EveryNameCostsTheSame(t *testing.T) {
	const retry = 31 * time.Second
	everybody := []identity.Validation{identity.Password, identity.SecondFactor}
	for name, tt := range map[string]struct {
		access  policy.Access
		presses []press
	}{
		"password first": {policy.Access{Rules: []policy.Rule{{Name: "all", Require: everybody}}}, []press{
			{what: "name", fields: []string{"username", ""}},
			{what: "wrong password", fields: []string{"password", "not the password"}, owns: true},
			{what: "forgot", fields: []string{"do", "forgot"}},
			{what: "wrong code", fields: []string{"code", "000000"}},
			{what: "again at once", fields: []string{"do", "resend"}},
			{what: "again", fields: []string{"do", "resend"}, after: retry},
			{what: "wrong code of the second", fields: []string{"code", "000000"}},
			{what: "back", fields: []string{"do", "back"}},
		}},
		"without a password": {policy.Access{Rules: []policy.Rule{{Name: "all", Require: everybody[1:]}}}, []press{
			{what: "name", fields: []string{"username", ""}},
			{what: "send a code", fields: []string{"method", "enrol"}},
			{what: "wrong code", fields: []string{"code", "000000"}},
			{what: "again at once", fields: []string{"do", "resend"}},
			{what: "again", fields: []string{"do", "resend"}, after: retry},
			{what: "wrong code of the second", fields: []string{"code", "000000"}},
			{what: "back", fields: []string{"do", "back"}},
		}},
		"less of some": {policy.Access{Rules: []policy.Rule{{Name: "some", Groups: []string{"grp_some"}, Require: everybody[:1]},
			{Name: "all", Require: everybody}}}, []press{
			{what: "name", fields: []string{"username", ""}},
			{what: "back", fields: []string{"do", "back"}, owns: true},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
				spent := new(ledger)
				db, err := store.Open(t.Context(), store.Options{Source: h.Source, Keys: h.Keys, Now: h.Clock.Now, Observe: spent.observe})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { db.Close() })
				observed := *h
				observed.DB = db
				s := newSite(t, &observed)
				s.directory.Hashed = spent.hashed
				s.set(tt.access)
				names := s.everyKindOfName()
				s.costs("nobody.xx", tt.presses, spent) // reads the keys, and prepares the statements
				want := s.costs(names[0], tt.presses, spent)
				for _, name := range names[1:] {
					got := s.costs(name, tt.presses, spent)
					for i, p := range tt.presses {
						if diff := want[i].difference(got[i], !p.owns); diff != "" {
							t.Errorf("%s: %s and %s differ: %s", p.what, names[0], name, diff)
						}
					}
				}
			})
		})
	}
}

// everyKindOfName adds users and returns names, all of one length: of a user with an
// authenticator and of one without, a member of a group, of nobody, of one who is
// locked, disabled, without a mail address, or without a password.
func (s *site) everyKindOfName() []string {
	s.t.Helper()
	ctx := s.t.Context()
	add := func(name, mail, password string) identity.User {
		u, err := s.directory.AddUser(ctx, s.Who, s.Tenant.ID, directory.NewUser{Name: name, Mail: mail, Password: password})
		if err != nil {
			s.t.Fatal(err)
		}
		return u
	}
	plain, locked, disabled := add("plain.man", "plain@example.org", password), add("locked.up", "locked@example.org", password), add("disabled1", "disabled@example.org", password)
	add("nomailman", "", password)
	add("noword.at", "noword@example.org", "")
	s.Do(s.t, func(tx *store.Tx) error {
		group := identity.Group{Tenant: s.Tenant.ID, ID: "grp_some", Name: "Some"}
		if err := tx.Groups().Add(ctx, group); err != nil {
			return err
		}
		if err := tx.Groups().AddMember(ctx, s.Tenant.ID, group.ID, plain.ID); err != nil {
			return err
		}
		if _, err := tx.Users().Lock(ctx, s.Tenant.ID, locked.ID); err != nil {
			return err
		}
		_, err := tx.Users().Disable(ctx, s.Tenant.ID, disabled.ID)
		return err
	})
	return []string{"berit.lie", "nobody.at", "plain.man", "locked.up", "disabled1", "nomailman", "noword.at"}
}

// costs presses the buttons in a new browser for a name, and returns what each cost.
func (s *site) costs(name string, presses []press, spent *ledger) (all []cost) {
	s.t.Helper()
	v := s.userAgent().open("/t/demo/login")
	spent.costOf(v)
	for _, p := range presses {
		s.Clock.Advance(p.after)
		fields := slices.Clone(p.fields)
		if fields[0] == "username" {
			fields[1] = name
		}
		v.send(fields...)
		if v.code != http.StatusOK && v.code != http.StatusUnprocessableEntity {
			s.t.Fatalf("%s for %s: %d at %s\n%s", p.what, name, v.code, v.at, v.page)
		}
		all = append(all, spent.costOf(v))
	}
	return all
}
