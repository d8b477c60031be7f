package audit

import (
	"fmt"
	"strings"
	"time"
)

// ActivityKinds are the kinds of events in the report of authentication activity (ADM-6).
var ActivityKinds = []Kind{LoginSucceeded, LoginFailed, LoginDenied, LoginCancelled, PasswordRight, PasswordWrong, PasscodeRight, PasscodeWrong,
	OuterWindow, RecoveryCodeRight, RecoveryCodeWrong, PasskeyRight, PasskeyWrong, DeviceRight, PushChallenge, PushApproved, PushRefused, SessionEnded, UserLocked, PushLocked, PasscodesLocked, AuthenticatorLocked}

// An Activity is an event as the report of authentication activity shows it.
type Activity struct {
	At          time.Time
	Kind        Kind
	User        string // id; empty if the name belongs to no user
	Name        string // as typed; empty if none was typed, or after the user was erased
	Application string // id
	IP          string
	Place       string
	Method      string // for example password, passcode or push; several are joined by +
	Serial      string // of the authenticator, if the event says it

	Authenticator string // id
	Result        string // for example success, failure or challenge
	Reason        string
	Journey       string
	Shown         string // with a push challenge: what the phone showed beside name, address and place
}

// ActivityOf converts an event.
func ActivityOf(e Event) Activity {
	what, result, _ := strings.Cut(string(e.Kind), ".")
	a := Activity{At: e.At, Kind: e.Kind, User: e.User, Name: e.Personal["name"], Application: e.Application, IP: e.Actor.IP,
		Place: e.Personal["place"], Serial: e.Data["serial"], Result: result, Reason: e.Reason, Journey: e.Journey,
		Authenticator: e.Authenticator}
	if e.Kind == PushChallenge {
		a.Shown = shownOnPhone(e)
	}
	switch what {
	case "password", "passcode", "push", "passkey":
		a.Method = what
		if e.Data["temporary"] != "" {
			a.Method = "temporary passcode"
		}
	case "recovery-code":
		a.Method = "recovery code"
	case "device":
		a.Method = "remembered device"
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

// shownOnPhone describes what the phone showed with a push challenge (PUSH-12).
func shownOnPhone(e Event) string {
	check := e.Data["presence"]
	if check == "" {
		return ""
	}
	return fmt.Sprintf("%s of %s, begun %s, presence check %s", e.Data["application"], e.Data["organisation"], e.Data["started"], check)
}
