package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/store"
)

// A Level is the severity of a finding.
type Level string

// The levels. An Error prevents users from logging in, or loses data.
const (
	OK      Level = "ok"
	Warning Level = "warning"
	Error   Level = "error"
)

// A Finding is one result of a check.
type Finding struct {
	Check string `json:"check"` // for example "clock"
	Level Level  `json:"level"`
	Text  string `json:"text"`         // what was found and what it means
	Do    string `json:"do,omitempty"` // what to do; empty with OK
}

// A Doctor checks one server.
type Doctor struct {
	Config    config.Config
	Problems  error     // of reading the configuration; may be nil
	Database  *store.DB // nil if it cannot be opened
	OpenError error     // why it cannot be opened
	Now       func() time.Time
	Roots     *x509.CertPool // root certificates; nil means the system's
	// PushHosts are push services to check in addition to those in use; nil means those of the
	// common browsers.
	PushHosts []string
}

// checkTimeout is the maximum duration of a check.
const checkTimeout = 10 * time.Second

// Examine runs all checks and returns their findings, in the order in which to fix them.
func (d *Doctor) Examine(ctx context.Context) []Finding {
	var all []Finding
	for _, examination := range []struct {
		check string
		look  func(*Doctor, context.Context, *report) error
	}{
		{"configuration", (*Doctor).configuration},
		{"clock", (*Doctor).clock},
		{"files", (*Doctor).files},
		{"disk", (*Doctor).disk},
		{"location database", (*Doctor).locations},
		{"database", (*Doctor).database},
		{"keys", (*Doctor).keys},
		{"backup", (*Doctor).backup},
		{"mail", (*Doctor).mail},
		{"address", (*Doctor).address},
		{"address", (*Doctor).authenticatorAddress},
		{"web authenticators", (*Doctor).webAuthenticators},
		{"push services", (*Doctor).pushServices},
	} {
		c := &report{check: examination.check}
		err := func() error {
			ctx, cancel := context.WithTimeout(ctx, checkTimeout)
			defer cancel()
			return examination.look(d, ctx, c)
		}()
		if err != nil {
			c.error("the examination failed: "+err.Error(), "see what that says; the other findings stand")
		}
		all = append(all, c.findings...)
	}
	return all
}

// A report collects the findings of a check.
type report struct {
	check    string
	findings []Finding
}

func (c *report) add(level Level, text, do string) {
	c.findings = append(c.findings, Finding{c.check, level, text, do})
}

func (c *report) ok(format string, args ...any) { c.add(OK, fmt.Sprintf(format, args...), "") }
func (c *report) warning(text, do string)       { c.add(Warning, text, do) }
func (c *report) error(text, do string)         { c.add(Error, text, do) }
func (c *report) atLevel(l Level, text, do string) {
	if l == OK {
		do = ""
	}
	c.add(l, text, do)
}

func (d *Doctor) configuration(_ context.Context, c *report) error {
	err := config.JoinProblems(d.Problems, d.Config.Validate())
	var problems config.Problems
	switch {
	case err == nil:
		c.ok("%s can be used", d.Config.Path(config.File))
	case errors.As(err, &problems):
		for _, p := range problems {
			c.error(p.Error(), "mend it; docs/configuration.md explains every key")
		}
	default:
		return err
	}
	return nil
}

// ago formats a duration in days, hours or minutes.
func ago(span time.Duration) string {
	n, unit := int(span/time.Minute), "minute"
	if n >= 60 {
		n, unit = int(span/time.Hour), "hour"
	}
	if unit == "hour" && n >= 24 {
		n, unit = n/24, "day"
	}
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}
