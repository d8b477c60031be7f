package main

import "github.com/latchkey-id/latchkey/internal/policy"

// serverPINFlags are the parts of the policy of PINs that are typed with a passcode,
// for "policy set pin"; nil leaves one as it is.
type serverPINFlags struct {
	PINLeast       *int64  `name:"pin-least" placeholder:"N" help:"Of pin: digits that a new one has at least; 3 to 15."`
	PINMost        *int64  `name:"pin-most" placeholder:"N" help:"Of pin: digits that it has at most; 4 to 16."`
	PINPosition    *string `name:"pin-position" placeholder:"WHERE" help:"Of pin: before or after the passcode. It holds for all there are, at once."`
	PINChangeFirst *bool   `name:"pin-change-first" negatable:"" help:"Of pin: one that was handed out is changed at its first use."`
	PINTrivial     *bool   `name:"pin-trivial" negatable:"" help:"Of pin: such as 1234 are allowed."`
}

func (f serverPINFlags) any() bool {
	return f.PINLeast != nil || f.PINMost != nil || f.PINPosition != nil || f.PINChangeFirst != nil || f.PINTrivial != nil
}

func (f serverPINFlags) change(present policy.Document) (policy.Document, error) {
	p := present.(policy.ServerPIN)
	over(&p.MinLength, f.PINLeast)
	over(&p.MaxLength, f.PINMost)
	over(&p.Position, f.PINPosition)
	over(&p.ChangeFirst, f.PINChangeFirst)
	over(&p.TrivialPINs, f.PINTrivial)
	return p, nil
}
