package e2e

import (
	"fmt"
	"strings"
)

// A Phone is the web authenticator in a browser of its own.
type Phone struct {
	*Browser
	demo *Demo

	// OnState, if not nil, is called on each state of the app before it is left.
	OnState func(page string)
}

// What the app is made of. Whatever asks for something comes up as a sheet.
const (
	account   = `.account .otp`
	addButton = `#add`
	typedCode = `#sheet #code`
	pushOn    = `#sheet label:has(input[name="push"][value="on"])`
	pushOff   = `#sheet label:has(input[name="push"][value="off"])`
	number    = `#sheet #number`
	picks     = `#sheet .picks button`
	submit    = `#sheet form button:not([type])`
	deny      = `#sheet .pair button.plain`
	notMe     = `#sheet .pair button.danger`
	done      = `#sheet > button`
)

func (p *Phone) at(state, selector string) {
	p.t.Helper()
	p.See(selector)
	if p.OnState != nil {
		p.OnState("app-" + state)
	}
}

// Activate types the short code into the app and answers what it asks.
func (p *Phone) Activate(code string, push bool) {
	p.t.Helper()
	p.Open(p.demo.Base + "/authenticator/")
	p.at("empty", addButton)
	p.Click(addButton)
	p.at("add", typedCode)
	p.Type(typedCode, code)
	p.Click(submit)
	p.finish(push)
}

// ActivateLink opens the link that a button, or the QR code, leads to.
func (p *Phone) ActivateLink(link string, push bool) {
	p.t.Helper()
	p.Open(link)
	p.at("link", `#sheet .pair button[autofocus]`)
	if strings.Contains(p.URL().Fragment, "v1") {
		p.t.Error("the activation stays in the address bar")
	}
	p.Click(`#sheet .pair button[autofocus]`)
	p.finish(push)
}

func (p *Phone) finish(push bool) {
	p.t.Helper()
	p.at("questions", pushOn)
	if push {
		p.Click(pushOn)
	} else {
		p.Click(pushOff)
	}
	p.Click(submit)
	p.at("ready", done)
	p.Click(done)
	p.at("account", `.account`)
}

// Passcode reads the passcode the app shows.
func (p *Phone) Passcode() string {
	p.t.Helper()
	return strings.Join(strings.Fields(p.Text(account)), "")
}

// Approve answers the request that waits, with the number where one is asked.
func (p *Phone) Approve(shown string) {
	p.t.Helper()
	p.EnterNumber(shown)
	p.See(done)
	p.Click(done)
}

// EnterNumber approves with a number, right or wrong, and leaves the outcome on
// the screen.
func (p *Phone) EnterNumber(shown string) {
	p.t.Helper()
	p.at("request", number)
	p.Type(number, shown)
	p.Click(submit)
	p.Await("the outcome", fmt.Sprintf(`!document.querySelector(%q) && %s`, number, seen(done)))
	if p.OnState != nil {
		p.OnState("app-outcome")
	}
}

// Deny refuses the request that waits, as a "mistake" or "not-me".
func (p *Phone) Deny(how string) {
	p.t.Helper()
	p.See(number)
	p.Click(deny)
	p.at("deny", notMe)
	if how == "not-me" {
		p.Click(notMe)
	} else {
		p.Click(deny)
	}
	p.See(done)
}
