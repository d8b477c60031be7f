package policy

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/latchkey-id/latchkey/internal/identity"
)

func TestDefaultsAreValidAndKept(t *testing.T) {
	for _, kind := range Kinds() {
		d, err := Decode(kind, nil)
		if err != nil {
			t.Fatal(err)
		}
		if d.Kind() != kind {
			t.Errorf("%s: the default says it is %s", kind, d.Kind())
		}
		data, err := Encode(d)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		for name, written := range map[string][]byte{"itself": data, "nothing": nil, "blanks": []byte(" \n")} {
			if got, err := Decode(kind, written); err != nil || !reflect.DeepEqual(got, d) {
				t.Errorf("%s from %s: got %+v, %v, want %+v", kind, name, got, err, d)
			}
		}
	}
	if _, err := Decode("colour", nil); !errors.Is(err, identity.NotFound) {
		t.Errorf("an unknown kind: got %v", err)
	}
}

func TestFieldsLeftOutHaveTheirDefaults(t *testing.T) {
	push, err := Read[Push]([]byte(`{"presence": "pick", "groups": {"grp_a": {"enabled": false, "codes_allowed": true, "presence": "none"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultPush()
	want.Presence = Pick
	want.Groups = map[string]PushSettings{"grp_a": {CodesAllowed: true, Presence: NoPresence}}
	if !reflect.DeepEqual(push, want) {
		t.Errorf("got %+v, want %+v", push, want)
	}
	// A list is taken as written: nothing of the default's rule remains.
	access, err := Read[Access]([]byte(`{"rules": [{"name": "closed", "deny": true}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if want := (Access{[]Rule{{Name: "closed", Deny: true}}}); !reflect.DeepEqual(access, want) {
		t.Errorf("got %+v, want %+v", access, want)
	}
	platforms, err := Read[Platforms]([]byte(`{"ios": {"allowed": true}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := platforms.Allowed(); !slices.Equal(got, []identity.Platform{identity.IOS}) {
		t.Errorf("allowed %v, want ios alone", got)
	}
}

func TestDecodeReportsEverythingAtOnce(t *testing.T) {
	for _, tt := range []struct {
		name string
		kind Kind
		data string
		want []string
	}{
		{"no JSON", KindAccess, `{"rules": [`, []string{"is not JSON: unexpected end of JSON input"}},
		{"two documents", KindAccess, `{}{}`, []string{"is not JSON: invalid character '{' after top-level value"}},
		{"a list", KindPush, `[]`, []string{"must be an object in braces"}},
		{"null", KindPush, `null`, []string{"must be an object in braces"}},
		{"unknown fields", KindAccess, `{"rules": [{"name": "a", "requires": ["password"], "denny": true}], "colour": 1}`,
			[]string{"rules[0].requires: is not known; did you mean require?",
				"rules[0].denny: is not known; did you mean deny?",
				"colour: is not known"}},
		{"another case is another field", KindAccess, `{"Rules": []}`, []string{"Rules: is not known; did you mean rules?"}},
		{"twice", KindLockout, `{"threshold": 1, "threshold": 100}`, []string{"threshold: is there twice"}},
		{"types", KindAccess, `{"rules": [{"name": 1, "deny": "no", "max_age": 1.5, "groups": "g", "networks": ["192.0.2.1", null], "require": [null]}]}`,
			[]string{"rules[0].name: must be a text", "rules[0].deny: must be true or false",
				"rules[0].max_age: must be a whole number", "rules[0].groups: must be a list",
				"rules[0].networks[0]: must be a network such as 192.0.2.0/24",
				"rules[0].networks[1]: must be a network such as 192.0.2.0/24",
				"rules[0].require[0]: must be a text"}},
		{"meaning", KindAccess, `{"rules": [
			{"name": "a", "networks": ["192.0.2.1/24", "::ffff:192.0.2.0/120"], "require": ["password", "pasword", "password"]},
			{"name": "a", "groups": ["g", "", "g"], "max_age": -1},
			{"name": "", "deny": true, "require": ["otp"]}]}`,
			[]string{"rules[0].networks[0]: must be a network such as 192.0.2.0/24",
				"rules[0].networks[1]: must be a network such as 192.0.2.0/24",
				"rules[0].require[1]: must be one of: password, otp, passkey",
				"rules[0].require[2]: is there twice",
				"rules[1].name: is there twice",
				"rules[1].groups: has an empty name",
				"the group “g” is there twice",
				"rules[1].require: must not be empty in a rule that does not deny, or nothing would be proved",
				"rules[1].max_age: must be from 0 to 31536000",
				"rules[2].name: must not be empty",
				"rules[2].require: must be empty in a rule that denies"}},
		{"no rules", KindAccess, `{}`, []string{"rules: must not be empty, or nobody could log in"}},
		{"self-provisioning", KindSelfProvisioning, `{"target": "except"}`, []string{"groups: must name at least one group, or nobody could tell whom the target means"}},
		{"platforms", KindPlatforms, `{"andriod": {"allowed": true}, "ios": {"app": "http://x"}, "windows": {"windows_link": "store"}}`,
			[]string{"andriod: must be one of: ios, android, windows, macos, linux, chromeos, windows-mobile, privacyidea",
				"ios.app: must be a link that begins with https://",
				"windows.windows_link: can be the store’s only where the app is a store’s link"}},
		{"push", KindPush, `{"presence": "dance", "lifetime": 10, "spacing": 0, "per_journey": 9, "groups": {"grp_a": {"enabled": true}}}`,
			[]string{"presence: must be one of: none, pick, enter, six-digits", "lifetime: must be from 30 to 300",
				"spacing: must be from 15 to 300", "per_journey: must be from 1 to 3",
				"groups.grp_a.presence: must be one of: none, pick, enter, six-digits"}},
		{"template", KindTemplate, `{"name": "", "mode": "telepathy", "length": 7, "step": 45, "pin": "none", "pin_length": 3, "complexity": "no", "pin_attempts": 21}`,
			[]string{"name: must not be empty", "mode: must be one of: quick-log, challenge-response", "length: must be one of: 6, 8",
				"step: must be one of: 0, 30, 60", "pin_length: must be from 4 to 8", "complexity: must be one of: decimal, strong",
				"pin_attempts: must be from 1 to 20"}},
		{"templates", KindTemplates, `{"templates": [{"name": "Long", "length": 7}, {"name": "long"}, {"lenght": 8}], "platforms": {"ios": "Lang", "amiga": "Long", "linux": "Nobody's"}}`,
			[]string{"templates[2].lenght: is not known; did you mean length?"}},
		{"templates and their platforms", KindTemplates, `{"templates": [{"name": "Long", "length": 7}, {"name": "long"}, {}], "platforms": {"ios": "Lang", "amiga": "Long", "linux": "Nobody's"}}`,
			[]string{"templates[0].length: must be one of: 6, 8", "templates[1].name: is there twice", "templates[2].name: must not be empty",
				"platforms.amiga: must be one of: ios, android, windows, macos, linux, chromeos, windows-mobile",
				"platforms.ios: is not known; did you mean Long?", "platforms.linux: is not known"}},
		{"lockout", KindLockout, `{"threshold": 101, "period": 1, "passcodes": 2, "count": "nobody", "unlock_after": 299, "look_ahead": 11}`,
			[]string{"threshold: must be from 0 to 100", "period: must be from 60 to 86400", "passcodes: must be from 3 to 50",
				"count: must be one of: authenticator, user", "unlock_after: must be from 300 to 604800", "look_ahead: must be from 0 to 10"}},
		{"what is remembered", KindAccess, `{"rules": [{"name": "a", "require": ["otp"], "remember": true}, {"name": "b", "deny": true, "remember": true}]}`,
			[]string{"rules[0].remember: may be set only in a rule that asks for a password and a one-time password",
				"rules[1].remember: may be set only in a rule that asks for a password and a one-time password"}},
		{"devices", KindDevices, `{"days": 0, "idle_days": 366}`, []string{"days: must be from 1 to 365", "idle_days: must be from 1 to 365"}},
		{"limits", KindLimits, `{"activation_life": 299, "session_idle": 7200, "session_life": 3600, "mail_code_tries": 11}`,
			[]string{"mail_code_tries: must be from 1 to 10", "activation_life: must be from 300 to 3600",
				"session_idle: must not be longer than the session itself"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Decode(tt.kind, []byte(tt.data))
			if !errors.Is(err, identity.Invalid) {
				t.Fatalf("got %v, want an error of kind invalid", err)
			}
			problems, ok := errors.AsType[Problems](err)
			if !ok {
				t.Fatalf("got %v, want problems", err)
			}
			var got []string
			for _, p := range problems {
				got = append(got, p.Error())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(tt.want, "\n\t"))
			}
		})
	}
	if _, err := Decode(KindAccess, bytes.Repeat([]byte(" {"), MaxDocument)); !errors.Is(err, identity.TooLarge) {
		t.Errorf("a document too large: got %v", err)
	}
}

// A policy from before these fields existed keeps its meaning.
func TestCRED12_CRED13_AnOlderLockoutPolicy(t *testing.T) {
	got, err := Read[Lockout]([]byte(`{"threshold": 3, "period": 60, "passcodes": 5, "look_ahead": 3, "notify_user": true, "notify_operators": false}`))
	if err != nil || got.Count != CountByAuthenticator || got.UnlockAfter != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCRED20_CRED11_WhereLocksBegin(t *testing.T) {
	l := DefaultLockout()
	if l.LocksUser(5) || !l.LocksUser(6) {
		t.Error("a user must be locked by exceeding five failures, not by reaching them")
	}
	if l.LocksAuthenticator(9) || !l.LocksAuthenticator(10) {
		t.Error("an authenticator must be locked by reaching ten wrong passcodes")
	}
	if l.Threshold = 0; l.LocksUser(1000) {
		t.Error("a threshold of 0 must be off")
	}
}

// Only operators write policies, but they paste them from anywhere.
func FuzzDecode(f *testing.F) {
	for _, kind := range Kinds() {
		d, err := Decode(kind, nil)
		if err != nil {
			f.Fatal(err)
		}
		data, err := Encode(d)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(kind), data)
	}
	f.Add("access", []byte(`{"rules": [{"name": "a", "networks": ["::ffff:1.2.3.4/0"], "require": ["otp"]}]}`))
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		d, err := Decode(Kind(kind), data)
		if err != nil {
			if e, ok := errors.AsType[*identity.Error](err); !ok || e.Kind == identity.Internal {
				t.Fatalf("an error nobody classified: %v", err)
			}
			return
		}
		again, err := Encode(d)
		if err != nil {
			t.Fatalf("decoded, but cannot be encoded: %v", err)
		}
		if _, err := Decode(Kind(kind), again); err != nil {
			t.Fatalf("cannot be decoded again: %v", err)
		}
	})
}
