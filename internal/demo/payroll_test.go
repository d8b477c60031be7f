package demo

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/crewjam/saml"
)

// Enrolling an authenticator during a sign-in takes minutes, and by default the
// library accepts no response after 90 seconds.
func TestPayrollRemembersItsRequestThroughTheWizard(t *testing.T) {
	base, err := Base("localhost:8080")
	if err != nil {
		t.Fatal(err)
	}
	s, err := prepare(t.TempDir(), base, false)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPayroll(nil, base, s)
	if err != nil {
		t.Fatal(err)
	}
	present := saml.TimeNow
	t.Cleanup(func() { saml.TimeNow = present })
	for ago, remembered := range map[time.Duration]bool{0: true, 5 * time.Minute: true, 90 * time.Minute: true, requestLifetime + time.Minute: false} {
		saml.TimeNow = func() time.Time { return time.Now().Add(-ago) }
		w := httptest.NewRecorder()
		index, err := p.sp.RequestTracker.TrackRequest(w, httptest.NewRequest(http.MethodGet, payrollPath, nil), "_1")
		if err != nil {
			t.Fatal(err)
		}
		saml.TimeNow = present
		back := httptest.NewRequest(http.MethodPost, payrollPath+"saml/acs", nil)
		for _, c := range w.Result().Cookies() {
			if ago == 0 && c.MaxAge < int(time.Hour/time.Second) {
				t.Errorf("the browser keeps the request for %d s", c.MaxAge)
			}
			back.AddCookie(c)
		}
		tracked, err := p.sp.RequestTracker.GetTrackedRequest(back, index)
		if (err == nil) != remembered || err == nil && tracked.SAMLRequestID != "_1" {
			t.Errorf("after %v: %+v, %v; want remembered %v", ago, tracked, err, remembered)
		}
	}
}

// The cookie of a request is deleted, with the path it was set with, once there
// was a response.
func TestPayrollForgetsWhatWasAnswered(t *testing.T) {
	base, err := Base("localhost:8080")
	if err != nil {
		t.Fatal(err)
	}
	s, err := prepare(t.TempDir(), base, false)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPayroll(nil, base, s)
	if err != nil {
		t.Fatal(err)
	}
	r, w := httptest.NewRequest(http.MethodGet, payrollPath, nil), httptest.NewRecorder()
	index, err := p.sp.RequestTracker.TrackRequest(w, r, "_1")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.sp.RequestTracker.StopTrackingRequest(w, r, index); err != nil {
		t.Fatal(err)
	}
	put, taken := w.Result().Cookies()[0], w.Result().Cookies()[1]
	if taken.Name != put.Name || taken.Path != put.Path || taken.Domain != put.Domain || taken.MaxAge >= 0 {
		t.Errorf("put as %v, taken away as %v", put, taken)
	}
}
