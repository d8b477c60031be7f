package identity

import "time"

// A Kind says what a caller can do about an error. It is itself an error, so
// errors.Is(err, identity.NotFound) works however deep the error was wrapped.
type Kind uint8

// Internal is the zero value on purpose: an error nobody classified is ours,
// and people see only that something went wrong.
const (
	Internal Kind = iota
	Invalid
	Unauthenticated
	Forbidden
	NotFound
	Conflict
	Expired
	Throttled
	TooLarge
	Unavailable
)

var kinds = [...]string{"internal", "invalid", "unauthenticated", "forbidden",
	"not found", "conflict", "expired", "throttled", "too large", "unavailable"}

func (k Kind) Error() string { return kinds[k] }

// An Error carries two stories: Key, a locale key for the person, and Err, the
// cause, for the log. The second is never shown to the first.
type Error struct {
	Kind       Kind
	Key        string        // such as "error.passcode.wrong"; empty means the kind's own text
	RetryAfter time.Duration // meaningful with Throttled and Unavailable
	Err        error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Kind.Error() + ": " + e.Key
	}
	return e.Kind.Error() + ": " + e.Err.Error()
}

// Unwrap lets errors.Is match the kind and errors.AsType reach the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}
