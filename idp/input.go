package idp

import (
	"net/http"
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/journey"
)

// readInput makes an input of a form: of the button that was pressed, which is
// the field "do", and otherwise of the field that the page asks for.
func readInput(r *http.Request) journey.Input {
	form := r.PostForm
	value := func(name string) string { return form.Get(name) }
	remembering := journey.Remembering{Remember: rememberBox(r)}
	if language := value("language"); language != "" {
		return journey.PickLanguage{Language: language}
	}
	switch value("do") {
	case "session":
		return journey.Continue{}
	case "cancel":
		return journey.Cancel{}
	case "back":
		return journey.GoBack{}
	case "forgot":
		return journey.ForgotPassword{}
	case "resend", "renew", "new":
		return journey.Resend{Remembering: remembering}
	case "push", "again":
		return journey.ChooseMethod{Method: identity.ByPush, Remembering: remembering}
	case "recovery":
		return journey.ChooseMethod{Method: identity.ByRecoveryCode, Remembering: remembering}
	case "passkey":
		return journey.SignWithPasskey{Credential: []byte(value("signed")), Remembering: remembering}
	}
	switch {
	case form.Has("method"): // a button too, beside what the page asks for
		return journey.ChooseMethod{Method: identity.Method(value("method")), Remembering: remembering}
	case form.Has("signed") && !form.Has("username"):
		return journey.SignWithPasskey{Credential: []byte(value("signed")), Remembering: remembering}
	case form.Has("new"):
		return journey.ChoosePassword{Password: value("new"), Again: value("again")}
	case form.Has("pin"):
		return journey.ChoosePIN{PIN: value("pin"), Again: value("again")}
	case form.Has("code"):
		return journey.EnterMailCode{Code: value("code")}
	case form.Has("recovery_code"):
		return journey.EnterRecoveryCode{Code: value("recovery_code")}
	case form.Has("password"):
		return journey.EnterPassword{Password: value("password")}
	case form.Has("username"):
		return journey.EnterName{Name: value("username")}
	case form.Has("passcode"):
		return journey.EnterPasscode{Passcode: value("passcode"), Remembering: remembering}
	case form.Has("response"):
		return journey.EnterResponse{Response: value("response"), Remembering: remembering}
	case form.Has("platform"):
		return journey.ChoosePlatform{Platform: identity.Platform(value("platform"))}
	}
	return journey.Continue{Remembering: remembering}
}

// rememberBox reads the box of the pages of the second factor: a hidden field says
// that there was one, for a box that is not ticked sends nothing.
func rememberBox(r *http.Request) *bool {
	box := r.PostForm["remember"]
	if len(box) == 0 {
		return nil
	}
	ticked := slices.Contains(box, "yes")
	return &ticked
}
