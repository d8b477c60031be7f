package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
)

type enrollmentAllow struct {
	User string `arg:"" help:"The user's name."`
}

func (enrollmentAllow) Help() string {
	return `Who had an authenticator before and has none now enrols alone only with an operator's leave. The next enrolment uses it up.

Example:

    latchkey enrollment allow anna`
}

// Run gives leave to enrol once more.
func (c *enrollmentAllow) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		u, err := ts.user(ctx, c.User)
		if err != nil {
			return err
		}
		if err := ts.directory().AllowEnrollment(ctx, ts.who, ts.tenant.ID, u.Name); err != nil {
			return err
		}
		if u, err = ts.db.Users().Get(ctx, ts.tenant.ID, u.ID); err != nil {
			return err
		}
		return s.print(rowOfUser(u, ts.db.Now()), "User %s may enrol once more.", u.Name)
	})
}

// An invitationLife is how long a link works, as an operator types it: hours or days.
type invitationLife time.Duration

// UnmarshalText reads "36h" or "7d".
func (v *invitationLife) UnmarshalText(text []byte) error {
	number, unit := strings.TrimRight(string(text), "hd"), time.Hour
	if strings.HasSuffix(string(text), "d") {
		unit = 24 * time.Hour
	}
	var n int64
	if _, err := fmt.Sscanf(number, "%d", &n); err != nil || fmt.Sprint(n) != number || len(text) != len(number)+1 {
		return fmt.Errorf("%q is neither hours, such as 36h, nor days, such as 7d", text)
	}
	life := time.Duration(min(max(n, 0), 1000)) * unit
	if life < admin.ShortestInvitation || life > admin.LongestInvitation {
		return fmt.Errorf("a link works for 1h at least and %dd at most", admin.LongestInvitation/(24*time.Hour))
	}
	*v = invitationLife(life)
	return nil
}

type enrollmentInvite struct {
	Users  []string       `arg:"" optional:"" name:"user" help:"Whom to send a link."`
	Group  string         `placeholder:"GROUP" help:"All members of a group."`
	CSV    string         `name:"csv" placeholder:"FILE" help:"All users in the column name of a CSV file; - is standard input."`
	Valid  invitationLife `placeholder:"TIME" default:"7d" help:"How long the link works, in hours or days, from 1h to 30d (default 7d)."`
	DryRun bool           `help:"Send nothing; say who would get a link, and who not and why."`
}

func (enrollmentInvite) Help() string {
	return `The link in the mail leads through setting up a first authenticator, without a login. It is for whoever may not enrol alone, works once, and for one user. Somebody who was sent a link that still works is left out; "enrollment resend" sends another. If a name is nobody's, nothing is sent.

Example:

    latchkey enrollment invite --group Nurses --valid 14d --dry-run`
}

// An inviteRow is what became of one user.
type inviteRow struct {
	User    string    `json:"user"`
	ID      string    `json:"invitation,omitempty"`
	To      string    `json:"to,omitempty"`
	Invited bool      `json:"invited"` // or would be, in a dry run
	Why     string    `json:"why,omitempty"`
	Until   time.Time `json:"until,omitzero"`
}

func rowOfInvite(result admin.InvitationResult) inviteRow {
	row := inviteRow{User: result.User.Name, Why: string(result.Ineligible)}
	switch {
	case result.Invited:
		row.Invited, row.ID, row.To, row.Until = true, result.Invitation.ID, result.User.Mail, result.Invitation.ExpiresAt
	case !result.WorkingUntil.IsZero():
		row.Why = "has a link that works until " + formatTime(result.WorkingUntil)
	}
	return row
}

func (r inviteRow) cells() []string {
	if r.Invited {
		return []string{r.User, "yes", "to " + r.To + ", until " + formatTime(r.Until)}
	}
	return []string{r.User, "no", r.Why}
}

// Run sends links to users, each in a transaction of its own: should it be
// interrupted, those who have one are left out when it is run again.
func (c *enrollmentInvite) Run(ctx context.Context, s *shell) error {
	users, err := c.named(s)
	if err != nil {
		return err
	}
	return s.inTenant(ctx, func(ts tenantScope) error {
		people, err := ts.usersByName(ctx, users, c.Group)
		if err != nil {
			return err
		}
		return s.invite(ctx, ts, people, admin.InvitationRequest{Life: time.Duration(c.Valid), DryRun: c.DryRun})
	})
}

// named returns the names given as arguments, or those of a file.
func (c *enrollmentInvite) named(s *shell) ([]string, error) {
	ways := 0
	for _, given := range []bool{len(c.Users) > 0, c.Group != "", c.CSV != ""} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return nil, usageErrorf("say whom to invite: by names, by --group, or by --csv")
	}
	if c.CSV == "" {
		return c.Users, nil
	}
	data, err := s.readFile(c.CSV, maxNames+1)
	if err != nil {
		return nil, err
	}
	if len(data) > maxNames {
		return nil, fmt.Errorf("the file is larger than %d MiB", maxNames>>20)
	}
	return admin.ReadNames(data)
}

// maxNames is the most bytes of a file of names.
const maxNames = 16 << 20

// usersByName returns the users of these names, or the members of a group. Its error
// has all the names that no user has.
func (ts tenantScope) usersByName(ctx context.Context, names []string, group string) ([]identity.User, error) {
	if group != "" {
		g, err := ts.group(ctx, group)
		if err != nil {
			return nil, err
		}
		return store.Collect(ts.db.Groups().Members(ctx, ts.tenant.ID, g.ID))
	}
	var people []identity.User
	var nobodies []error
	seen := make(map[string]bool)
	for _, name := range names {
		u, err := ts.db.Users().ByName(ctx, ts.tenant.ID, name)
		switch {
		case errors.Is(err, identity.NotFound):
			_, err = ts.user(ctx, name)
			nobodies = append(nobodies, err)
		case err != nil:
			return nil, err
		case !seen[u.ID]:
			seen[u.ID] = true
			people = append(people, u)
		}
	}
	return people, errors.Join(nobodies...)
}

// base is the address under which the server's pages are.
func (s *shell) base() (string, error) {
	c, err := s.config()
	return strings.TrimSuffix(c.BaseURL, "/"), err
}

// invite sends users a link and lists what became of each.
func (s *shell) invite(ctx context.Context, ts tenantScope, users []identity.User, r admin.InvitationRequest) error {
	base, err := s.base()
	if err != nil {
		return err
	}
	r.Base = base + "/t/" + ts.tenant.Slug
	results, err := admin.InviteEach(ctx, ts.db, ts.who, users, r)
	if err != nil {
		return fmt.Errorf("%w; %d before are done", err, len(results))
	}
	rows := make([]inviteRow, 0, len(results))
	for _, result := range results {
		rows = append(rows, rowOfInvite(result))
	}
	return list(s, rows, []string{"USER", "MAIL", "NOTE"}, inviteRow.cells)
}

type enrollmentResend struct {
	Users []string       `arg:"" name:"user" help:"Whom to send another link."`
	Valid invitationLife `placeholder:"TIME" default:"7d" help:"How long the link works, in hours or days, from 1h to 30d (default 7d)."`
}

func (enrollmentResend) Help() string {
	return `The links sent before stop working. Only the newest is ever good.

Example:

    latchkey enrollment resend anna`
}

// Run sends users another link.
func (c *enrollmentResend) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		people, err := ts.usersByName(ctx, c.Users, "")
		if err != nil {
			return err
		}
		return s.invite(ctx, ts, people, admin.InvitationRequest{Life: time.Duration(c.Valid), Again: true})
	})
}

type invitationRow struct {
	ID      string    `json:"invitation"`
	User    string    `json:"user"`
	State   string    `json:"state"`
	To      string    `json:"to,omitempty"`
	Mail    string    `json:"mail"` // waiting, sent or failed
	SentAt  time.Time `json:"sent_at,omitzero"`
	AddedAt time.Time `json:"created_at"`
	Until   time.Time `json:"until"`
	EndedAt time.Time `json:"ended_at,omitzero"` // used, revoked or replaced
}

func rowOfInvitation(i store.SentInvitation, now time.Time) invitationRow {
	row := invitationRow{ID: i.ID, User: i.Name, State: string(i.State(now)), To: i.To, Mail: "waiting", SentAt: i.MailedAt,
		AddedAt: i.CreatedAt, Until: i.ExpiresAt}
	switch {
	case !i.MailedAt.IsZero():
		row.Mail = "sent"
	case !i.FailedAt.IsZero():
		row.Mail = "failed"
	}
	for _, ended := range []time.Time{i.UsedAt, i.RevokedAt, i.ReplacedAt} {
		if row.EndedAt.IsZero() {
			row.EndedAt = ended
		}
	}
	return row
}

type enrollmentList struct {
	User  string                `placeholder:"USER" help:"Only what one user was sent."`
	State store.InvitationState `placeholder:"STATE" help:"Only those that are open, used, expired, revoked or replaced."`
}

func (enrollmentList) Help() string {
	return `Newest first. The mail is "waiting" until a server has handed it on, and "failed" where it was refused for good or its link ended first.

Example:

    latchkey enrollment list --state open`
}

// Run lists who was sent a link, and what became of it.
func (c *enrollmentList) Run(ctx context.Context, s *shell) error {
	if c.State != "" && !slices.Contains(store.InvitationStates, c.State) {
		return usageErrorf("--state is open, used, expired, revoked or replaced, not %q", c.State)
	}
	return s.inTenant(ctx, func(ts tenantScope) error {
		user := ""
		if c.User != "" {
			u, err := ts.user(ctx, c.User)
			if err != nil {
				return err
			}
			user = u.ID
		}
		var rows []invitationRow
		for i, err := range ts.db.Invitations().List(ctx, ts.tenant.ID, user) {
			if err != nil {
				return err
			}
			if row := rowOfInvitation(i, ts.db.Now()); c.State == "" || row.State == string(c.State) {
				rows = append(rows, row)
			}
		}
		return list(s, rows, []string{"USER", "TO", "INVITED", "MAIL", "UNTIL", "STATE", "SINCE"}, func(r invitationRow) []string {
			return []string{r.User, r.To, formatTime(r.AddedAt), r.Mail, formatTime(r.Until), r.State, formatTime(r.EndedAt)}
		})
	})
}

type enrollmentRevoke struct {
	Users []string `arg:"" name:"user" help:"Whose link shall stop working."`
}

func (enrollmentRevoke) Help() string {
	return `What was begun with the link, and is not ready, ends too. An authenticator that is ready stays; "authenticator revoke" ends one.

Example:

    latchkey enrollment revoke anna`
}

// Run ends users' links.
func (c *enrollmentRevoke) Run(ctx context.Context, s *shell) error {
	return s.inTenant(ctx, func(ts tenantScope) error {
		people, err := ts.usersByName(ctx, c.Users, "")
		if err != nil {
			return err
		}
		rows := []invitationRow{}
		for _, u := range people {
			var ended store.Invitation
			err := ts.db.InTx(ctx, ts.who, func(tx *store.Tx) (err error) {
				ended, err = admin.RevokeOpenInvitation(ctx, tx, u)
				return err
			})
			if errors.Is(err, identity.NotFound) {
				return fmt.Errorf("user %s has no link that could still be used", u.Name)
			}
			if err != nil {
				return err
			}
			row := rowOfInvitation(store.SentInvitation{Invitation: ended, Name: u.Name}, ts.db.Now())
			row.Mail = ""
			rows = append(rows, row)
			if !s.flags.JSON {
				if err := s.print(nil, "The link of %s works no more.", u.Name); err != nil {
					return err
				}
			}
		}
		if s.flags.JSON {
			return s.encode(rows)
		}
		return nil
	})
}
