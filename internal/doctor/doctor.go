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

// A Level says how bad a finding is.
type Level string

// The levels. An error keeps people from logging in, or loses something.
const (
	OK      Level = "ok"
	Warning Level = "warning"
	Error   Level = "error"
)

// A Finding is one thing found.
type Finding struct {
	Check string `json:"check"` // such as "clock"
	Level Level  `json:"level"`
	Text  string `json:"text"`         // what it is, and means
	Do    string `json:"do,omitempty"` // what to do; empty with OK
}

// A Doctor looks at one server.
type Doctor struct {
	Config   config.Config
	Problems error     // of reading the configuration; nil if there are none
	Database *store.DB // nil where it cannot be opened
	Refused  error     // why not
	Now      func() time.Time
	Roots    *x509.CertPool // authorities to believe; nil means those of this machine
	// PushHosts are push services to look for, beside those in use; nil means
	// those of the usual browsers.
	PushHosts []string
}

// wait is how long anything may take to answer.
const wait = 10 * time.Second

// Examine looks at everything and returns what it found, in the order in which
// to mend it.
func (d *Doctor) Examine(ctx context.Context) []Finding {
	var all []Finding
	for _, examination := range []struct {
		check string
		look  func(*Doctor, context.Context, *chart) error
	}{
		{"configuration", (*Doctor).configuration},
		{"clock", (*Doctor).clock},
		{"files", (*Doctor).files},
		{"disk", (*Doctor).disk},
		{"database", (*Doctor).database},
		{"keys", (*Doctor).keys},
		{"backup", (*Doctor).backup},
		{"mail", (*Doctor).mail},
		{"address", (*Doctor).address},
		{"address", (*Doctor).annexe},
		{"web authenticators", (*Doctor).webAuthenticators},
		{"push services", (*Doctor).pushServices},
	} {
		c := &chart{check: examination.check}
		err := func() error {
			ctx, cancel := context.WithTimeout(ctx, wait)
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

// A chart is what is written down during an examination.
type chart struct {
	check    string
	findings []Finding
}

func (c *chart) add(level Level, text, do string) {
	c.findings = append(c.findings, Finding{c.check, level, text, do})
}

func (c *chart) ok(format string, args ...any) { c.add(OK, fmt.Sprintf(format, args...), "") }
func (c *chart) warning(text, do string)       { c.add(Warning, text, do) }
func (c *chart) error(text, do string)         { c.add(Error, text, do) }
func (c *chart) judge(l Level, text, do string) {
	if l == OK {
		do = ""
	}
	c.add(l, text, do)
}

func (d *Doctor) configuration(_ context.Context, c *chart) error {
	err := config.All(d.Problems, d.Config.Validate())
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

// ago says a span for people: in days, hours or minutes.
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
