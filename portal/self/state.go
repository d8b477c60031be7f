package self

import (
	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
	"github.com/latchkey-id/latchkey/templates"
)

// fewCodes is how many recovery codes left are so few that it is said.
const fewCodes = 2

// counted is a state that says how many there are.
func counted(key string, n int, alert bool) templates.CardState {
	return templates.CardState{Text: templates.Text{Key: key, Args: []any{"n", n}}, Alert: alert}
}

// plain is a state in words alone.
func plain(key string, alert bool) templates.CardState {
	return templates.CardState{Text: templates.Text{Key: key}, Alert: alert}
}

func (p *Portal) stateOfAuthenticators(pr *PageRequest) (templates.CardState, error) {
	active, all := 0, 0
	for a, err := range p.DB.Authenticators().OfUser(pr.Request.Context(), pr.Tenant.ID, pr.User.ID) {
		if err != nil {
			return templates.CardState{}, err
		}
		switch a.State() {
		case identity.Pending:
			continue // not activated yet
		case identity.Active:
			active++
		}
		all++
	}
	if all == 0 {
		return plain("me.state.authenticators.none", true), nil
	}
	return counted("me.state.authenticators", active, active == 0), nil
}

func (p *Portal) stateOfSessions(pr *PageRequest) (templates.CardState, error) {
	all, err := store.Collect(p.DB.Sessions().OfUser(pr.Request.Context(), pr.Tenant.ID, pr.User.ID))
	return counted("me.state.sessions", len(all), false), err
}

func (p *Portal) stateOfPassword(pr *PageRequest) (templates.CardState, error) {
	switch {
	case pr.User.Password == "":
		return plain("me.state.password.none", false), nil
	case pr.User.PasswordChanged.IsZero():
		return templates.CardState{}, nil
	}
	return templates.CardState{Text: templates.Text{Key: "me.state.password", Args: []any{"month", pr.L.Month(pr.User.PasswordChanged)}}}, nil
}

func (p *Portal) stateOfPasskeys(pr *PageRequest) (templates.CardState, error) {
	held, err := store.Collect(p.DB.Passkeys().OfUser(pr.Request.Context(), pr.Tenant.ID, pr.User.ID))
	if err != nil || len(held) > 0 {
		return counted("me.state.passkeys", len(held), false), err
	}
	may, err := p.mayAddPasskey(pr.Request.Context(), p.DB.Reader, pr.Tenant.ID)
	if !may {
		return plain("me.state.off", false), err
	}
	return plain("me.state.passkeys.none", false), err
}

func (p *Portal) stateOfDevices(pr *PageRequest) (templates.CardState, error) {
	all, err := store.Collect(p.DB.Devices().OfUser(pr.Request.Context(), pr.Tenant.ID, pr.User.ID))
	if err != nil || len(all) > 0 {
		return counted("me.state.devices", len(all), false), err
	}
	return plain("me.state.devices.none", false), nil
}

// recoverySet returns the person's recovery codes, and whether the tenant uses any.
func (p *Portal) recoverySet(pr *PageRequest) (set store.RecoverySet, used bool, err error) {
	var rules policy.Credentials
	if rules, err = authenticator.ReadCredentials(pr.Request.Context(), p.DB.Reader, pr.Tenant.ID); err != nil {
		return set, false, err
	}
	set, err = p.DB.RecoveryCodes().Get(pr.Request.Context(), pr.Tenant.ID, pr.User.ID)
	return set, rules.RecoveryCodes, err
}

func (p *Portal) stateOfRecoveryCodes(pr *PageRequest) (templates.CardState, error) {
	set, used, err := p.recoverySet(pr)
	switch {
	case err != nil || !used:
		return plain("me.state.off", false), err
	case set.Made == 0:
		return plain("me.state.recovery.none", true), nil
	case set.Left == 0:
		return plain("me.state.recovery.used", true), nil
	}
	return counted("me.state.recovery", set.Left, set.Left <= fewCodes), nil
}

// missing lists what the person should have and has not: something to confirm sign-ins
// with, and recovery codes for the day it is not at hand.
func (p *Portal) missing(pr *PageRequest) ([]templates.Missing, error) {
	has, err := p.hasFactor(pr.Request, pr.Session)
	if err != nil {
		return nil, err
	}
	if !has {
		return []templates.Missing{{Text: templates.Text{Key: "me.authenticators.none"}, Address: pr.Address("authenticators"),
			Link: templates.Text{Key: "me.nav.authenticators"}}}, nil
	}
	set, used, err := p.recoverySet(pr)
	if err != nil || !used || set.Left > fewCodes {
		return nil, err
	}
	codes := templates.Missing{Text: templates.Text{Key: "me.missing.recovery"}, Address: pr.Address("recovery-codes"),
		Link: templates.Text{Key: "do.recovery.make"}}
	if set.Made > 0 {
		codes.Text = templates.Text{Key: "me.missing.recovery.few", Args: []any{"n", set.Left}}
	}
	return []templates.Missing{codes}, nil
}
