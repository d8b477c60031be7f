package demo

// A person is a user a demo begins with. Passwords are two words: easy to type
// on a phone, and long enough for the directory.
type person struct {
	name, display, password string
	group                   string
	authenticator           bool // comes with one, whose passcodes a page shows
}

// Groups of the demo. Those who are no target users may not enrol an
// authenticator alone.
const (
	doctors        = "Doctors"
	nursing        = "Nursing"
	administration = "Administration"
	visitors       = "Visitors"
)

var groups = []string{doctors, nursing, administration, visitors}

// people are shown in this order: first those with whom there is most to see.
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
	{"julia", "Julia Novak", "morning-cloud", visitors, false},
}

func (p person) mail() string { return p.name + "@hospital.example" }

// target reports whether self-provisioning is open to somebody like this.
func (p person) target() bool { return p.group != visitors }
