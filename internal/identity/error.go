package identity

import "time"

// A Kind says what a caller can do about an error. It is an error itself, so that
// errors.Is(err, identity.NotFound) works however often the error was wrapped.
type Kind uint8

// Internal is the zero value: an unclassified error is a defect of the server, and users only see
// that something went wrong.
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

// An Error has two messages: Key, a locale key for the user, and Err, the cause, for the log. The
// cause is never shown to the user.
type Error struct {
	Kind       Kind
	Key        string        // for example "error.passcode.wrong"; empty means the text of the kind
	RetryAfter time.Duration // with Throttled and Unavailable
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
