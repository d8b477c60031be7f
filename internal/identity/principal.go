package identity

// A Principal is who acts: in which tenant, as what, from where. It is always
// an argument, never taken from a context, because the audit depends on it.
type Principal struct {
	Tenant string // id of the tenant; empty for what belongs to no tenant
	Kind   PrincipalKind
	ID     string // of the user, authenticator or application; empty otherwise
	Name   string // for people who read the audit: a user name, a command
	IP     string // textual address, empty when there is none
}

// A PrincipalKind says what a principal is.
type PrincipalKind string

// Browser is a person nobody has identified yet; System is Latchkey itself;
// CommandLine is whoever may read the keys on the server.
const (
	Browser          PrincipalKind = "browser"
	Person           PrincipalKind = "user"
	AuthenticatorApp PrincipalKind = "authenticator"
	Relying          PrincipalKind = "application"
	Operator         PrincipalKind = "operator"
	CommandLine      PrincipalKind = "command line"
	System           PrincipalKind = "system"
)
