// Package otptest makes passcodes by another implementation, for tests.
package otptest

import (
	"encoding/hex"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/otp"
)

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
