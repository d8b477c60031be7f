package policy

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// MaxSet is the most bytes that a set of documents may have.
const MaxSet = 1 << 20

// A KindDocument is a document that was not decoded yet.
type KindDocument struct {
	Kind     Kind
	Document json.RawMessage
}

// DecodeSet reads an object that has a document for each of some kinds, in the order
// in which they stand there. What the documents say is left for [Decode]. A set of
// none, a kind there is not, and one that is there twice are problems.
func DecodeSet(data []byte) ([]KindDocument, error) {
	if len(data) > MaxSet {
		return nil, &identity.Error{Kind: identity.TooLarge, Key: "error.policy.invalid",
			Err: fmt.Errorf("policy: a set of %d bytes, at most %d", len(data), MaxSet)}
	}
	var problems Problems
	if err := json.Unmarshal(data, new(any)); err != nil {
		problems.add("", "json", "cause", err.Error())
		return nil, problems.err()
	}
	var set []KindDocument
	for name, document := range problems.members("", data) {
		kind := Kind(name)
		if !slices.Contains(Kinds(), kind) {
			if near := identity.Nearest(name, kindNames()); near != "" {
				problems.add(name, "nearest", "nearest", near)
			} else {
				problems.add(name, "unknown")
			}
			continue
		}
		set = append(set, KindDocument{kind, document})
	}
	if len(set) == 0 && len(problems) == 0 {
		problems.add("", "missing")
	}
	return set, problems.err()
}

func kindNames() []string {
	var names []string
	for _, kind := range Kinds() {
		names = append(names, string(kind))
	}
	return names
}
