package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// A backup is made while people log in and enrol, and restored, into the other
// kind of database where there is one. The copy is of one moment: no success in
// it without its event. What was used up before the restore, in the copy or
// after it, is refused; and people come in as ever.
func TestFaultTREL11_BackupUnderLoad(t *testing.T) {
	t.Parallel()
	other := map[string]string{"sqlite": "postgres", "postgres": "sqlite"}
	for engine, source := range storetest.Empty(t) {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w := newFaultServer(t, source)
			w.addUsers(400, 40)
			w.start()
			file := filepath.Join(t.TempDir(), "backup")
			w.under(t, func() { w.runWithPassphrase("backup", file) })
			w.stopAndCheck(t)

			targets := storetest.Empty(t)
			target, ok := targets[other[engine]]
			if !ok {
				target = targets[engine]
			}
			again := &faultServer{Server: newServer(t, w.Base, target, smtpSettings(w.smtp)...), client: w.client, history: newHistory(t), smtp: w.smtp}
			again.runWithPassphrase("restore", file)
			time.Sleep(time.Second) // what an app signs in the second of the restore counts as signed before it
			again.checkHistory()
			again.start()
			again.refuses(w.history)
			name, ok := w.takeNewcomer()
			if !ok {
				t.Fatal("nobody is left to enrol")
			}
			again.history.note(again.enroll(t.Context(), name))
			again.stop()
			again.checkHistory()
			for _, fault := range again.history.faults {
				t.Errorf("restored: %s", fault)
			}
			t.Logf("refused in the restored server: %v", again.history.counts)
		})
	}
}

// runWithPassphrase types a command that asks for a passphrase.
func (w *faultServer) runWithPassphrase(args ...string) {
	w.t.Helper()
	cmd := w.command(args...)
	cmd.Stdin = strings.NewReader("correct horse battery staple\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("latchkey %s: %v\n%s", args[0], err, out)
	}
}

// refuses brings to a restored server what was given or used up in the one it
// is a copy of.
func (w *faultServer) refuses(old *history) {
	w.t.Helper()
	ctx := w.t.Context()
	for _, last := range old.newest[max(0, len(old.newest)-5):] {
		if !strings.HasPrefix(last.user, "owner") || time.Since(last.at) > 40*time.Second {
			continue
		}
		v := w.newUserAgent(last.user)
		err := v.to(ctx, "passcode")
		if err == nil {
			_, err = v.post(ctx, "passcode", last.code, "do", "continue")
		}
		if err == nil && (v.code != "" || v.status != http.StatusUnprocessableEntity) {
			err = fmt.Errorf("%s: a passcode that was used before the restore was accepted (%d)", last.user, v.status)
		}
		w.history.note(err)
		w.history.count("passcodes")
	}
	for _, tokens := range [][]string{old.live, old.spent} {
		for _, token := range tokens[max(0, len(tokens)-20):] {
			_, status, err := w.token(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
			w.history.note(err)
			if status != http.StatusBadRequest {
				w.history.note(fmt.Errorf("a refresh token from before the restore: %d", status))
			}
			w.history.count("refresh tokens")
		}
	}
	if w.history.counts["passcodes"] == 0 || w.history.counts["refresh tokens"] == 0 {
		w.t.Error("there was nothing to refuse: nothing was shown")
	}
}
