// Package otptest does for tests what an authenticator app does: it reads links, and
// makes passcodes by another implementation.
package otptest

import (
	"encoding/hex"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	pquerna "github.com/pquerna/otp"

	"github.com/latchkey-id/latchkey/internal/otp"
)

// ReadLink reads an otpauth link as an app does. It fails the test on a link that
// lacks what some app needs.
func ReadLink(t *testing.T, link string) otp.Key {
	t.Helper()
	read, err := pquerna.NewKeyFromURL(link)
	if err != nil {
		t.Fatalf("the link %q: %v", link, err)
	}
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "otpauth" {
		t.Fatalf("the link %q is none of otpauth, %v", link, err)
	}
	key := otp.Key{Issuer: read.Issuer(), Account: read.AccountName(), Event: u.Host == "hotp", Params: otp.Params{
		Digits: int(read.Digits()), Period: int64(read.Period()), Algorithm: otp.Algorithm(read.Algorithm().String())}}
	if key.Secret, err = otp.DecodeSecret(read.Secret()); err != nil {
		t.Fatalf("the link %q: %v", link, err)
	}
	needed := []string{"algorithm", "digits", "issuer", "period", "secret"}
	if key.Event {
		needed[3] = "counter"
		if key.Counter, err = strconv.ParseInt(u.Query().Get("counter"), 10, 64); err != nil {
			t.Fatalf("the link %q: %v", link, err)
		}
	}
	for _, name := range needed {
		if len(u.Query()[name]) != 1 {
			t.Errorf("the link %q has not one %s", link, name)
		}
	}
	return key
}

// Oathtool returns the passcode that oathtool makes of a key at a time. The test is
// skipped where that is not installed.
func Oathtool(t *testing.T, key otp.Key, now time.Time) string {
	t.Helper()
	oathtool, err := exec.LookPath("oathtool")
	if err != nil {
		t.Skip("oathtool is not installed")
	}
	args := []string{"--totp", "--time-step-size=" + strconv.FormatInt(key.Params.Period, 10) + "s", "--now=@" + strconv.FormatInt(now.Unix(), 10)}
	if key.Event {
		args = []string{"--hotp", "--counter=" + strconv.FormatInt(key.Counter, 10)}
	}
	args = append(args, "--digits="+strconv.Itoa(key.Params.Digits), hex.EncodeToString(key.Secret))
	out, err := exec.CommandContext(t.Context(), oathtool, args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
