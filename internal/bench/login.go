package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// maxSteps is more pages than any login has.
const maxSteps = 8

// login goes from a page of a login to its end, answering each as the person
// would: the application's address it leads to, or the page that posts an
// answer there. Whoever has no seed asks for a push, and stays where it is
// waited for. Where a passkey is asked for or enrolling is offered, it ends: that
// is for the caller.
func (b *browser) login(at page, p *person) (page, error) {
	for range maxSteps {
		step := stepOf(at.body)
		if at.leads != "" || strings.Contains(at.body, `id="autosubmit"`) || slices.Contains([]string{"push", "passkey", "enrol offer"}, step) {
			return at, nil
		}
		form := formOf(at.body)
		switch step {
		case "identify":
			form.Set("username", p.name)
		case "password":
			form.Set("password", password)
		case "choose":
			form.Set("method", p.method())
		case "passcode":
			form.Set("passcode", p.passcode())
		default:
			return at, fmt.Errorf("%s stands at %q: %s", p.name, step, problem(at.body))
		}
		next, err := b.post(at.path, form)
		if err != nil {
			return at, err
		}
		if next.leads == "" && stepOf(next.body) == step {
			return at, fmt.Errorf("%s does not get past %q: %s", p.name, step, problem(next.body))
		}
		at = next
	}
	return at, fmt.Errorf("%s: more than %d pages", p.name, maxSteps)
}

// formOf is the form of a page, as its button "continue" sends it. The fields that
// say what the page shows have changed between releases, of which the bench
// compares two.
func formOf(body string) url.Values {
	form := url.Values{"do": {"continue"}}
	for _, name := range []string{"state", "version", "step"} {
		if value := field(body, name); value != "" {
			form.Set(name, value)
		}
	}
	return form
}

// stepOf is the step that a page shows.
func stepOf(body string) string {
	if step := field(body, "step"); step != "" {
		return step
	}
	_, rest, _ := strings.Cut(field(body, "state"), ".")
	step, _, _ := strings.Cut(rest, ".")
	return strings.ReplaceAll(step, "-", " ")
}
