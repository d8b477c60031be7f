package appapi

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/push"
	"github.com/latchkey-id/latchkey/internal/web"
	"github.com/latchkey-id/latchkey/locales"
)

// A refusal is an answer that says no: what section 6 of
// docs/protocol-authenticator.md lists, for the app to act on, with a message
// for its person.
type refusal struct {
	Code       string `json:"error"`
	Message    string `json:"message"`
	Time       int64  `json:"time,omitempty"`          // with clock
	State      string `json:"state,omitempty"`         // with state
	Outcome    string `json:"outcome,omitempty"`       // with ended
	Capability string `json:"capability,omitempty"`    // with capability
	Least      string `json:"least,omitempty"`         // with capability
	Left       *int64 `json:"attempts_left,omitempty"` // with pin, where one was tried
	status     int
	retry      time.Duration
	cause      error // for the log
}

func (r *refusal) Error() string {
	if r.cause != nil {
		return r.Code + ": " + r.cause.Error()
	}
	return r.Code
}

func (r *refusal) Unwrap() error { return r.cause }

// The refusals that have nothing to add but, perhaps, a cause.
func malformed(cause error) *refusal {
	return &refusal{status: http.StatusBadRequest, Code: "malformed", cause: cause}
}

func badSignature(cause error) *refusal {
	return &refusal{status: http.StatusUnauthorized, Code: "signature", cause: cause}
}

func unknownApp(cause error) *refusal {
	return &refusal{status: http.StatusUnauthorized, Code: "unknown", cause: cause}
}

// noActivation is said of a wrong, a used, an expired and a replaced code alike:
// who guesses learns nothing.
func noActivation() *refusal { return &refusal{status: http.StatusNotFound, Code: "activation"} }

func voidedPending() *refusal { return &refusal{status: http.StatusGone, Code: "voided"} }

func notInState(s identity.State) *refusal {
	return &refusal{status: http.StatusForbidden, Code: "state", State: string(s)}
}

func pushNotAllowed() *refusal {
	return &refusal{status: http.StatusForbidden, Code: "push-not-allowed"}
}

// pushStatus are the statuses of the refusals that package push knows by the
// protocol's words.
var pushStatus = map[string]int{
	"malformed":        http.StatusBadRequest,
	"state":            http.StatusForbidden,
	"push-not-allowed": http.StatusForbidden,
	"request":          http.StatusNotFound,
	"ended":            http.StatusConflict,
	"capability":       http.StatusConflict,
	"passcode":         http.StatusUnprocessableEntity,
}

// refuse turns any error into what the app is told of it.
func refuse(err error) *refusal {
	if r, ok := errors.AsType[*refusal](err); ok {
		return r
	}
	if r, ok := errors.AsType[*push.Refusal](err); ok {
		return &refusal{status: pushStatus[r.Code], Code: r.Code, Outcome: string(r.Outcome), Capability: r.Capability, Least: r.MinVersion, cause: err}
	}
	var tooLarge *http.MaxBytesError
	e, known := errors.AsType[*identity.Error](err)
	switch {
	case errors.As(err, &tooLarge):
		return &refusal{status: http.StatusRequestEntityTooLarge, Code: "too-large", cause: err}
	case known && (e.Key == "error.authenticator.most" || e.Key == "error.authenticator.kind"): // came to be while the app was being set up
		return &refusal{status: http.StatusGone, Code: "voided", cause: err}
	case known && e.Kind == identity.Throttled:
		return &refusal{status: http.StatusTooManyRequests, Code: "throttled", retry: e.RetryAfter, cause: err}
	case known && e.Kind == identity.Unavailable:
		return &refusal{status: http.StatusServiceUnavailable, Code: "unavailable", retry: e.RetryAfter, cause: err}
	}
	return &refusal{status: http.StatusInternalServerError, Code: "internal", cause: err}
}

// write answers with the refusal, its message in the reader's language.
func (r *refusal) write(w http.ResponseWriter, p locales.Printer) {
	said := *r // the answer is ours to fill in; the refusal may be shared
	said.Message = p.T("api.error." + r.Code)
	if r.retry > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((r.retry+time.Second-1)/time.Second), 10))
	}
	w.Header().Set("Content-Language", p.Lang())
	web.WriteJSON(w, r.status, said)
}
