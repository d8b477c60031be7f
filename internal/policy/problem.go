package policy

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A Problem is one thing wrong with a document.
type Problem struct {
	Field string // for example "rules[2].networks[0]"; empty means the whole document
	Key   string // locale key of the message
	Args  []any  // names and values alternating, as locales.Printer.T takes them
	Line  int    // line of the document, counted from 1; 0 if unknown, see [Problems.Locate]
}

// Problems is everything that is wrong with a document, in the order of its
// fields. The errors of [Decode] and of every Validate method wrap it.
type Problems []Problem

// messages are the English texts for the log and the command line. The catalogues
// of package locales have the same keys for pages. A test checks that the English
// texts are equal.
var messages = map[string]string{
	"policy.problem.json":    "is not JSON: {cause}",
	"policy.problem.unknown": "is not known",
	"policy.problem.nearest": "is not known; did you mean {nearest}?",
	"policy.problem.twice":   "is there twice",
	// These name what they are about, so that the field is not said beside them.
	"policy.problem.no-group":               "there is no group “{name}”",
	"policy.problem.no-group-nearest":       "there is no group “{name}”; did you mean “{nearest}”?",
	"policy.problem.no-application":         "there is no application “{name}”",
	"policy.problem.no-application-nearest": "there is no application “{name}”; did you mean “{nearest}”?",
	"policy.problem.several-applications":   "several applications are called “{name}”: name one by its identifier or id",
	"policy.problem.group-twice":            "the group “{name}” is there twice",
	"policy.problem.application-twice":      "the application “{name}” is there twice",

	"policy.problem.blank":      "has an empty name",
	"policy.problem.object":     "must be an object in braces",
	"policy.problem.list":       "must be a list",
	"policy.problem.boolean":    "must be true or false",
	"policy.problem.number":     "must be a whole number",
	"policy.problem.text":       "must be a text",
	"policy.problem.missing":    "must not be empty",
	"policy.problem.choice":     "must be one of: {choices}",
	"policy.problem.range":      "must be from {least} to {most}",
	"policy.problem.length":     "must not have more than {most}",
	"policy.problem.network":    "must be a network such as {nearest}",
	"policy.problem.link":       "must be a link that begins with https://",
	"policy.problem.groups":     "must name at least one group, or nobody could tell whom the target means",
	"policy.problem.no-rules":   "must not be empty, or nobody could log in",
	"policy.problem.passkey":    "asks for a passkey without a password; require that too",
	"policy.problem.no-proof":   "must not be empty in a rule that does not deny, or nothing would be proved",
	"policy.problem.denies":     "must be empty in a rule that denies",
	"policy.problem.no-apps":    "needs authenticator apps: none is allowed on any platform",
	"policy.problem.push-twice": "cannot stand beside the other push step: name either push or push-with-presence",
	"policy.problem.no-otp":     "must be empty in a rule that asks for no one-time password",
	"policy.problem.context":    "must be one word of printable ASCII, and none of the names that mean the same everywhere",
	"policy.problem.remember":   "may be set only in a rule that asks for a password and a one-time password",
	"policy.problem.platform":   "is for Windows alone",
	"policy.problem.store":      "can be the store’s only where the app is a store’s link",
	"policy.problem.standard":   "must not be the name of the standard template",
	"policy.problem.pin-mode":   "goes with passcodes alone, and not with responses to challenges",
	"policy.problem.idle":       "must not be longer than the session itself",
}

func (p Problem) Error() string {
	text := messages[p.Key]
	for pair := range slices.Chunk(p.Args, 2) {
		text = strings.ReplaceAll(text, fmt.Sprintf("{%s}", pair[0]), fmt.Sprint(pair[1]))
	}
	if p.Field != "" && !p.named() {
		text = p.Field + ": " + text
	}
	if p.Line > 0 {
		text = fmt.Sprintf("line %d: %s", p.Line, text)
	}
	return text
}

// named reports whether the text names the group or application that it is about.
func (p Problem) named() bool { return len(p.Args) > 0 && p.Args[0] == "name" }

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "; ")
}

// err returns nil if there are no problems. Otherwise it returns an Invalid error
// with a message key for users, which wraps the list of problems.
func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	return &identity.Error{Kind: identity.Invalid, Key: "error.policy.invalid", Err: ps}
}

// add records a problem. args are names and values alternating.
func (ps *Problems) add(field, key string, args ...any) {
	*ps = append(*ps, Problem{Field: field, Key: "policy.problem." + key, Args: args})
}

func (ps *Problems) inRange(field string, got, least, most int64) {
	if got < least || got > most {
		ps.add(field, "range", "least", least, "most", most)
	}
}

func oneOf[T ~string | ~int64](ps *Problems, field string, got T, choices ...T) {
	if !slices.Contains(choices, got) {
		words := make([]string, len(choices))
		for i, c := range choices {
			words[i] = fmt.Sprint(c)
		}
		ps.add(field, "choice", "choices", strings.Join(words, ", "))
	}
}

// checkIDs checks that no id in a list of groups or applications is empty or occurs twice.
func (ps *Problems) checkIDs(field, what string, ids []string) {
	for i, id := range ids {
		switch {
		case id == "":
			ps.add(field, "blank")
		case slices.Contains(ids[:i], id):
			ps.add(fmt.Sprintf("%s[%d]", field, i), what+"-twice", "name", id)
		}
	}
}

// Name puts names of groups and applications in place of their ids: in fields what the
// document calls them, and in texts what they are called.
func (ps Problems) Name(document, names map[string]string) {
	for i, p := range ps {
		path := strings.Split(p.Field, ".")
		for j, part := range path {
			path[j] = cmp.Or(document[part], part)
		}
		ps[i].Field = strings.Join(path, ".")
		ps[i].Args = slices.Clone(p.Args)
		for j, arg := range p.Args {
			if id, ok := arg.(string); ok {
				ps[i].Args[j] = cmp.Or(names[id], id)
			}
		}
	}
}

// checkNetwork records a network that would not match what its author meant: a prefix
// with host bits set, or an IPv4 network written as an IPv4-mapped IPv6 one.
func (ps *Problems) checkNetwork(field string, n netip.Prefix) {
	plain := netip.PrefixFrom(n.Addr().Unmap(), n.Bits()).Masked()
	if n == plain && n.IsValid() {
		return
	}
	example := "192.0.2.0/24"
	if plain.IsValid() {
		example = plain.String()
	}
	ps.add(field, "network", "nearest", example)
}
