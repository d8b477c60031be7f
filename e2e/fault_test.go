package e2e

import (
	"flag"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/store/storetest"
)

// The fault harness: what is left when the server dies, and what people meet
// while something it stands on is gone.
//
// A real server (fault_server_test.go) is used by people (fault_useragent_test.go)
// who log in, enrol and refresh tokens over HTTP, and who go on in the same browser
// when it comes back. What they were told is their history (fault_history_test.go),
// which is compared with the database at the end: nothing acknowledged is lost,
// nothing is accepted twice, and there is no success without its event.
var kills = flag.Int("kills", 10, "how often the fault harness kills the server, on each database")

// readyAgain is how soon a server that was killed takes logins again; one that
// runs under the race detector, among the other tests, is some times slower.
func readyAgain() time.Duration {
	if raced() {
		return 6 * time.Second
	}
	return 2 * time.Second
}

func TestFaultQLT2_KilledUnderLoad(t *testing.T) {
	for engine, source := range storetest.Empty(t) {
		t.Run(engine, func(t *testing.T) {
			w := newFaultServer(t, source)
			w.addUsers(600, 60+10**kills)
			w.start()
			stop := make(chan struct{})
			var users sync.WaitGroup
			for range 4 {
				users.Go(func() { w.logInAgainAndAgain(stop) })
			}
			for range 2 {
				users.Go(func() { w.enrollAgainAndAgain(stop) })
			}
			for range *kills {
				time.Sleep(200*time.Millisecond + rand.N(1200*time.Millisecond))
				w.Kill()
				w.start()
			}
			time.Sleep(time.Second)
			close(stop)
			users.Wait()
			w.replay()
			w.stop()
			w.checkHistory()
			w.history.report(t, *kills, w.slowest)
			if most := readyAgain(); w.slowest > most {
				t.Errorf("ready %v after a kill, want %v at most", w.slowest.Round(time.Millisecond), most)
			}
		})
	}
}

// TestMain's flags are parsed by the time a test runs; under -short the harness
// is left out, as everything that needs a server is.
func needServer(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("a whole server takes longer than -short allows")
	}
	if os.Getenv("CI") != "" && os.Getenv("TEST_POSTGRES") == "" {
		t.Fatal("TEST_POSTGRES is missing; scripts/postgres should have set it")
	}
}
