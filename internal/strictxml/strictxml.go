// Package strictxml holds XML to the part of it on which all parsers agree.
//
// SAML messages are read by more than one parser: one that verifies the
// signature, one that finds the values. Documents that two parsers read
// differently are how signatures have been bypassed, so whatever could be is
// refused before the first of them sees it: DTDs, processing instructions,
// undeclared or rebound prefixes, doubled attributes, more than one root, and
// more depth, elements or attributes than any real document has.
package strictxml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	xrv "github.com/mattermost/xml-roundtrip-validator"
)

// MaxElements is the maximal number of elements of a document that people write.
const MaxElements = 10_000

// bounds are what a document may have at most. What people send us has a tenth of each.
type bounds struct {
	depth, elements int
	attributes      int // of one element
	allAttributes   int
	comments        bool
}

// A message comes from anybody, before anything is known of the sender, and each of its
// elements and attributes costs: they are read several times, and canonicalized.
var (
	metadataBounds = bounds{depth: 64, elements: MaxElements, attributes: 256, allAttributes: 10 * MaxElements, comments: true}
	messageBounds  = bounds{depth: 32, elements: 500, attributes: 64, allAttributes: 2000}
)

// CheckMetadata returns why a document that people write, such as metadata, is
// not taken; nil if it is. It may have comments.
func CheckMetadata(doc []byte) error { return check(doc, metadataBounds) }

// CheckMessage returns why a message of a protocol is not taken; nil if it is. A
// message has no comments, since a comment splits the text it stands in, and some
// readers stop there (CVE-2017-11427).
func CheckMessage(doc []byte) error { return check(doc, messageBounds) }

// check reads every token once and keeps none, so that no document can make it
// spend more than its size.
func check(doc []byte, most bounds) error {
	if !utf8.Valid(doc) {
		return errors.New("not UTF-8")
	}
	dec := xml.NewDecoder(bytes.NewReader(doc))
	depth, elements, attributes, roots := 0, 0, 0, 0
	for {
		before := dec.InputOffset()
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.StartElement:
			if depth == 0 {
				roots++
			}
			depth++
			elements++
			attributes += len(token.Attr)
			if depth > most.depth || elements > most.elements || len(token.Attr) > most.attributes || attributes > most.allAttributes {
				return errors.New("too deep or too large")
			}
			if err := unambiguous(token, !most.comments); err != nil {
				return err
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && len(bytes.TrimSpace(token)) > 0 {
				return errors.New("text outside the document")
			}
		case xml.Comment:
			if !most.comments {
				return errors.New("a comment")
			}
		case xml.ProcInst:
			if token.Target != "xml" || before != 0 {
				return errors.New("a processing instruction")
			}
		case xml.Directive: // DOCTYPE and all that comes with it
			return errors.New("a DTD")
		}
	}
	if roots != 1 {
		return fmt.Errorf("%d documents in one", roots)
	}
	// Go's encoder and decoder do not quite mirror each other (CVE-2020-29509
	// and its kin); whatever falls between them is refused.
	return xrv.Validate(bytes.NewReader(doc))
}

// unambiguous refuses elements that readers could take for different things: some of
// them look at the local name of an attribute only, so in a message two of one
// local name are as bad as two of the same.
func unambiguous(e xml.StartElement, message bool) error {
	// A namespace is a URI and has a colon; a prefix nobody declared, which Go
	// leaves where the namespace should be, has none.
	foreign := func(space string) bool { return space != "" && !strings.Contains(space, ":") }
	if foreign(e.Name.Space) {
		return fmt.Errorf("undeclared prefix %q", e.Name.Space)
	}
	if strings.Contains(e.Name.Local, ":") { // as in ":a", which Go takes for a name
		return fmt.Errorf("no name: %q", e.Name.Local)
	}
	seen := make(map[xml.Name]bool, len(e.Attr))
	for _, a := range e.Attr {
		name := a.Name
		if message && name.Space != "xmlns" {
			name.Space = ""
		}
		if seen[name] {
			return fmt.Errorf("two attributes %q", a.Name.Local)
		}
		seen[name] = true
		switch {
		case strings.Contains(a.Name.Local, ":"):
			return fmt.Errorf("no name: %q", a.Name.Local)
		case a.Name.Space == "xmlns" && (a.Name.Local == "xml" || a.Name.Local == "xmlns" || a.Value == ""):
			return fmt.Errorf("prefix %q rebound", a.Name.Local)
		case a.Name.Space != "xmlns" && foreign(a.Name.Space):
			return fmt.Errorf("undeclared prefix %q", a.Name.Space)
		}
	}
	return nil
}

// TrimBOM removes the byte order mark that some editors put before XML.
func TrimBOM(doc []byte) []byte { return bytes.TrimPrefix(doc, []byte("\ufeff")) }
