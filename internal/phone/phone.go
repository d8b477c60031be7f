package phone

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
)

// Version is the version that every request declares.
const Version = "latchkey-phone/1.2.0"

// capabilities are the capabilities that every request declares.
var capabilities = []string{"presence:none", "presence:pick", "presence:enter", "presence:six-digits", "pin:app", "pin:server", "challenge", "counter"}

// A Phone is an authenticator app whose accounts are stored in a folder.
type Phone struct {
	Dir  string           // created when first needed
	HTTP *http.Client     // nil means a default one
	Now  func() time.Time // the phone's clock; nil means time.Now

	// PIN asks the user for a PIN of an account; nil if nobody can be asked.
	PIN func(PINQuestion, Account) (string, error)
	// Number asks the user for the number of a request with a presence check; nil if nobody can be
	// asked.
	Number func(Request) (string, error)

	// Version and Capabilities replace what this app declares, to see how a server treats another app,
	// such as an older one. Empty means the real values.
	Version      string
	Capabilities []string
}

// now returns the time that passcodes are made from. It is never corrected.
func (p *Phone) now() time.Time {
	if p.Now == nil {
		return time.Now()
	}
	return p.Now()
}

// An Account is one authenticator on this phone.
type Account struct {
	ID           string `json:"id"`
	Base         string `json:"base"`
	Tenant       string `json:"tenant"`
	Organisation string `json:"organisation"`
	User         string `json:"user"`
	Serial       string `json:"serial"`
	Name         string `json:"name"`
	State        string `json:"state"`
	Push         Push   `json:"push"`
	Problem      string `json:"problem,omitempty"` // why State and Push are the last known ones
}

// Push is the state of push for an account.
type Push struct {
	State   string `json:"state"`
	Allowed bool   `json:"allowed"`
	Until   int64  `json:"until,omitempty"` // while temporarily locked
}

// A Request is a push request that waits for an answer (PUSH-12).
type Request struct {
	ID           string `json:"id"`
	Account      string `json:"account"`
	Application  string `json:"application"`
	Organisation string `json:"organisation"`
	User         string `json:"user"` // as typed
	Started      int64  `json:"started"`
	Address      string `json:"address,omitempty"`
	Place        string `json:"place,omitempty"`
	Browser      string `json:"browser,omitempty"` // and its system, as it calls itself
	Expires      int64  `json:"expires"`
	Digits       int    `json:"digits"` // of the number to enter or pick; 0 without a presence check

	Options []string `json:"options,omitempty"` // to pick from, in this order; empty if the number is entered
	Unknown bool     `json:"unknown,omitempty"` // has a presence check that this version does not know

	nonce          string
	changePassword string
}

// An Outcome is how a request ended.
type Outcome struct {
	Request string `json:"request"`
	Outcome string `json:"outcome"`
	// ChangePassword is the address at which to change the password after *it wasn't me*; empty
	// otherwise, and for a user who has none.
	ChangePassword string `json:"change_password,omitempty"`
}

// An Activation is what a user needs to create an account, and what the user chooses.
type Activation struct {
	Link string // content of the QR code; or
	Base string // the server's address, and
	Code string // the short code

	Name string // of the device
	Push bool   // logins may be approved here, if that is allowed
}

// Activate creates an account: it sends the public key, receives the seed, and finishes.
//
// The key is saved before it is sent, and the seed before finishing. If an answer is lost, activating
// again with the same link or code continues, and the server gives the same answers.
func (p *Phone) Activate(ctx context.Context, a Activation) (Account, error) {
	code, err := a.code()
	if err != nil {
		return Account{}, err
	}
	s, err := p.load()
	if err != nil {
		return Account{}, err
	}
	i := slices.IndexFunc(s.Accounts, func(k storedAccount) bool { return k.Begun == code })
	if i < 0 {
		key, err := newKey()
		if err != nil {
			return Account{}, err
		}
		s.Accounts = append(s.Accounts, storedAccount{Account: Account{Base: code.Base}, Begun: code, Key: key})
		i = len(s.Accounts) - 1
		if err := p.save(s); err != nil {
			return Account{}, err
		}
	}
	k := &s.Accounts[i]
	if k.ID == "" {
		err := p.register(ctx, s, k, a.Name)
		if refusal, refused := errors.AsType[*Refusal](err); refused && refusal.Status == http.StatusNotFound && refusal.Code == "unreadable" {
			// There is no API here: the web authenticator may have a separate address.
			if k.Base, err = p.authenticatorBase(ctx, code.Base); err == nil {
				err = p.register(ctx, s, k, a.Name)
			}
		}
		if err != nil {
			return Account{}, p.abandon(s, i, err)
		}
		if err := p.save(s); err != nil {
			return Account{}, err
		}
	}
	if err := p.choosePIN(ctx, s, k); err != nil {
		return Account{}, p.abandon(s, i, err)
	}
	if err := p.callStatus(ctx, s, k, "finish", finishBody{a.Push && k.Push.Allowed, a.Name}); err != nil {
		return Account{}, p.abandon(s, i, err)
	}
	k.Begun = activationCode{}
	return k.Account, p.save(s)
}

// register registers the account's key as that of a pending authenticator, and stores the server's
// answer.
func (p *Phone) register(ctx context.Context, s *state, k *storedAccount, name string) error {
	var answer struct {
		Authenticator, Tenant, Organisation, User, Serial, State string

		Mode      string
		Template  struct{ PIN string }
		Seed      string
		Algorithm otp.Algorithm
		Digits    int
		Period    int64
		Push      Push
	}
	body := activateBody{k.Begun.Secret, k.Begun.Short, name, platform()}
	if err := p.call(ctx, s, k, "activate", body, &answer); err != nil {
		return err
	}
	if answer.Mode != "quick" && answer.Mode != challengeMode || !slices.Contains([]string{"none", "user", "server"}, answer.Template.PIN) {
		return tooOld("a token template this version does not know")
	}
	made := *k
	made.Account = Account{ID: answer.Authenticator, Base: k.Base, Tenant: answer.Tenant, Organisation: answer.Organisation,
		User: answer.User, Serial: answer.Serial, State: answer.State, Push: answer.Push}
	made.Guarded, made.ServerPIN = answer.Template.PIN == "user", answer.Template.PIN == "server"
	made.Mode, made.Seed, made.Algorithm, made.Digits, made.Period = answer.Mode, answer.Seed, answer.Algorithm, answer.Digits, answer.Period
	if seed, err := parseSeed(made.Seed); err != nil {
		return err
	} else if otp.HOTP(seed, made.params(), 0) == "" {
		return tooOld("a kind of passcode this version does not know")
	}
	*k = made
	return nil
}

type activateBody struct {
	Secret    string            `json:"secret,omitempty"`
	ShortCode string            `json:"short_code,omitempty"`
	Name      string            `json:"name,omitempty"`
	Platform  identity.Platform `json:"platform,omitempty"`
}

type finishBody struct {
	Push bool   `json:"push"`
	Name string `json:"name,omitempty"`
}

// abandon deletes the key of an activation that the server refused permanently. It keeps the key if
// another attempt may succeed.
func (p *Phone) abandon(s *state, i int, err error) error {
	refusal, refused := errors.AsType[*Refusal](err)
	if refused && slices.Contains([]string{"activation", "voided", "unknown"}, refusal.Code) {
		s.Accounts = slices.Delete(s.Accounts, i, i+1)
		return cmp.Or(p.save(s), err)
	}
	return err
}

// callStatus sends a request that is answered with the account's status, and stores the status.
func (p *Phone) callStatus(ctx context.Context, s *state, k *storedAccount, call string, body any) error {
	var status Account
	if err := p.call(ctx, s, k, call, body, &status); err != nil {
		return err
	}
	k.Organisation, k.User, k.Name, k.State, k.Push = status.Organisation, status.User, status.Name, status.State, status.Push
	return nil
}

// List returns the accounts with the status that their servers report. If a server does not answer, the
// account has its last known status and the problem.
func (p *Phone) List(ctx context.Context) ([]Account, error) {
	s, err := p.load()
	if err != nil {
		return nil, err
	}
	list := []Account{}
	for k := range s.finished() {
		problem := ""
		if err := p.callStatus(ctx, s, k, "status", nil); err != nil {
			problem = err.Error()
		}
		list = append(list, k.Account)
		list[len(list)-1].Problem = problem
	}
	return list, p.save(s)
}

type settingsBody struct {
	Push bool `json:"push"`
}

// SetPush switches push on or off for an account.
func (p *Phone) SetPush(ctx context.Context, name string, on bool) (Account, error) {
	return p.change(ctx, name, "settings", settingsBody{on})
}

// Remove removes an account: its authenticator is revoked, and its key and seed are deleted here,
// whatever the server answers.
func (p *Phone) Remove(ctx context.Context, name string) (Account, error) {
	account, failed := p.change(ctx, name, "remove", struct{}{})
	s, err := p.load()
	if err != nil {
		return account, err
	}
	k, err := s.find(name)
	if err != nil {
		return account, err
	}
	account = k.Account
	s.Accounts = slices.DeleteFunc(s.Accounts, func(other storedAccount) bool { return other.ID == account.ID })
	return account, cmp.Or(p.save(s), failed)
}

func (p *Phone) change(ctx context.Context, name, call string, body any) (Account, error) {
	s, err := p.load()
	if err != nil {
		return Account{}, err
	}
	k, err := s.find(name)
	if err != nil {
		return Account{}, err
	}
	if err := p.callStatus(ctx, s, k, call, body); err != nil {
		return k.Account, err
	}
	return k.Account, p.save(s)
}

// Pending returns the waiting requests, at most one for each user. A server that cannot be reached is an
// error only if there is no request at another one.
func (p *Phone) Pending(ctx context.Context) ([]Request, error) {
	s, err := p.load()
	if err != nil {
		return nil, err
	}
	var problems []error
	waiting := []Request{}
	for k := range s.finished() {
		if k.State == string(identity.Revoked) || k.State == string(identity.Inactive) {
			continue // it gets no requests
		}
		request, err := p.pending(ctx, s, k)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s at %s: %w", k.User, k.Base, err))
		} else if request != nil {
			waiting = append(waiting, *request)
		}
	}
	if len(waiting) > 0 {
		return waiting, nil
	}
	return waiting, errors.Join(problems...)
}

func (p *Phone) pending(ctx context.Context, s *state, k *storedAccount) (*Request, error) {
	var answer struct {
		Request *struct {
			ID, Nonce, Application, Organisation, User, Address, Place, Browser string
			Started, Expires                                                    int64
			ChangePassword                                                      string `json:"change_password"`
			Presence                                                            *struct {
				Type, Executor string
				Challenge      struct {
					Type    string
					Digits  int
					Options []string
				}
			}
		}
	}
	if err := p.call(ctx, s, k, "pending", nil, &answer); err != nil || answer.Request == nil {
		return nil, err
	}
	r := answer.Request
	request := &Request{ID: r.ID, Account: k.ID, Application: r.Application, Organisation: r.Organisation, User: r.User,
		Started: r.Started, Address: r.Address, Place: r.Place, Browser: r.Browser, Expires: r.Expires, nonce: r.Nonce, changePassword: r.ChangePassword}
	if presence := r.Presence; presence != nil {
		c := presence.Challenge
		request.Digits, request.Options = c.Digits, c.Options
		request.Unknown = presence.Type != "USER_PRESENCE" || presence.Executor != "PHONE" ||
			c.Type != "SUBMIT_CODE" || c.Digits < 1 || c.Options != nil && len(c.Options) < 2 ||
			slices.ContainsFunc(c.Options, func(option string) bool { return !digits(option, c.Digits) })
	}
	return request, nil
}

// Approve approves a request, with the number on its login page if it has a presence check. It makes the
// passcode of the approval.
func (p *Phone) Approve(ctx context.Context, request, number string) (Outcome, error) {
	return p.answer(ctx, request, "approve", number)
}

// Deny denies a request. With mistake, nothing else happens. Without it, the request is reported as
// somebody else's (PUSH-14).
func (p *Phone) Deny(ctx context.Context, request string, mistake bool) (Outcome, error) {
	if mistake {
		return p.answer(ctx, request, "deny-mistake", "")
	}
	return p.answer(ctx, request, "deny-not-me", "")
}

type answerBody struct {
	Request  string `json:"request"`
	Nonce    string `json:"nonce"`
	Decision string `json:"decision"`
	Number   string `json:"number,omitempty"`
	Passcode string `json:"passcode,omitempty"`
	PIN      string `json:"pin,omitempty"`
}

func (p *Phone) answer(ctx context.Context, id, decision, number string) (Outcome, error) {
	s, err := p.load()
	if err != nil {
		return Outcome{}, err
	}
	var problems []error
	for k := range s.finished() {
		request, err := p.pending(ctx, s, k)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s at %s: %w", k.User, k.Base, err))
		}
		if request == nil || request.ID != id {
			continue // it may be another account's
		}
		body := answerBody{Request: id, Nonce: request.nonce, Decision: decision, Number: number}
		if decision == "approve" {
			if body.Number, err = p.number(*request, number); err != nil {
				return Outcome{}, err
			}
			if k.ServerPIN {
				if body.PIN, err = p.askPIN(PresentPIN, k); err != nil {
					return Outcome{}, err
				}
			}
			if body.Passcode, err = p.approvalCode(ctx, s, k, request); err != nil {
				return Outcome{}, err
			}
		}
		outcome := Outcome{Request: id}
		err = p.call(ctx, s, k, "answer", body, &outcome)
		if errors.Is(err, identity.Unavailable) && ctx.Err() == nil {
			// The answer or its reply was lost. Repeating it tells, because a request that has ended
			// returns its outcome.
			err = p.call(ctx, s, k, "answer", body, &outcome)
		}
		if refusal, ok := errors.AsType[*Refusal](err); ok && refusal.Code == "ended" && refusal.Outcome != "" {
			outcome.Outcome, err = refusal.Outcome, nil
		}
		if outcome.Outcome == "denied-not-me" {
			outcome.ChangePassword = request.changePassword
		}
		return outcome, err
	}
	if err := errors.Join(problems...); err != nil {
		return Outcome{}, err
	}
	return Outcome{}, &identity.Error{Kind: identity.NotFound, Key: "phone.request.none", Err: fmt.Errorf("no request %s waits", id)}
}

// number returns the number to send with an approval: the given one, or one that the user is asked for.
// A number that cannot be right is not sent, because a wrong one ends the request (PUSH-17).
func (p *Phone) number(r Request, given string) (number string, err error) {
	refuse := func(format string, args ...any) (string, error) {
		return "", &identity.Error{Kind: identity.Invalid, Key: "phone.number", Err: fmt.Errorf(format, args...)}
	}
	if r.Unknown {
		return "", tooOld("a presence check this version does not know")
	}
	if number = given; number == "" && r.Digits > 0 && p.Number != nil {
		if number, err = p.Number(r); err != nil {
			return "", err
		}
	}
	switch {
	case r.Digits == 0 && number != "":
		return refuse("no number is asked for")
	case r.Options != nil && !slices.Contains(r.Options, number):
		return refuse("pick the number the login page shows, one of %s", strings.Join(r.Options, ", "))
	case r.Digits > 0 && !digits(number, r.Digits):
		return refuse("the number has %d digits", r.Digits)
	}
	return number, nil
}

// digits reports whether a text is a number of n digits.
func digits(text string, n int) bool {
	return len(text) == n && strings.Trim(text, "0123456789") == ""
}

func tooOld(what string) error {
	return &identity.Error{Kind: identity.Conflict, Key: "phone.old", Err: fmt.Errorf("%s asked for: update this app", what)}
}
