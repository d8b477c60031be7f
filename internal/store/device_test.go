package store_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// A remembered is a browser that the fixture's user had remembered.
type remembered struct {
	*storetest.Fixture
	*testing.T
	cookie store.DeviceCookie // what the browser holds
}

func remember(t *testing.T, h *storetest.Fixture) *remembered {
	t.Helper()
	r := &remembered{Fixture: h, T: t}
	h.Do(t, func(tx *store.Tx) (err error) {
		r.cookie, err = tx.Devices().Remember(t.Context(), identity.RememberedDevice{Tenant: h.Tenant.ID, ID: identity.NewID(identity.DeviceID),
			User: h.User.ID, Browser: "b", Agent: "Firefox on Linux", IP: "192.0.2.17", Idle: 14 * 24 * time.Hour, ExpiresAt: h.Clock.Now().Add(30 * 24 * time.Hour)})
		return err
	})
	return r
}

// bring brings a cookie to a login.
func (r *remembered) bring(c store.DeviceCookie, change func(*store.DeviceUse)) store.DeviceResult {
	r.Helper()
	use := store.DeviceUse{Tenant: r.Tenant.ID, User: r.User.ID, Browser: "b", Cookie: c}
	if change != nil {
		change(&use)
	}
	var v store.DeviceResult
	err := r.DB.InTx(r.Context(), r.Who, func(tx *store.Tx) (err error) {
		v, err = tx.Devices().Use(r.Context(), use)
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
	return v
}

// Each is something JRN-9 asks for; without its part of the WHERE of UseDevice,
// and of judgeDevice, the case fails.
func TestJRN9_WhatARememberedDeviceNeedsToCount(t *testing.T) {
	for _, tt := range []struct {
		name   string
		pass   time.Duration
		change func(*store.DeviceUse)
		counts bool
	}{
		{"as it is", 0, nil, true},
		{"the day before it is idle", 13 * 24 * time.Hour, nil, true},
		{"left idle", 14 * 24 * time.Hour, nil, false},
		{"another user", 0, func(u *store.DeviceUse) { u.User = identity.NewID(identity.UserID) }, false},
		{"another browser", 0, func(u *store.DeviceUse) { u.Browser = "c" }, false},
		{"another tenant", 0, func(u *store.DeviceUse) { u.Tenant = identity.NewID(identity.TenantID) }, false},
		{"a device there is none of", 0, func(u *store.DeviceUse) { u.Cookie.ID = identity.NewID(identity.DeviceID) }, false},
		{"proved before what is asked for", time.Hour, func(u *store.DeviceUse) { u.ProvedAfter = time.Now().Add(10 * time.Minute) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
				r := remember(t, h)
				h.Clock.Advance(tt.pass)
				v := r.bring(r.cookie, tt.change)
				if v.Counts != tt.counts || v.Stolen || v.Counts != (v.Cookie.Secret != "") || v.Cookie == r.cookie {
					t.Errorf("counts %v, stolen %v, new cookie %v; want counts %v", v.Counts, v.Stolen, v.Cookie.Secret != "", tt.counts)
				}
			})
		})
	}
}

// However often it is used, it ends. Left out of the UPDATE, expires_at held for nothing.
func TestJRN9_ADeviceIsRememberedForSoManyDays(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		r := remember(t, h)
		for range 2 {
			h.Clock.Advance(13 * 24 * time.Hour)
			v := r.bring(r.cookie, nil)
			if !v.Counts {
				t.Fatal("it does not count though it was used every thirteen days")
			}
			r.cookie = v.Cookie
		}
		h.Clock.Advance(5 * 24 * time.Hour)
		if v := r.bring(r.cookie, nil); v.Counts {
			t.Error("it counts after thirty-one days")
		}
	})
}

// A secret shown again after it was replaced is in two hands. Within a minute
// the same browser may: two tabs, or an answer that was lost.
//
// Without the default of judgeDevice the copy is merely refused; without the
// grace two tabs lose the device; without its look at the browser, or at the
// time, a thief has a use for free.
func TestTLOG26_ASecretShownAgainIsStolen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		r := remember(t, h)
		first := r.cookie
		second := r.bring(first, nil).Cookie
		if v := r.bring(first, nil); !v.Counts || v.Stolen || v.Cookie != second {
			t.Errorf("the other tab: counts %v, stolen %v, given the same %v", v.Counts, v.Stolen, v.Cookie == second)
		}
		if v := r.bring(first, func(u *store.DeviceUse) { u.Browser = "thief" }); v.Counts || !v.Stolen {
			t.Errorf("in another browser within the minute: counts %v, stolen %v", v.Counts, v.Stolen)
		}
		h.Clock.Advance(time.Minute)
		if v := r.bring(first, nil); v.Counts || !v.Stolen {
			t.Errorf("after a minute: counts %v, stolen %v", v.Counts, v.Stolen)
		}
		third := r.bring(second, nil).Cookie
		if v := r.bring(first, nil); v.Counts || !v.Stolen {
			t.Errorf("the one before the last, at once: counts %v, stolen %v", v.Counts, v.Stolen)
		}
		h.Do(t, func(tx *store.Tx) error {
			_, err := tx.Devices().Forget(t.Context(), h.Tenant.ID, h.User.ID, first.ID, "stolen")
			return err
		})
		for _, c := range []store.DeviceCookie{first, second, third} {
			if v := r.bring(c, nil); v.Counts || v.Stolen {
				t.Errorf("once forgotten: counts %v, stolen %v", v.Counts, v.Stolen)
			}
		}
	})
}

// Of many who bring one secret at once, all are one browser's tabs: each counts,
// all are given the same new one, and it works. Made at random, the one the
// browser kept would mostly be another than the database's.
func TestTLOG26_TabsAtOnceKeepTheDevice(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		r := remember(t, h)
		var next atomic.Value
		storetest.Race(t, 20, func(int) error {
			var v store.DeviceResult
			err := h.DB.InTx(t.Context(), h.Who, func(tx *store.Tx) (err error) {
				v, err = tx.Devices().Use(t.Context(), store.DeviceUse{Tenant: h.Tenant.ID, User: h.User.ID, Browser: "b", Cookie: r.cookie})
				return err
			})
			if err == nil && (!v.Counts || v.Stolen) {
				t.Errorf("a tab: counts %v, stolen %v", v.Counts, v.Stolen)
			}
			next.CompareAndSwap(nil, v.Cookie)
			if v.Cookie != next.Load() {
				t.Error("two tabs were given two secrets")
			}
			return err
		})
		h.Clock.Advance(time.Hour)
		if v := r.bring(next.Load().(store.DeviceCookie), nil); !v.Counts {
			t.Error("what the tabs were given does not count")
		}
	})
}

func TestJRN9_ForgettingLeavesItsEvent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		r := remember(t, h)
		forget := func(want int64) {
			t.Helper()
			h.Do(t, func(tx *store.Tx) error {
				n, err := tx.Devices().ForgetAll(t.Context(), h.Tenant.ID, h.User.ID, "password changed")
				if n != want {
					t.Errorf("forgot %d, want %d", n, want)
				}
				return err
			})
		}
		h.Do(t, func(tx *store.Tx) error {
			done, err := tx.Devices().Forget(t.Context(), h.Tenant.ID, identity.NewID(identity.UserID), r.cookie.ID, "user")
			if done {
				t.Error("another user forgot it")
			}
			return err
		})
		forget(1)
		forget(0)
		if v := r.bring(r.cookie, nil); v.Counts {
			t.Error("a forgotten device counts")
		}
		events, err := store.Collect(h.DB.Events().List(t.Context(), h.Tenant.ID, store.EventFilter{Kind: audit.DeviceForgotten}))
		if err != nil || len(events) != 1 || events[0].Reason != "password changed" || events[0].User != h.User.ID || events[0].Data["devices"] != r.cookie.ID {
			t.Errorf("events %+v, %v; want one", events, err)
		}
		if all, err := store.Collect(h.DB.Devices().OfUser(t.Context(), h.Tenant.ID, h.User.ID)); err != nil || len(all) != 0 {
			t.Errorf("listed %v, %v", all, err)
		}
		if _, err := h.DB.Devices().Get(t.Context(), h.Tenant.ID, identity.NewID(identity.DeviceID)); !errors.Is(err, identity.NotFound) {
			t.Errorf("no device: %v", err)
		}
	})
}

// One browser has one cookie: remembered for a second user, the first is asked again.
func TestJRN9_ABrowserIsRememberedForOneUser(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		r := remember(t, h)
		other := identity.User{Tenant: h.Tenant.ID, ID: identity.NewID(identity.UserID), Name: "other"}
		h.Do(t, func(tx *store.Tx) error { return tx.Users().Add(t.Context(), other) })
		first, user := r.cookie, h.User
		h.User = other
		second := remember(t, h).cookie
		h.User = user
		if v := r.bring(first, nil); v.Counts || v.Stolen {
			t.Errorf("the first user's: counts %v, stolen %v", v.Counts, v.Stolen)
		}
		if v := r.bring(second, nil); v.Counts || v.Stolen {
			t.Errorf("the second's, with the first's name: counts %v, stolen %v", v.Counts, v.Stolen)
		}
		if v := r.bring(second, func(u *store.DeviceUse) { u.User = other.ID }); !v.Counts {
			t.Error("the second user's does not count")
		}
	})
}

// Methods have blanks in their names, and come back whole.
func TestJRN15_AMethodOfSeveralWords(t *testing.T) {
	storetest.Each(t, func(t *testing.T, h *storetest.Fixture) {
		j := h.Journey(t, "b")
		want := identity.CompletedFactor{Validation: identity.SecondFactor, Method: identity.ByRememberedDevice, Authenticator: identity.NewID(identity.DeviceID), At: h.Clock.Now()}
		j.Remember, j.Passed = identity.WillRemember, []identity.CompletedFactor{want}
		h.Do(t, func(tx *store.Tx) error { return tx.Journeys().Step(t.Context(), j) })
		got, err := h.DB.Journeys().Get(t.Context(), h.Tenant.ID, j.ID)
		if err != nil || len(got.Passed) != 1 || got.Passed[0] != want || got.Remember != identity.WillRemember {
			t.Errorf("got %+v, %q, %v", got.Passed, got.Remember, err)
		}
	})
}
