package demo

// A person is a user of a new demo. Passwords are two words: easy to type on a
// phone, and long enough for the directory.
type person struct {
	name, display, password string
	group                   string
	authenticator           bool // has one, whose passcodes a page shows
}

// Groups of the demo. Guests are no target users: they may not enrol an
// authenticator by themselves.
const (
	doctors        = "Doctors"
	nursing        = "Nursing"
	administration = "Administration"
	guests         = "Visitors"
)

var groups = []string{doctors, nursing, administration, guests}

// people are shown in this order: first those with whom most can be tried.
var people = []person{
	{"anna", "Anna Berger", "silver-river", nursing, false},
	{"bashir", "Bashir Haddad", "quiet-garden", nursing, false},
	{"chloe", "Chloé Martin", "winter-apple", doctors, false},
	{"deniz", "Deniz Kaya", "purple-train", doctors, true},
	{"elena", "Elena Rossi", "summer-piano", doctors, false},
	{"felix", "Felix Braun", "copper-kettle", administration, true},
	{"grace", "Grace Okafor", "yellow-window", administration, false},
	{"hana", "Hana Suzuki", "little-forest", nursing, true},
	{"ivan", "Ivan Petrov", "golden-bridge", administration, false},
	{"julia", "Julia Novak", "morning-cloud", guests, false},
}

func (p person) mail() string { return p.name + "@hospital.example" }

// target reports whether the person is a target user of self-provisioning.
func (p person) target() bool { return p.group != guests }
