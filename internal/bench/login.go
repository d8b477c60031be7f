package main

import (
	"fmt"
	"net/url"
	"strings"
)

// maxSteps is more pages than any login has.
const maxSteps = 8

// login walks from a page of a login to its end, answering each as the person
// would: the application's address it leads to, or the page that posts an
// answer there. Whoever has no seed asks for a push, and stays where it is
// waited for.
func (b *browser) login(at page, p *person) (page, error) {
	for range maxSteps {
		step := field(at.body, "step")
		if at.leads != "" || strings.Contains(at.body, `id="autosubmit"`) || step == "push" {
			return at, nil
		}
		form := url.Values{"version": {field(at.body, "version")}, "step": {step}, "do": {"continue"}}
		switch step {
		case "identify":
			form.Set("username", p.name)
		case "password":
			form.Set("password", password)
		case "choose":
			form.Set("method", "passcode")
			if p.seed == nil {
				form.Set("method", "push")
			}
		case "passcode":
			form.Set("passcode", p.passcode())
		default:
			return at, fmt.Errorf("%s stands at %q: %s", p.name, step, problem(at.body))
		}
		next, err := b.post(at.path, form)
		if err != nil {
			return at, err
		}
		if next.leads == "" && field(next.body, "step") == step {
			return at, fmt.Errorf("%s does not get past %q: %s", p.name, step, problem(next.body))
		}
		at = next
	}
	return at, fmt.Errorf("%s: more than %d pages", p.name, maxSteps)
}
