package e2e

import (
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"net"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
	"github.com/latchkey-id/latchkey/internal/webpush"
)

// silentListener takes connections and never answers, as a firewall that drops, or a
// push service that is overloaded. It tells of each connection that it takes.
func silentListener(t *testing.T) (host string, taken <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	tell := make(chan struct{}, 100)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			tell <- struct{}{}
		}
	}()
	return l.Addr().String(), tell
}

// With every push service unreachable, whether it hangs or refuses, a push is
// sent, seen by an app that is opened, approved, and lets its user in, with
// nobody kept waiting; and the server stops when it is told to.
func TestFaultPUSH27_PushServicesUnreachable(t *testing.T) {
	for engine, source := range storetest.Empty(t) {
		t.Run(engine, func(t *testing.T) {
			hanging, taken := silentListener(t)
			refusing := freeAddr(t)
			w := newFaultServer(t, source, "LATCHKEY_PUSH_SERVICES="+hanging+","+refusing, "LATCHKEY_OUTGOING_ALLOW=127.0.0.1,::1")
			w.addUsers(0, 2)
			w.start()
			for _, host := range []string{hanging, refusing} {
				name, _ := w.takeNewcomer()
				if err := w.enroll(t.Context(), name); err != nil {
					t.Fatal(err)
				}
				app := &phone.Phone{Dir: filepath.Join(w.dir, "phones", name)}
				accounts, err := app.List(t.Context())
				if err != nil || len(accounts) != 1 {
					t.Fatalf("%d accounts, %v", len(accounts), err)
				}
				if _, err := app.SetPush(t.Context(), accounts[0].ID, true); err != nil {
					t.Fatal(err)
				}
				w.subscribe(accounts[0].ID, host)
				look := func() {
					if failure := w.failure(accounts[0].ID); failure != "unreachable" {
						t.Errorf("the notification to %s: %q, want it unreachable", host, failure)
					}
				}
				if host == hanging { // answered while the notification hangs
					w.approve(name, app, func() {
						select {
						case <-taken:
						case <-time.After(maxWait):
							t.Error("nobody tries to send the notification")
						}
					})
					look()
				} else { // one that is refused at once, before the answer makes it needless
					w.approve(name, app, look)
				}
			}
			began := time.Now()
			w.stop()
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("stopping took %v", took)
			}
		})
	}
}

var shownNumber = regexp.MustCompile(`class="number"[^>]*>\s*([0-9]+)\s*<`)

// approve logs somebody in by push, with something done while it waits.
func (w *faultServer) approve(name string, app *phone.Phone, meanwhile func()) {
	w.t.Helper()
	ctx, v := w.t.Context(), w.newUserAgent(name)
	if err := v.to(ctx, "choose"); err != nil {
		w.t.Fatal(err)
	}
	began := time.Now()
	if _, err := v.post(ctx, "method", "push", "do", "continue"); err != nil || v.step() != "push" {
		w.t.Fatalf("after choosing push the page says %q: %v", v.step(), err)
	}
	paused := time.Now()
	meanwhile()
	began = began.Add(time.Since(paused))
	waiting, err := app.Pending(ctx)
	if err != nil || len(waiting) != 1 {
		w.t.Fatalf("%d requests wait, %v", len(waiting), err)
	}
	number := shownNumber.FindStringSubmatch(v.page)
	if number == nil {
		w.t.Fatalf("no number on the page %q", v.heading())
	}
	if outcome, err := app.Approve(ctx, waiting[0].ID, number[1]); err != nil || outcome.Outcome != "approved" {
		w.t.Fatalf("outcome %q, %v", outcome, err)
	}
	if _, err := v.post(ctx, "do", "continue"); err != nil || v.code == "" {
		w.t.Fatalf("after the approval the page says %q: %v", v.step(), err)
	}
	if took := time.Since(began); took > 3*time.Second {
		w.t.Errorf("%s: from push to application it took %v", name, took)
	}
}

// subscribe has notifications to an authenticator sent to a host, as if its browser
// had asked for that.
func (w *faultServer) subscribe(id, host string) {
	w.t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	db := w.database()
	defer db.Close()
	a, err := db.Authenticators().Find(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	err = db.InTx(w.t.Context(), identity.Principal{Kind: identity.CommandLine}, func(tx *store.Tx) error {
		_, err := tx.Subscriptions().Set(w.t.Context(), a.Tenant, a.ID, webpush.Subscription{
			Endpoint: "https://" + host + "/capability", P256DH: key.PublicKey().Bytes(), Auth: make([]byte, 16)})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// failure is why the last notification to an authenticator did not leave, once
// that is known.
func (w *faultServer) failure(id string) string {
	w.t.Helper()
	db := w.database()
	defer db.Close()
	for end := time.Now().Add(maxWait); time.Now().Before(end); {
		a, err := db.Authenticators().Find(w.t.Context(), id)
		s, missing := db.Subscriptions().Get(w.t.Context(), a.Tenant, id)
		if err := errors.Join(err, missing); err != nil {
			w.t.Fatal(err)
		}
		if s.Failure != "" {
			return s.Failure
		}
		time.Sleep(100 * time.Millisecond)
	}
	return ""
}
