package enroll

import "github.com/latchkey-id/latchkey/internal/otp"

// shortCodeLength gives 40 bits: enough where ten guesses an hour are allowed
// and a code lives for minutes.
const shortCodeLength = 8

// newShortCode returns a random short code in its canonical form.
func newShortCode() string { return otp.NewSpelled(shortCodeLength) }

// showShortCode is how a short code is shown: in two groups of four.
func showShortCode(code string) string { return otp.ShowSpelled(code, shortCodeLength/2) }

// CanonicalShortCode returns the short code somebody typed, or "" if it cannot
// be one.
func CanonicalShortCode(typed string) string { return otp.CanonicalSpelled(typed, shortCodeLength) }
