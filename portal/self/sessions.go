package self

import (
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// sessions lists the person's sessions.
func (p *Portal) sessions(pr *PageRequest) (templates.Body, error) {
	ctx := pr.Request.Context()
	names, err := p.applicationNames(pr)
	if err != nil {
		return nil, err
	}
	body := templates.MeSessions{Name: pr.User.Name}
	if body.Cards, err = p.cards(pr, pr.Page.Name); err != nil {
		return nil, err
	}
	all, err := store.Collect(p.DB.Sessions().OfUser(ctx, pr.Tenant.ID, pr.User.ID))
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		row := templates.MeSession{ID: s.ID, Browser: s.Agent, IP: s.IP, Since: s.CreatedAt, LastSeen: s.SeenAt, Here: s.ID == pr.Session.ID}
		for a, err := range p.DB.Sessions().Applications(ctx, pr.Tenant.ID, s.ID) {
			if err != nil {
				return nil, err
			}
			if a.Protocol != identity.Portal {
				row.Applications = append(row.Applications, names[a.Application])
			}
		}
		body.Sessions = append(body.Sessions, row)
	}
	return body, nil
}

// applicationNames are the names of the tenant's applications, by id.
func (p *Portal) applicationNames(pr *PageRequest) (map[string]string, error) {
	names := make(map[string]string)
	for app, err := range p.DB.Applications().All(pr.Request.Context(), pr.Tenant.ID) {
		if err != nil {
			return nil, err
		}
		names[app.ID] = app.Name
	}
	return names, nil
}

// endSessions ends one of the person's other sessions, or all of them. This
// requires no fresh second factor. The present session is not among them: it is
// ended by signing out.
func (p *Portal) endSessions(pr *PageRequest) (Result, error) {
	ctx, id := pr.Request.Context(), pr.Request.PostFormValue("session")
	all := pr.Request.PostFormValue("do") == "end-others"
	if !all && (!identity.IsID(identity.SessionID, id) || id == pr.Session.ID) {
		return Result{}, &identity.Error{Kind: identity.Invalid, Key: "error.invalid"}
	}
	answer := Result{Page: pr.Page.Name, Message: "session-ended"}
	err := p.DB.InTx(ctx, pr.Principal, func(tx *store.Tx) error {
		u, err := tx.Users().Get(ctx, pr.Tenant.ID, pr.User.ID)
		if err != nil {
			return err
		}
		if all {
			answer.Message = "sessions-ended"
			_, err = directory.EndOtherSessions(ctx, tx, u, pr.Session.ID, pr.Origin(tx.Now()))
			return err
		}
		return directory.EndSession(ctx, tx, u, id)
	})
	return answer, err
}
