package audit

import (
	"fmt"
	"strings"
	"time"
)

// ActivityKinds are the events of people logging in (ADM-6).
var ActivityKinds = []Kind{LoginSucceeded, LoginFailed, LoginDenied, LoginCancelled, PasswordWrong, PasscodeRight, PasscodeWrong,
	OuterWindow, RecoveryCodeRight, RecoveryCodeWrong, PasskeyRight, PasskeyWrong, PushChallenge, PushApproved, PushRefused, SessionEnded, UserLocked, PushLocked, PasscodesLocked, AuthenticatorLocked}

// An Activity is an event as the report of authentication activity tells it.
type Activity struct {
	At          time.Time
	Kind        Kind
	User        string // id; empty for a name nobody has
	Name        string // as typed; empty where none was, and once the person is erased
	Application string // id
	IP          string
	Place       string
	Method      string // what was used, such as password, passcode, push; several are joined by +
	Serial      string // of the authenticator
	Result      string // such as success, failure, challenge
	Reason      string
	Journey     string
	Shown       string // with a push challenge: what the phone showed besides name, address and place
}

// ActivityOf tells an event as authentication activity.
func ActivityOf(e Event) Activity {
	what, result, _ := strings.Cut(string(e.Kind), ".")
	a := Activity{At: e.At, Kind: e.Kind, User: e.User, Name: e.Personal["name"], Application: e.Application, IP: e.Actor.IP,
		Place: e.Personal["place"], Serial: e.Data["serial"], Result: result, Reason: e.Reason, Journey: e.Journey}
	if e.Kind == PushChallenge {
		a.Shown = shown(e)
	}
	switch what {
	case "password", "passcode", "push", "passkey":
		a.Method = what
		if e.Data["temporary"] != "" {
			a.Method = "temporary passcode"
		}
	case "recovery-code":
		a.Method = "recovery code"
	case "login":
		var methods []string
		for _, validation := range []string{"password", "otp"} {
			if method := e.Data[validation]; method != "" {
				methods = append(methods, method)
			}
		}
		a.Method = strings.Join(methods, "+")
	}
	return a
}

// shown tells what the phone was shown of a challenge (PUSH-12).
func shown(e Event) string {
	check := e.Data["presence"]
	if check == "" {
		return ""
	}
	return fmt.Sprintf("%s of %s, begun %s, presence check %s", e.Data["application"], e.Data["organisation"], e.Data["started"], check)
}
