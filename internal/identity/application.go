package identity

import "time"

// A Protocol is a protocol by which applications use Latchkey.
type Protocol string

// Portal stands for Latchkey's own self-service pages, which log in through journeys like every
// application.
const (
	SAML   Protocol = "saml"
	OIDC   Protocol = "oidc"
	Portal Protocol = "portal"
)

// An Application is something users log in to.
type Application struct {
	Tenant     string
	ID         string
	Name       string
	Protocol   Protocol
	Identifier string // SAML entityID or OIDC client_id; unique within tenant and protocol
	Home       string // address of the application's entry page, where a user can begin again; may be empty
	Config     []byte // JSON in the format of the protocol's package
	CreatedAt  time.Time
	DisabledAt time.Time
	RemovedAt  time.Time
	ValidUntil time.Time // end of the validity of its metadata; zero means unlimited

	CannotShowNumber    bool // it shows no page of Latchkey, so no number can be shown for a presence check (PUSH-21)
	PushWithoutPresence bool // a plain push is allowed where policy requires a number that cannot be shown; otherwise there is no push
}

// PortalIdentifier is the identifier of the application that stands for a tenant's self-service
// pages.
const PortalIdentifier = "me"

// PortalApplication returns that application for a new tenant.
func PortalApplication(t Tenant) Application {
	return Application{Tenant: t.ID, ID: NewID(ApplicationID), Name: t.OrganisationName(),
		Protocol: Portal, Identifier: PortalIdentifier, Home: "/t/" + t.Slug + "/me", Config: []byte(`{}`)}
}
