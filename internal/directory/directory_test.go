package directory

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

func TestCheckPassword(t *testing.T) {
	d := New(nil, 1)
	hashed := func(password string) identity.User {
		phc, err := d.HashPassword(t.Context(), password)
		if err != nil {
			t.Fatal(err)
		}
		return identity.User{ID: "usr_x", Password: phc}
	}
	most := strings.Repeat("a", maxPassword)
	for _, tt := range []struct {
		name     string
		user     identity.User
		password string
		want     bool
	}{
		{"right", hashed("correct horse"), "correct horse", true},
		{"wrong", hashed("correct horse"), "correct Horse", false},
		{"spaces count", hashed(" correct horse "), "correct horse", false},
		{"composed in another way", hashed("caf\u00e9 creme"), "cafe\u0301 creme", true},
		{"emoji", hashed("🐎🐎🐎🐎🐎🐎🐎🐎"), "🐎🐎🐎🐎🐎🐎🐎🐎", true},
		{"NUL does not cut", hashed("one\x00two!!"), "one\x00", false},
		{"72 bytes do not cut", hashed(most[:80]), most[:72], false},
		{"as long as may be", hashed(most), most, true},
		{"T-LOG-29 longer is no cut", hashed(most), most + "a", false},
		{"T-LOG-29 a megabyte", hashed(most), strings.Repeat("a", 1<<20), false},
		{"too long is not empty", hashed(""), most + "a", false},
		{"no password", identity.User{ID: "usr_x"}, "", false},
		{"nobody", identity.User{}, "correct horse", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := d.CheckPassword(t.Context(), tt.user, tt.password)
			if got != tt.want || err != nil {
				t.Errorf("CheckPassword = %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

func TestHashPassword_Form(t *testing.T) {
	phc, err := New(nil, 1).HashPassword(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if want := "$argon2id$v=19$m=19456,t=2,p=1$"; !strings.HasPrefix(phc, want) {
		t.Errorf("HashPassword = %q, want it to begin with %q", phc, want)
	}
}

// A damaged hash is an error: it matches no password, causes no panic and does not exhaust the
// memory.
func TestCheckPassword_DamagedHash(t *testing.T) {
	for _, phc := range []string{
		"correct horse",
		"$argon2i$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$a2V5",
		"$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$",
		"$argon2id$v=19$m=4294967295,t=2,p=1$c2FsdHNhbHQ$" + strings.Repeat("A", 43),
		"$argon2id$v=19$m=19456,t=0,p=1$c2FsdHNhbHQ$" + strings.Repeat("A", 43),
		"$argon2id$v=19$m=19456,t=2,p=0$c2FsdHNhbHQ$" + strings.Repeat("A", 43),
		"$argon2id$v=19$m=19456,t=2,p=1$!$" + strings.Repeat("A", 43),
	} {
		if ok, err := New(nil, 1).CheckPassword(t.Context(), identity.User{Password: phc}, "x"); ok || err == nil {
			t.Errorf("CheckPassword against %q = %v, %v, want an error", phc, ok, err)
		}
	}
}

// If all slots are taken, the caller gets an error within two seconds that says that nothing was
// checked, and when to try again (QLT-3).
func TestQLT3_ChecksQueueTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(nil, 2)
		d.slots <- struct{}{}
		d.slots <- struct{}{}
		began := time.Now()
		_, err := d.CheckPassword(t.Context(), identity.User{}, "correct horse")
		busy, ok := errors.AsType[*identity.Error](err)
		if !ok || busy.Kind != identity.Unavailable || busy.Key != "error.busy" || busy.RetryAfter <= 0 {
			t.Errorf("CheckPassword with all slots taken: %v, want Unavailable with a time to retry", err)
		}
		if waited := time.Since(began); waited != slotTimeout {
			t.Errorf("waited %s, want %s", waited, slotTimeout)
		}
		<-d.slots
		if _, err := d.CheckPassword(t.Context(), identity.User{}, "correct horse"); err != nil {
			t.Errorf("CheckPassword with a slot free: %v", err)
		}
		if len(d.slots) != 1 {
			t.Errorf("%d slots taken after a check, want the other's 1", len(d.slots))
		}
	})
}

// The cost of a check must not reveal whether the user exists, has a password and is not locked:
// a hash is computed in every case. Its memory shows that more reliably than its time on a busy
// machine.
func TestJRN10_NobodyCostsAHash(t *testing.T) {
	d := New(nil, 1)
	phc, err := d.HashPassword(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name     string
		user     identity.User
		password string
	}{
		{"somebody", identity.User{Password: phc}, "wrong horse"},
		{"nobody", identity.User{}, "wrong horse"},
		{"too long", identity.User{Password: phc}, strings.Repeat("a", 1000)},
		{"no password typed", identity.User{Password: phc}, ""},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := d.CheckPassword(t.Context(), tt.user, tt.password); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took < 19<<20 {
			t.Errorf("a check for %s took %d bytes, want a hash's 19 MiB", tt.name, took)
		}
	}
}

func TestAddUser(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		d := New(h.DB, 2)
		if _, err := d.AddGroup(t.Context(), h.Who, h.Tenant.ID, "Nurses"); err != nil {
			t.Fatal(err)
		}
		u, err := d.AddUser(t.Context(), h.Who, h.Tenant.ID, NewUser{Name: "Bo.Lund", DisplayName: "Bo Lund",
			Mail: "bo@example.org", Language: "de", Password: "correct horse", Groups: []string{"nurses"}})
		if err != nil {
			t.Fatal(err)
		}
		found, err := h.DB.Users().ByName(t.Context(), h.Tenant.ID, "bo.lund")
		if err != nil || found.ID != u.ID {
			t.Fatalf("UserByName = %v, %v", found.ID, err)
		}
		if ok, err := d.CheckPassword(t.Context(), found, "correct horse"); !ok || err != nil {
			t.Errorf("CheckPassword = %v, %v", ok, err)
		}
		// A second time changes nothing and writes no event.
		if err := d.AddMember(t.Context(), h.Who, h.Tenant.ID, "Nurses", "BO.LUND"); err != nil {
			t.Fatal(err)
		}
		for kind, want := range map[audit.Kind]int{audit.UserAdded: 1, audit.GroupAdded: 1, audit.GroupMember: 1} {
			events, err := store.Collect(h.DB.Events().List(t.Context(), h.Tenant.ID, store.EventFilter{Kind: kind}))
			if err != nil || len(events) != want {
				t.Errorf("%d events %s, %v, want %d", len(events), kind, err, want)
			}
		}
		if _, err := d.AddUser(t.Context(), h.Who, h.Tenant.ID, NewUser{Name: "BO.lund"}); !errors.Is(err, identity.Conflict) {
			t.Errorf("the same name once more: %v, want Conflict", err)
		}
		// A user in an unknown group is not added.
		_, err = d.AddUser(t.Context(), h.Who, h.Tenant.ID, NewUser{Name: "cy", Groups: []string{"nobody's"}})
		if !errors.Is(err, identity.NotFound) {
			t.Errorf("AddUser to an unknown group: %v, want NotFound", err)
		}
		if _, err := h.DB.Users().ByName(t.Context(), h.Tenant.ID, "cy"); !errors.Is(err, identity.NotFound) {
			t.Errorf("the user was added all the same: %v", err)
		}
		if err := d.RemoveMember(t.Context(), h.Who, h.Tenant.ID, "Nurses", "Bo.Lund"); err != nil {
			t.Fatal(err)
		}
		if groups, err := h.DB.Groups().IDsOfUser(t.Context(), h.Tenant.ID, u.ID); len(groups) != 0 || err != nil {
			t.Errorf("groups after RemoveMember: %v, %v", groups, err)
		}
	})
}

func TestAddUser_Refuses(t *testing.T) {
	h := storetest.SQLite(t)
	d := New(h.DB, 1)
	for _, tt := range []struct {
		name string
		user NewUser
		key  string
	}{
		{"no name", NewUser{}, "error.user.name"},
		{"blank name", NewUser{Name: "  "}, "error.user.name"},
		{"newline in name", NewUser{Name: "a\nb"}, "error.user.name"},
		{"bidi in name", NewUser{Name: "a\u202eb"}, "error.user.name"},
		{"long name", NewUser{Name: strings.Repeat("a", 257)}, "error.user.name"},
		{"newline in display name", NewUser{Name: "a", DisplayName: "A\r\nB"}, "error.user.display"},
		{"no address", NewUser{Name: "a", Mail: "a"}, "error.user.mail"},
		{"a named address", NewUser{Name: "a", Mail: "A <a@example.org>"}, "error.user.mail"},
		{"T-ADM-06 a header in the address", NewUser{Name: "a", Mail: "a@example.org\r\nBcc: b@example.org"}, "error.user.mail"},
		{"no language", NewUser{Name: "a", Language: "not a language"}, "error.user.language"},
		{"short password", NewUser{Name: "a", Password: "sevenés"}, "error.user.password.short"},
		{"long password", NewUser{Name: "a", Password: strings.Repeat("a", 257)}, "error.user.password.long"},
		{"the name as password", NewUser{Name: "anna.berg.1", Password: "Anna.Berg.1"}, "error.user.password.name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := d.AddUser(t.Context(), h.Who, h.Tenant.ID, tt.user)
			if e, ok := errors.AsType[*identity.Error](err); !ok || e.Kind != identity.Invalid || e.Key != tt.key {
				t.Errorf("AddUser: %v, want Invalid %s", err, tt.key)
			}
		})
	}
}

func TestUnlock(t *testing.T) {
	h := storetest.SQLite(t)
	counter := store.FailureCounter{Tenant: h.Tenant.ID, User: h.User.ID}
	h.Do(t, func(tx *store.Tx) error {
		for range 2 {
			if _, err := tx.Attempts().Reserve(t.Context(), counter, 1); err != nil {
				return err
			}
		}
		_, err := tx.Attempts().LockIfExceeded(t.Context(), counter, 1, h.Clock.Now().Add(time.Hour))
		return err
	})
	if h.LockedUntil(t, counter).IsZero() {
		t.Fatal("not locked before the test")
	}
	if _, err := New(h.DB, 1).Unlock(t.Context(), h.Who, h.Tenant.ID, "Anna.Berg"); err != nil {
		t.Fatal(err)
	}
	if until := h.LockedUntil(t, counter); !until.IsZero() {
		t.Errorf("locked until %s, want not at all", until)
	}
}

// Names are taken in every script, with the joiners that Persian and Indic names are written
// with, and found whether or not those are typed. What makes one name look like another is
// refused, in names of users and of groups.
func TestNamesOfEveryScript(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		d, who := New(h.DB, 1), operator(h)
		for name, typed := range map[string]string{"علی\u200cرضا": "علیرضا", "ශ්\u200dරීමතී": "ශ්රීමතී", "अर्जुन": "अर्जुन", "Ørsted": "ØRSTED", "李小龍": "李小龍"} {
			u, err := d.AddUser(t.Context(), who, h.Tenant.ID, NewUser{Name: name, DisplayName: name})
			if err != nil || u.Name != name {
				t.Errorf("%q: %q, %v", name, u.Name, err)
			}
			if found, err := h.DB.Users().ByName(t.Context(), h.Tenant.ID, identity.CleanTyped(typed)); err != nil || found.ID != u.ID {
				t.Errorf("%q is not found as %q: %v", name, typed, err)
			}
			if _, err := d.AddUser(t.Context(), who, h.Tenant.ID, NewUser{Name: typed}); !errors.Is(err, identity.Conflict) {
				t.Errorf("%q and %q are two users: %v", name, typed, err)
			}
			if _, err := d.AddGroup(t.Context(), who, h.Tenant.ID, name); err != nil {
				t.Errorf("group %q: %v", name, err)
			}
		}
		for _, name := range []string{"anna\u200cberg", "a\u202enna", "a\u2066nna", "anna\u3164", "an\x07na", "an\u2028na"} {
			if _, err := d.AddUser(t.Context(), who, h.Tenant.ID, NewUser{Name: name}); !errors.Is(err, identity.Invalid) {
				t.Errorf("user %q: %v", name, err)
			}
			if _, err := d.AddUser(t.Context(), who, h.Tenant.ID, NewUser{Name: "x", DisplayName: name}); !errors.Is(err, identity.Invalid) {
				t.Errorf("display name %q: %v", name, err)
			}
			if _, err := d.AddGroup(t.Context(), who, h.Tenant.ID, name); !errors.Is(err, identity.Invalid) {
				t.Errorf("group %q: %v", name, err)
			}
		}
	})
}
