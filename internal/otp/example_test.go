package otp_test

import (
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/otp"
)

func ExampleMatch() {
	secret := []byte("12345678901234567890")
	code := otp.Canonical("287 082")
	step, ok := otp.Match(secret, otp.Params{}, code, time.Unix(89, 0), 0, 1)
	fmt.Println(step, ok)
	// Output: 1 true
}

func ExampleCanonical() {
	fmt.Println(otp.Canonical("١٢٣-٤٥٦"))
	// Output: 123456
}

func ExampleKey_URI() {
	fmt.Println(otp.Key{Issuer: "Example", Account: "mia", Secret: []byte("12345678901234567890")}.URI())
	// Output: otpauth://totp/Example:mia?algorithm=SHA1&digits=6&issuer=Example&period=30&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ
}
