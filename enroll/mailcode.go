package enroll

import (
	"context"
	"crypto/rand"
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
// wrong: its MAC is bound to the use, beside the journey it belongs to. Each purpose
// counts for itself how often codes are asked for.
type codePurpose struct {
	name              string // in requests, and of what is counted
	use               string
	sent, right, fail audit.Kind
	letter            func(templates.VerificationCode) templates.Mail
	unreachable       audit.Event // what tells the operators of a user without a mail address
}

var toEnroll = codePurpose{name: "enrolment code", use: "verification code",
	sent: audit.EnrollCodeSent, right: audit.EnrollCodeRight, fail: audit.EnrollCodeWrong,
	letter:      func(c templates.VerificationCode) templates.Mail { return c },
	unreachable: audit.Event{Kind: audit.EnrollNoMail}}

// SendCode asks for a verification code for a journey, to be mailed in the language
// lang in place of the one before (ENR-5, ENR-6); a [CodeMailer] makes and mails it.
// user is nil where there is nobody to mail to: a decoy, or somebody who may not
// enrol. All then goes as it would for somebody, limits and waiting included, but
// nothing is mailed and no code is right. What this call does and costs is the same
// for every name (T-LOG-02).
//
// A Throttled error says that a code was asked for a moment ago or that too many
// were; its key names which.
//
// Where the password was proved and no address is on file, the journey stands
// at EnrollNoMail, and an event tells the operators. Without a password the page
// must not say so, or it would tell that the user exists.
func SendCode(ctx context.Context, tx *store.Tx, j *identity.Journey, user *identity.User, rules Rules, lang string) error {
	if user != nil && j.Has(identity.Password) && mail.CheckAddress(user.Mail) != nil {
		j.Enroll = identity.EnrollNoMail
		return tx.Event(ctx, audit.Event{Kind: audit.EnrollNoMail, User: user.ID, Application: j.Application, Journey: j.ID})
	}
	if err := toEnroll.request(ctx, tx, j, user, rules, lang); err != nil {
		return err
	}
	j.Enroll = identity.EnrollCode
	return nil
}

// request asks for a code for the journey in place of the one before.
func (p codePurpose) request(ctx context.Context, tx *store.Tx, j *identity.Journey, user *identity.User, rules Rules, lang string) error {
	now := tx.Now()
	if wait := j.Code.SentAt.Add(seconds(rules.Limits.MailCodeResend)).Sub(now); !j.Code.SentAt.IsZero() && wait > 0 {
		return &identity.Error{Kind: identity.Throttled, Key: "error.code.wait", RetryAfter: wait}
	}
	if err := p.count(ctx, tx, j, rules); err != nil {
		return err
	}
	life := seconds(rules.Limits.MailCodeLifetime)
	j.Code = identity.Code{SentAt: now, ExpiresAt: now.Add(life), Sends: j.Code.Sends + 1}
	extend(j, now, life)
	asked := codeRequest{Purpose: p.name, Number: j.Code.Sends, Language: lang, Application: j.Application,
		Who: tx.Who().Kind, IP: tx.Who().IP, Browser: j.Fingerprint, AskedAt: now.Unix(), ExpiresAt: j.Code.ExpiresAt.Unix()}
	if user != nil {
		asked.User = user.ID
	}
	content, err := asked.padded()
	if err != nil {
		return err
	}
	return tx.MailCodes().Request(ctx, j.Tenant, j.ID, content, j.Code.ExpiresAt)
}

// count counts a code against its user and its address. An unknown name is counted
// as somebody's would be, or asking too often would tell who exists: the name stands
// for the user, and one spelt in two ways is still one.
//
// Whoever knows no more than a name cannot use up what is its owner's: codes asked for
// after the password was proved, and codes asked for in a browser in which the user has
// signed in before, have counts of their own, those in a browser one for each.
func (p codePurpose) count(ctx context.Context, tx *store.Tx, j *identity.Journey, rules Rules) error {
	subject, by, perAddress := j.UserID, "", rules.Limits.MailCodesPerAddress
	if subject == "" {
		subject = store.Hash(identity.FoldName(j.Name))
	}
	switch {
	case j.Has(identity.Password):
		by, perAddress = ", proved", rules.Limits.MailCodesPerAddressProved
	case j.KnownBrowser:
		by, subject = ", known browser", subject+" "+j.Browser
	}
	for _, count := range []struct {
		rate    store.ExactRate
		subject string
	}{
		{store.ExactRate{Kind: p.name + " by address" + by, Max: int(perAddress), Per: time.Hour}, store.Network(tx.Who().IP)},
		{store.ExactRate{Kind: p.name + " by user" + by, Max: int(rules.Limits.MailCodesPerUser), Per: time.Hour}, subject},
	} {
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
// In a journey that is not waiting for a code nothing is right. Before the code that
// was asked for is made, everything typed is wrong and counted, as the code before it
// is: whether it was made yet must not show.
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

// check looks at a typed code, and counts the try. A wrong one leaves an event
// whoever's name it is, as a wrong password does, so that it costs the same.
func (p codePurpose) check(ctx context.Context, tx *store.Tx, j *identity.Journey, typed string, rules Rules) (problem string, err error) {
	now := tx.Now()
	switch {
	case j.Code.ExpiresAt.IsZero():
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
	right, err := p.matches(ctx, tx, j, typed)
	if err != nil {
		return "", err
	}
	event := audit.Event{Kind: p.right, User: j.UserID, Application: j.Application, Journey: j.ID}
	if right {
		j.Code = identity.Code{SentAt: j.Code.SentAt, Sends: j.Code.Sends, PassedAt: now}
		return "", tx.Event(ctx, event)
	}
	event.Kind, problem = p.fail, "error.code.wrong"
	event.Personal = map[string]string{"name": j.Name, "browser": j.Fingerprint}
	if j.UserID == "" {
		event.Reason = "no such user"
	}
	if j.Code.Tries >= rules.Limits.MailCodeAttempts {
		problem = "error.code.tries"
	}
	return problem, tx.Event(ctx, event)
}

// matches compares a typed code with the newest of the journey. Where that was not
// made yet it is compared with one that was sent to nobody.
func (p codePurpose) matches(ctx context.Context, tx *store.Tx, j *identity.Journey, typed string) (bool, error) {
	newest, err := tx.MailCodes().Get(ctx, j.Tenant, j.ID)
	if err != nil {
		return false, err
	}
	if newest.Number != j.Code.Sends {
		if newest.MAC, newest.Root, err = tx.MAC(rand.Text(), p.use, j.Tenant, j.ID); err != nil {
			return false, err
		}
	}
	return tx.CheckMAC(newest.MAC, newest.Root, typed, p.use, j.Tenant, j.ID)
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
