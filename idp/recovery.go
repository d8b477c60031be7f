package idp

import (
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/templates"
)

// recoveryOffered reports whether a recovery code may be typed in this journey.
func (s *sitting) recoveryOffered() bool {
	return slices.Contains(s.view.Facts.Others, identity.ByRecoveryCode)
}

// recoveryCode is the page that asks for a recovery code.
func (s *sitting) recoveryCode() templates.RecoveryCode {
	return templates.RecoveryCode{Application: s.app.Name, Name: s.view.Journey.Name}
}
