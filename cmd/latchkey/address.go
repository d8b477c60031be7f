package main

import (
	"fmt"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// noteAddresses says of addresses that were just entered which of them not every mail server
// can be told of.
func (s *shell) noteAddresses(addresses ...string) {
	for _, text := range addresses {
		if a, err := identity.ParseMailAddress(text); err == nil && a.NeedsSMTPUTF8() {
			fmt.Fprintln(s.stderr, printable(fmt.Sprintf("latchkey: %s has letters beyond ASCII before the @: mails reach it by a server with SMTPUTF8 alone; "+
				`"latchkey smtp test %s" tells whether yours has that`, text, text)))
		}
	}
}
