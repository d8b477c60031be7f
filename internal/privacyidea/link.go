package privacyidea

import (
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Path is where the app calls a tenant, below the tenant's address. The app knows this
// one address only, for all its calls.
const Path = "ttype/push"

// Address returns that address of a tenant, by its slug, at a base such as
// https://id.example.org.
func Address(base, tenant string) string { return base + "/t/" + tenant + "/" + Path }

// An Enrollment is what the QR code tells the app.
type Enrollment struct {
	Address    string // where the app registers, and sends all later requests
	Issuer     string // the issuer that the app shows
	Account    string // the account that the app shows
	Serial     string
	Credential string // 40 hexadecimal digits, valid once
	Lifetime   time.Duration
}

// NewCredential returns the secret of a new enrolment: 160 random bits in hexadecimal.
func NewCredential() string {
	var b [20]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// URI returns the link that the QR code contains. It tells the app to poll, because
// the app's push service only works for its makers' customers, and to check
// certificates. The lifetime is given in minutes, rounded up; the server's clock
// decides. Blanks are written as %20, as in other otpauth links, because apps show
// a plus as it is.
func (e Enrollment) URI() string {
	clean := strings.NewReplacer(":", " ") // text before a colon would be read as the issuer
	query := []string{"url", e.Address, "ttl", strconv.Itoa(int((e.Lifetime + time.Minute - 1) / time.Minute)), "issuer", clean.Replace(e.Issuer),
		"enrollment_credential", e.Credential, "v", "1", "serial", e.Serial, "sslverify", "1", "poll_only", "True"}
	var b strings.Builder
	b.WriteString("otpauth://pipush/" + escape(clean.Replace(e.Account)))
	for i := 0; i < len(query); i += 2 {
		b.WriteString([]string{"?", "&"}[min(i, 1)] + query[i] + "=" + escape(query[i+1]))
	}
	return b.String()
}

func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
