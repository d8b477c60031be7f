package self

import (
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// sessions lists where the person is signed in.
func (p *Portal) sessions(v *Visit) (templates.Body, error) {
	ctx := v.Request.Context()
	names, err := p.names(v)
	if err != nil {
		return nil, err
	}
	body := templates.MeSessions{Name: v.User.Name, Cards: p.cards(v, v.Page.Name)}
	all, err := store.Collect(p.DB.Sessions().OfUser(ctx, v.Tenant.ID, v.User.ID))
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		row := templates.MeSession{ID: s.ID, Browser: s.Agent, IP: s.IP, Since: s.CreatedAt, LastSeen: s.SeenAt, Here: s.ID == v.Session.ID}
		for a, err := range p.DB.Sessions().Applications(ctx, v.Tenant.ID, s.ID) {
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

// names are those of the tenant's applications, by id.
func (p *Portal) names(v *Visit) (map[string]string, error) {
	names := make(map[string]string)
	for app, err := range p.DB.Applications().All(v.Request.Context(), v.Tenant.ID) {
		if err != nil {
			return nil, err
		}
		names[app.ID] = app.Name
	}
	return names, nil
}

// endSessions ends one of the person's other sessions, or all of them. Taking
// access away asks for no fresh second factor. The session at hand is not among
// them: for that one there is signing out.
func (p *Portal) endSessions(v *Visit) (Answer, error) {
	ctx, id := v.Request.Context(), v.Request.PostFormValue("session")
	all := v.Request.PostFormValue("do") == "end-others"
	if !all && (!identity.IsID(identity.SessionID, id) || id == v.Session.ID) {
		return Answer{}, &identity.Error{Kind: identity.Invalid, Key: "error.invalid"}
	}
	answer := Answer{To: v.Page.Name, Said: "session-ended"}
	err := p.DB.InTx(ctx, v.Who, func(tx *store.Tx) error {
		u, err := tx.Users().Get(ctx, v.Tenant.ID, v.User.ID)
		if err != nil {
			return err
		}
		if all {
			answer.Said = "sessions-ended"
			_, err = directory.EndOtherSessions(ctx, tx, u, v.Session.ID, v.Origin(tx.Now()))
			return err
		}
		return directory.EndSession(ctx, tx, u, id)
	})
	return answer, err
}
