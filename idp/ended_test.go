package idp_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// Tabs wait on one journey without scripts while another ends it. They are shown
// that it is over: the application was answered there, and is answered once.
func TestJRN4_WhoWaitedWhileAJourneyEndedAnswersNothing(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(v *userAgent)
	}{
		{"succeeded", func(v *userAgent) {
			id := v.at[strings.LastIndex(v.at, "/")+1:]
			v.Do(v.t, func(tx *store.Tx) error {
				j, err := tx.Journeys().Get(v.t.Context(), v.Tenant.ID, id)
				if err != nil {
					return err
				}
				j.EndedAt, j.Outcome = tx.Now(), identity.Succeeded
				return tx.Journeys().Step(v.t.Context(), j)
			})
		}},
		{"cancelled", func(v *userAgent) {
			other := *v
			other.send("do", "cancel")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, storetest.SQLite(t))
			v := s.userAgent().toChoice().send("method", "push")
			form, address := v.fill(), v.at
			codes := make(map[int]int)
			var mu sync.Mutex
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() {
					res, err := v.http.PostForm(address, form)
					if err != nil {
						t.Error(err)
						return
					}
					res.Body.Close()
					mu.Lock()
					defer mu.Unlock()
					codes[res.StatusCode]++
				})
			}
			time.Sleep(300 * time.Millisecond)
			tt.end(v)
			wg.Wait()
			if codes[http.StatusGone] != 2 {
				t.Errorf("the tabs got %v, want 410 twice", codes)
			}
		})
	}
}
