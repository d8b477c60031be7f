package identity

// A Principal is who acts: in which tenant, as what, from where. It is always an argument and never
// taken from a context, because the audit log depends on it.
type Principal struct {
	Tenant string // id; empty for what belongs to no tenant
	Kind   PrincipalKind
	ID     string // of the user, authenticator or application; may be empty
	Name   string // shown in the audit log: a user name, a command
	IP     string // textual address; may be empty
}

// A PrincipalKind is the kind of a principal.
type PrincipalKind string

// Browser is a person who is not identified yet, System is Latchkey itself, and CommandLine is
// anybody who can read the keys on the server.
const (
	Browser            PrincipalKind = "browser"
	Person             PrincipalKind = "user"
	AuthenticatorApp   PrincipalKind = "authenticator"
	RelyingApplication PrincipalKind = "application"
	Operator           PrincipalKind = "operator"
	CommandLine        PrincipalKind = "command line"
	System             PrincipalKind = "system"
)
