package enroll

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strconv"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/mail"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// A codeRequest is what a journey asks for: a code, to be mailed. A request for
// nobody's name has no user, and is otherwise the same.
type codeRequest struct {
	Purpose     string                 `json:"purpose"` // name of a codePurpose
	Number      int64                  `json:"number"`  // which of the codes that the journey asked for
	User        string                 `json:"user"`    // id; empty where there is nobody to mail to
	Language    string                 `json:"language"`
	Application string                 `json:"application"` // id
	Who         identity.PrincipalKind `json:"who"`
	IP          string                 `json:"ip"`
	Browser     string                 `json:"browser"`  // as it describes itself
	AskedAt     int64                  `json:"asked_at"` // unix seconds
	ExpiresAt   int64                  `json:"expires_at"`
}

// codeRequestSize is the size in bytes that every request is padded to, so that its
// row is as large for nobody's name as for anybody's.
const codeRequestSize = 1024

// padded is the request as JSON, followed by spaces.
func (r codeRequest) padded() ([]byte, error) {
	text, err := json.Marshal(r)
	if err == nil && len(text) > codeRequestSize { // a client that describes itself at length
		r.Browser = ""
		text, err = json.Marshal(r)
	}
	if err != nil {
		return nil, fmt.Errorf("enroll: request of a code: %w", err)
	}
	if len(text) > codeRequestSize {
		return nil, fmt.Errorf("enroll: request of a code: %d bytes", len(text))
	}
	return append(text, bytes.Repeat([]byte(" "), codeRequestSize-len(text))...), nil
}

func (r codeRequest) purpose() (codePurpose, error) {
	for _, p := range []codePurpose{toEnroll, toReset} {
		if p.name == r.Purpose {
			return p, nil
		}
	}
	return codePurpose{}, fmt.Errorf("enroll: request of a code: unknown purpose %q", r.Purpose)
}

// A CodeMailer makes the codes that journeys ask for and queues their mails. What
// there is to do for a user and not for nobody's name is done here and not in the
// request, so that how long an answer takes does not tell the two apart (T-LOG-02).
// Each request is answered in one transaction: it is deleted, the code is stored, and
// the mail is queued with its event. A crash leaves it as it was, and of several nodes
// one answers it.
type CodeMailer struct {
	DB  *store.DB
	Log *slog.Logger
}

const (
	codeBatch = 50
	slowPoll  = 2 * time.Second // beside the notifications
	leastWait = 50 * time.Millisecond
	mostWait  = 150 * time.Millisecond
)

// Run answers requests until ctx ends. What fails is logged and tried again.
//
// It is woken by each request and answers it a moment later, of random length: what it
// does for a user alone must not slow down the page that the same browser opens next,
// or any other at a time that could be told (T-LOG-02).
func (m *CodeMailer) Run(ctx context.Context) {
	notified, stop := m.DB.Subscribe(store.CodeRequestTopic)
	defer stop()
	for ctx.Err() == nil {
		answered, err := m.Flush(ctx)
		if err != nil && ctx.Err() == nil {
			m.Log.ErrorContext(ctx, "mailed codes", "err", err)
		}
		if answered == codeBatch {
			continue // there may be more
		}
		select {
		case <-ctx.Done():
		case <-notified:
		case <-time.After(slowPoll):
		}
		select {
		case <-ctx.Done():
		case <-time.After(randomWait()):
		}
	}
}

// randomWait is a time between leastWait and mostWait.
func randomWait() time.Duration {
	n, err := rand.Int(rand.Reader, big.NewInt(int64(mostWait-leastWait)))
	if err != nil { // the reader of crypto/rand returns none
		return mostWait
	}
	return leastWait + time.Duration(n.Int64())
}

// Flush answers the requests that wait, up to a batch, and returns how many were
// answered, by this node or by another at the same time.
func (m *CodeMailer) Flush(ctx context.Context) (answered int, err error) {
	waiting, err := store.Collect(m.DB.MailCodes().Requests(ctx, codeBatch))
	if err != nil {
		return 0, err
	}
	for _, r := range waiting {
		if failed := m.answer(ctx, r); failed != nil {
			err = errors.Join(err, fmt.Errorf("enroll: code of %s: %w", r.Journey, failed))
			continue
		}
		answered++
	}
	return answered, err
}

// answer answers one request, unless another node has, or the journey asked again.
func (m *CodeMailer) answer(ctx context.Context, r store.CodeRequest) error {
	content, err := m.DB.MailCodes().Content(ctx, r)
	if err != nil {
		return err
	}
	var asked codeRequest
	if err := json.Unmarshal(content, &asked); err != nil {
		return err
	}
	p, err := asked.purpose()
	if err != nil {
		return err
	}
	who := identity.Principal{Tenant: r.Tenant, Kind: asked.Who, IP: asked.IP}
	return m.DB.InTx(ctx, who, func(tx *store.Tx) error {
		taken, err := tx.MailCodes().Take(ctx, r)
		if err != nil || !taken || !tx.Now().Before(r.ExpiresAt) {
			return err
		}
		return p.send(ctx, tx, r, asked)
	})
}

// send makes the code that was asked for, and mails it if there is somebody to mail
// it to.
func (p codePurpose) send(ctx context.Context, tx *store.Tx, r store.CodeRequest, asked codeRequest) error {
	user, err := p.recipient(ctx, tx, r, asked)
	if err != nil {
		return err
	}
	code := rand.Text() // what nobody receives must match nothing, not even by luck
	if user != nil {
		n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
		if err != nil {
			return fmt.Errorf("enroll: code: %w", err)
		}
		code = fmt.Sprintf("%06d", n)
	}
	made := store.MailedCode{Number: asked.Number, ExpiresAt: r.ExpiresAt}
	if made.MAC, made.Root, err = tx.MAC(code, p.use, r.Tenant, r.Journey); err != nil {
		return err
	}
	if err := tx.MailCodes().Set(ctx, r.Tenant, r.Journey, made); err != nil || user == nil {
		return err
	}
	if err := p.mail(ctx, tx, r, asked, *user, code); err != nil {
		return err
	}
	return tx.Event(ctx, audit.Event{Kind: p.sent, User: user.ID, Application: asked.Application, Journey: r.Journey,
		Data: map[string]string{"send": strconv.FormatInt(asked.Number, 10)}, Personal: map[string]string{"to": user.Mail}})
}

// recipient returns whom a code is mailed to, as of now; nil if nobody. An event
// tells the operators of a user without a mail address.
func (p codePurpose) recipient(ctx context.Context, tx *store.Tx, r store.CodeRequest, asked codeRequest) (*identity.User, error) {
	if asked.User == "" {
		return nil, nil
	}
	user, err := tx.Users().Get(ctx, r.Tenant, asked.User)
	if err != nil || !user.Enabled() {
		return nil, err
	}
	if mail.CheckAddress(user.Mail) != nil {
		event := p.unreachable
		event.User, event.Application, event.Journey = user.ID, asked.Application, r.Journey
		return nil, tx.Event(ctx, event)
	}
	return &user, nil
}

// mail queues the mail with a code. It tells from where and when the code
// was asked for, so that who did not ask can see it.
func (p codePurpose) mail(ctx context.Context, tx *store.Tx, r store.CodeRequest, asked codeRequest, user identity.User, code string) error {
	app, err := tx.Applications().Get(ctx, r.Tenant, asked.Application)
	if err != nil {
		return err
	}
	at, expires := time.Unix(asked.AskedAt, 0).UTC(), time.Unix(asked.ExpiresAt, 0).UTC()
	about := p.letter(templates.VerificationCode{Name: user.Name, Application: app.Name, Code: code,
		Minutes: int(expires.Sub(at).Minutes()), Origin: templates.Origin{IP: asked.IP, Browser: asked.Browser, At: at}})
	return mail.Queue(ctx, tx, mail.Message{
		Tenant: r.Tenant, Mail: about, To: user.Mail, Language: asked.Language,
		Dedupe:  fmt.Sprintf("code %s %d", r.Journey, asked.Number),
		Expires: expires, // one that could not be used any more is never sent
	})
}
