package identity

import "time"

// A Protocol is a way applications speak to us.
type Protocol string

// Portal stands for Latchkey's own self-service pages, which log in through
// journeys as every application does.
const (
	SAML   Protocol = "saml"
	OIDC   Protocol = "oidc"
	Portal Protocol = "portal"
)

// An Application is what a user logs in to.
type Application struct {
	Tenant     string
	ID         string
	Name       string
	Protocol   Protocol
	Identifier string // SAML entityID or OIDC client_id; unique within tenant and protocol
	Home       string // where a person can start anew: the application's own entry page; may be empty
	Config     []byte // JSON whose shape the protocol's package owns
	CreatedAt  time.Time
	DisabledAt time.Time
	RemovedAt  time.Time
	GoodUntil  time.Time // what we know of it holds until then; zero is for ever

	CannotShowNumber    bool // it has no screen of ours, so no number can be shown for a presence check (PUSH-21)
	PushWithoutPresence bool // where policy asks for one it cannot show, a plain push is allowed; else there is no push
}

// PortalIdentifier is the identifier of the application that stands for a
// tenant's own self-service pages.
const PortalIdentifier = "me"

// PortalApplication is that application, for a new tenant.
func PortalApplication(t Tenant) Application {
	return Application{Tenant: t.ID, ID: NewID(ApplicationID), Name: t.OrganisationName(),
		Protocol: Portal, Identifier: PortalIdentifier, Home: "/t/" + t.Slug + "/me", Config: []byte(`{}`)}
}
