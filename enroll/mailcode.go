package enroll

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/mail"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// A codePurpose is what a code is mailed for. One that was mailed for another is
// wrong: its MAC is bound to the use, beside the journey it belongs to.
type codePurpose struct {
	use               string
	sent, right, fail audit.Kind
	letter            func(templates.VerificationCode) templates.Mail
}

var toEnroll = codePurpose{use: "verification code", sent: audit.EnrollCodeSent, right: audit.EnrollCodeRight, fail: audit.EnrollCodeWrong,
	letter: func(c templates.VerificationCode) templates.Mail { return c }}

// SendCode mails a verification code for a journey in the language lang, in
// place of the one before (ENR-5, ENR-6). user is nil where there is nobody to
// mail to: a decoy, or somebody who may not enrol. All then goes as it would
// for somebody, limits and waiting included, but nothing is mailed and no code
// is right.
//
// A Throttled error says that a code was sent a moment ago or that too many
// were; its key names which.
//
// Where the password was proved and no address is on file, the journey stands
// at EnrollNoMail, and an event tells the operators. Without a password the page
// must not say so, or it would tell that the user exists.
func SendCode(ctx context.Context, tx *store.Tx, j *identity.Journey, user *identity.User, rules Rules, lang string) error {
	if user != nil && mail.CheckAddress(user.Mail) != nil {
		err := tx.Event(ctx, audit.Event{Kind: audit.EnrollNoMail, User: user.ID, Application: j.Application, Journey: j.ID})
		if err != nil {
			return err
		}
		if j.Has(identity.Password) {
			j.Enroll = identity.EnrollNoMail
			return nil
		}
		user = nil
	}
	if err := toEnroll.send(ctx, tx, j, user, rules, lang); err != nil {
		return err
	}
	j.Enroll = identity.EnrollCode
	return nil
}

// send mails a code and gives it to the journey in place of the one before.
func (p codePurpose) send(ctx context.Context, tx *store.Tx, j *identity.Journey, user *identity.User, rules Rules, lang string) error {
	now := tx.Now()
	if wait := j.Code.SentAt.Add(seconds(rules.Limits.MailCodeResend)).Sub(now); !j.Code.SentAt.IsZero() && wait > 0 {
		return &identity.Error{Kind: identity.Throttled, Key: "error.code.wait", RetryAfter: wait}
	}
	if err := countCode(ctx, tx, j, rules); err != nil {
		return err
	}

	// What nobody receives must match nothing, not even by luck.
	code := rand.Text()
	if user != nil {
		n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
		if err != nil {
			return fmt.Errorf("enroll: verification code: %w", err)
		}
		code = fmt.Sprintf("%06d", n)
	}
	mac, root, err := tx.MAC(code, p.use, j.Tenant, j.ID)
	if err != nil {
		return err
	}
	life := seconds(rules.Limits.MailCodeLifetime)
	j.Code = identity.Code{MAC: mac, Root: root, SentAt: now, ExpiresAt: now.Add(life), Sends: j.Code.Sends + 1}
	extend(j, now, life)
	if user == nil {
		return nil
	}
	if err := p.mail(ctx, tx, j, *user, code, lang); err != nil {
		return err
	}
	return tx.Event(ctx, audit.Event{Kind: p.sent, User: user.ID, Application: j.Application, Journey: j.ID,
		Data: map[string]string{"send": strconv.FormatInt(j.Code.Sends, 10)}, Personal: map[string]string{"to": user.Mail}})
}

// mail queues the mail with a code. It tells from where and when the code
// was asked for, so that who did not ask can see it.
func (p codePurpose) mail(ctx context.Context, tx *store.Tx, j *identity.Journey, user identity.User, code, lang string) error {
	app, err := tx.Applications().Get(ctx, j.Tenant, j.Application)
	if err != nil {
		return err
	}
	about := p.letter(templates.VerificationCode{Name: user.Name, Application: app.Name, Code: code,
		Minutes: int(j.Code.ExpiresAt.Sub(j.Code.SentAt).Minutes()),
		Origin:  templates.Origin{IP: tx.Who().IP, Browser: j.Fingerprint, At: j.Code.SentAt}})
	return mail.Queue(ctx, tx, mail.Message{
		Tenant: j.Tenant, Mail: about, To: user.Mail, Language: lang,
		Dedupe:  fmt.Sprintf("code %s %d", j.ID, j.Code.Sends),
		Expires: j.Code.ExpiresAt, // one that could not be used any more is never sent
	})
}

// countCode counts a code against its user and its address. An unknown name is
// counted as somebody's would be, or asking too often would tell who exists:
// the name stands for the user, and one spelt in two ways is still one.
func countCode(ctx context.Context, tx *store.Tx, j *identity.Journey, rules Rules) error {
	byUser := store.ExactRate{Kind: "code by user", Max: int(rules.Limits.MailCodesPerUser), Per: time.Hour}
	byAddress := store.ExactRate{Kind: "code by address", Max: int(rules.Limits.MailCodesPerAddress), Per: time.Hour}
	if j.Has(identity.Password) {
		byAddress = store.ExactRate{Kind: "code by address, proved", Max: int(rules.Limits.MailCodesPerAddressProved), Per: time.Hour}
	}
	subject := j.UserID
	if subject == "" {
		subject = store.Hash(identity.FoldName(j.Name))
	}
	for _, count := range []struct {
		rate    store.ExactRate
		subject string
	}{{byAddress, store.Network(tx.Who().IP)}, {byUser, subject}} {
		if err := tx.AllowExact(ctx, j.Tenant, count.rate, count.subject); err != nil {
			return limited(err, "error.code.limit")
		}
	}
	return nil
}

// CheckCode looks at what was typed for the verification code. The try is
// counted on the journey before anything is compared. problem is the locale key
// of what to tell the person, and empty if the code was right; the journey then
// stands at the choice of platform.
//
// In a journey that is not waiting for a code nothing is right.
func CheckCode(ctx context.Context, tx *store.Tx, j *identity.Journey, typed string, rules Rules) (problem string, err error) {
	if j.Enroll != identity.EnrollCode {
		return "error.code.expired", nil
	}
	problem, err = toEnroll.check(ctx, tx, j, typed, rules)
	if err == nil && problem == "" {
		j.Enroll = identity.EnrollPlatform
		extend(j, tx.Now(), seconds(rules.Limits.ActivationLifetime))
	}
	return problem, err
}

// check looks at a typed code, and counts the try.
func (p codePurpose) check(ctx context.Context, tx *store.Tx, j *identity.Journey, typed string, rules Rules) (problem string, err error) {
	now := tx.Now()
	switch {
	case j.Code.MAC == nil:
		return "error.code.expired", nil
	case j.Code.Tries >= rules.Limits.MailCodeAttempts:
		return "error.code.tries", nil
	case !now.Before(j.Code.ExpiresAt):
		return "error.code.expired", nil
	}
	typed = otp.Canonical(typed)
	if typed == "" {
		return "error.code.wrong", nil
	}
	j.Code.Tries++
	right, err := tx.CheckMAC(j.Code.MAC, j.Code.Root, typed, p.use, j.Tenant, j.ID)
	if err != nil {
		return "", err
	}
	event := audit.Event{Kind: p.right, User: j.UserID, Application: j.Application, Journey: j.ID}
	switch {
	case right:
		j.Code = identity.Code{SentAt: j.Code.SentAt, Sends: j.Code.Sends, PassedAt: now}
	default:
		event.Kind, problem = p.fail, "error.code.wrong"
		if j.Code.Tries >= rules.Limits.MailCodeAttempts {
			problem = "error.code.tries"
		}
	}
	if j.UserID == "" {
		return problem, nil // a decoy leaves no rows
	}
	return problem, tx.Event(ctx, event)
}

// MaskMail returns a mail address with all but its first letter and its domain
// hidden, such as m•••@example.org. It is for pages seen after a password was
// proved (ENR-5).
func MaskMail(address string) string {
	local, domain, found := strings.Cut(address, "@")
	if !found || local == "" {
		return "•••"
	}
	return string([]rune(local)[:1]) + "•••@" + domain
}
