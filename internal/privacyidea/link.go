package privacyidea

import (
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// An Enrollment is what the QR code brings into an app.
type Enrollment struct {
	Address    string // where the app registers, and speaks to ever after
	Issuer     string // who asks, as the app shows it
	Account    string // whose it is, as the app shows it
	Serial     string
	Credential string // 40 hexadecimal digits, good once
	Life       time.Duration
}

// NewCredential returns the secret of a new enrolment: 160 random bits.
func NewCredential() string {
	var b [20]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// URI is the link the QR code holds. The app is told to poll, for its push
// service serves its makers' customers alone, and to check certificates. Life is
// said in minutes, rounded up; the server's own clock decides. Blanks are %20,
// as in other otpauth links: apps read a plus as one.
func (e Enrollment) URI() string {
	clean := strings.NewReplacer(":", " ") // what stands before one would be taken for the issuer
	query := []string{"url", e.Address, "ttl", strconv.Itoa(int((e.Life + time.Minute - 1) / time.Minute)), "issuer", clean.Replace(e.Issuer),
		"enrollment_credential", e.Credential, "v", "1", "serial", e.Serial, "sslverify", "1", "poll_only", "True"}
	var b strings.Builder
	b.WriteString("otpauth://pipush/" + escape(clean.Replace(e.Account)))
	for i := 0; i < len(query); i += 2 {
		b.WriteString([]string{"?", "&"}[min(i, 1)] + query[i] + "=" + escape(query[i+1]))
	}
	return b.String()
}

func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
