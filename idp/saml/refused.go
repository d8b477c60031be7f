package saml

import (
	"errors"
	"fmt"

	"github.com/latchkey-id/latchkey/idp"
	"github.com/latchkey-id/latchkey/internal/identity"
)

// Reasons for which requests of a known application are refused. Operators read them, by application, and so they
// are stored: data does not change with names in this program.
const (
	byAlgorithm   = "algorithm"
	bySignature   = "signature"
	byDestination = "destination"
	byTime        = "time"
	byAddress     = "address"
	byNameID      = "name-id"
	byContext     = "context"
	byMetadata    = "metadata"
	byRequest     = "request" // anything else
)

// A reason is an error with the reason that operators are told it under.
type reason struct {
	name string
	err  error
}

func (r *reason) Error() string { return r.err.Error() }
func (r *reason) Unwrap() error { return r.err }

func because(name, format string, args ...any) error {
	return &reason{name, fmt.Errorf(format, args...)}
}

// refusedFor is [unacceptable] for a reason.
func refusedFor(name, format string, args ...any) error {
	return unacceptable("%w", because(name, format, args...))
}

// refusalOf returns what operators are told of an error: nothing of one that is not the application's.
func refusalOf(app identity.Application, err error) (idp.RefusedRequest, bool) {
	var e *identity.Error
	if !errors.As(err, &e) || e.Kind != identity.Invalid && e.Kind != identity.Expired {
		return idp.RefusedRequest{}, false
	}
	out := idp.RefusedRequest{Application: app, Reason: byRequest, Detail: e.Error()}
	var r *reason
	if errors.As(err, &r) {
		out.Reason, out.Detail = r.name, r.Error()
	} else if e.Err != nil {
		out.Detail = e.Err.Error()
	}
	return out, true
}
