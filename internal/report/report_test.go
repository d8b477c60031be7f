package report

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// allKinds are all kinds of events, in a fixed order.
var allKinds = slices.Sorted(maps.Keys(audit.Kinds))

// bytesOfEvent are the bytes that FuzzReports makes one event of.
const bytesOfEvent = 4

// eventFrom makes an event of four bytes: its kind, whose it is, what it tells, and how many
// seconds it comes after the one before.
func eventFrom(h *storetest.Fixture, a identity.Authenticator, b []byte) (e audit.Event, later time.Duration) {
	e = audit.Event{Kind: allKinds[int(b[0])%len(allKinds)], Journey: []string{"", "jrn_1", "jrn_2", "jrn_3"}[b[1]&3],
		User: []string{"", h.User.ID, "usr_removed", h.User.ID}[b[1]>>2&3], Application: []string{"", h.Application.ID, "app_removed", h.Application.ID}[b[1]>>4&3],
		Authenticator: []string{"", a.ID, "aut_removed", a.ID}[b[1]>>6]}
	if b[2]&1 != 0 {
		e.Reason = "a reason"
	}
	if b[2]&2 != 0 {
		e.Data = map[string]string{"activation": fmt.Sprint("act_", b[2]>>4), "platform": "android", "template": "standard"}
	}
	if b[2]&4 != 0 {
		e.Data = map[string]string{"password": "password", "otp": "push", "serial": "LK-1", "presence": "enter", "temporary": "yes"}
	}
	if b[2]&8 != 0 {
		e.Personal = map[string]string{"name": "anna", "place": "Bergen", "browser": "Firefox"}
	}
	// Mostly a millisecond or none, sometimes longer than an enrolment may take.
	return e, time.Duration(b[3]&1)*time.Millisecond + time.Duration(b[3]>>1)*time.Minute
}

// Every report survives every sequence of events: of all kinds, in any order, of journeys
// that never begin or begin twice, of users, applications and authenticators that are gone.
// The third seed is a further authenticator that was begun and left: without EnrollFurther
// among audit.EnrollmentKinds, the report of enrolments has nothing of it.
func FuzzReports(f *testing.F) {
	var inOneJourney, inNone, backwards []byte
	for i := range allKinds {
		inOneJourney = append(inOneJourney, byte(i), 1|1<<2|1<<4|1<<6, byte(i), 1)
		inNone = append(inNone, byte(i), 2<<2|2<<4|2<<6, byte(i), 0)
		backwards = append(backwards, byte(len(allKinds)-1-i), 2, byte(i), 7)
	}
	kind := func(k audit.Kind) byte { return byte(slices.Index(allKinds, k)) }
	f.Add(inOneJourney)
	f.Add(inNone)
	f.Add([]byte{kind(audit.EnrollFurther), 1 | 1<<2, 8, 1, kind(audit.EnrollFurtherLeft), 1 | 1<<2, 8, 1})
	f.Add(backwards)
	random := rand.New(rand.NewPCG(1, 2)) // the same sequences each time
	for range 12 {
		sequence := make([]byte, 40*bytesOfEvent)
		for i := range sequence {
			sequence[i] = byte(random.Uint32())
		}
		f.Add(sequence)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h := storetest.SQLite(t)
		a := h.Authenticator(t, "Pixel 9")
		var written []audit.Event
		for some := range slices.Chunk(data[:min(len(data), 200*bytesOfEvent)], bytesOfEvent) {
			if len(some) < bytesOfEvent {
				break
			}
			e, later := eventFrom(h, a, some)
			h.Clock.Advance(later)
			h.Do(t, func(tx *store.Tx) error { return tx.Event(t.Context(), e) })
			written = append(written, e)
		}
		all := store.EventFilter{Limit: -1}
		events := rowsOf(t, Events(t.Context(), h.DB.Reader, h.Tenant.ID, all))
		if len(events) != len(written) {
			t.Errorf("the audit has %d events of %d", len(events), len(written))
		}
		for _, e := range events {
			if e.User == h.User.ID && e.UserName != h.User.Name || e.Application == h.Application.ID && e.ApplicationName != h.Application.Name ||
				e.Authenticator == a.ID && e.Serial != a.Serial || e.User != h.User.ID && e.UserName != "" {
				t.Errorf("the names of %+v", e)
			}
		}
		activities := 0
		for _, e := range written {
			if slices.Contains(audit.ActivityKinds, e.Kind) {
				activities++
			}
		}
		if got := rowsOf(t, Activities(t.Context(), h.DB.Reader, h.Tenant.ID, all)); len(got) != activities {
			t.Errorf("%d activities, want %d", len(got), activities)
		}
		enrollments := rowsOf(t, Enrollments(t.Context(), h.DB.Reader, h.Tenant.ID, all))
		for _, e := range enrollments {
			if len(e.Stages) == 0 || e.Outcome == "" || e.At.IsZero() {
				t.Errorf("an enrolment of nothing: %+v", e)
			}
		}
		for _, journey := range []string{"jrn_1", "jrn_2", "jrn_3"} {
			begun := slices.ContainsFunc(written, func(e audit.Event) bool {
				return e.Journey == journey && slices.Contains(audit.EnrollmentStartKinds, e.Kind)
			})
			told := 0
			for _, e := range enrollments {
				if e.Journey == journey {
					told++
				}
			}
			if told > 1 || (told == 1) != begun {
				t.Errorf("journey %s is told as %d enrolments; begun: %v", journey, told, begun)
			}
		}
		rowsOf(t, Pushes(t.Context(), h.DB.Reader, h.Tenant.ID, store.PushFilter{Limit: -1}))
	})
}

// rowsOf reads a report whole, as JSON too.
func rowsOf[T any](t *testing.T, report iter.Seq2[T, error]) []T {
	t.Helper()
	rows, err := store.Collect(report)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(rows); err != nil {
		t.Error(err)
	}
	return rows
}

// The audit says what ids are called, and leaves the name empty of what is gone.
func TestADM5_EventsNameWhatTheyAreAbout(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		a := h.Authenticator(t, "Pixel 9")
		h.Do(t, func(tx *store.Tx) error {
			return tx.Events(t.Context(), []audit.Event{
				{Kind: audit.PasscodeRight, User: h.User.ID, Application: h.Application.ID, Authenticator: a.ID},
				{Kind: audit.PasscodeWrong, User: "usr_gone", Application: "app_gone", Authenticator: "aut_gone", Data: map[string]string{"serial": "LK-9"}},
				{Kind: audit.PasscodeWrong},
			})
		})
		got := rowsOf(t, Events(t.Context(), h.DB.Reader, h.Tenant.ID, store.EventFilter{Oldest: true}))
		if len(got) != 3 {
			t.Fatalf("%d events", len(got))
		}
		for i, want := range [][3]string{{h.User.Name, h.Application.Name, a.Serial}, {"", "", "LK-9"}, {"", "", ""}} {
			if names := [3]string{got[i].UserName, got[i].ApplicationName, got[i].Serial}; names != want {
				t.Errorf("names %q, want %q", names, want)
			}
		}
		if e := got[1]; e.User != "usr_gone" || e.Application != "app_gone" || e.Authenticator != "aut_gone" {
			t.Errorf("ids of %+v", e)
		}
		// A report of activity has the serial, whether or not the event says it.
		activity := rowsOf(t, Activities(t.Context(), h.DB.Reader, h.Tenant.ID, store.EventFilter{Oldest: true}))
		if len(activity) != 3 || activity[0].Serial != a.Serial || activity[1].Serial != "LK-9" {
			t.Errorf("activity %+v", activity)
		}
	})
}
