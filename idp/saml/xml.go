package saml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	xrv "github.com/mattermost/xml-roundtrip-validator"

	"github.com/beevik/etree"
)

// Namespaces, by the prefixes we write.
const (
	assertionNS = "urn:oasis:names:tc:SAML:2.0:assertion" // saml
	protocolNS  = "urn:oasis:names:tc:SAML:2.0:protocol"  // samlp
	metadataNS  = "urn:oasis:names:tc:SAML:2.0:metadata"  // md
	signatureNS = "http://www.w3.org/2000/09/xmldsig#"    // ds
)

// Bounds on the XML we read. What people send us has a tenth of each.
const (
	maxDepth      = 64
	maxElements   = 10_000
	maxAttributes = 256 // of one element
)

// wellFormed holds a document to the part of XML on which all parsers agree, so
// that the ones that come after cannot differ about it. Messages of the
// protocol are stricter than metadata, which people write: they may have no
// comments, since a comment splits the text it stands in, and some readers stop
// there (CVE-2017-11427).
//
// It looks at every token once and keeps none, so that no document can make it
// spend more than its size.
func wellFormed(doc []byte, message bool) error {
	if !utf8.Valid(doc) {
		return errors.New("not UTF-8")
	}
	dec := xml.NewDecoder(bytes.NewReader(doc))
	depth, elements, roots := 0, 0, 0
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
			if depth > maxDepth || elements > maxElements || len(token.Attr) > maxAttributes {
				return errors.New("too deep or too large")
			}
			if err := plain(token, message); err != nil {
				return err
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && len(bytes.TrimSpace(token)) > 0 {
				return errors.New("text outside the document")
			}
		case xml.Comment:
			if message {
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

// plain refuses elements that readers could take for different things: some of
// them look at the local name of an attribute only, so in a message two of one
// local name are as bad as two of the same.
func plain(e xml.StartElement, message bool) error {
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

// bare takes off the byte order mark that some editors put before XML.
func bare(doc []byte) []byte { return bytes.TrimPrefix(doc, []byte("\ufeff")) }

// add appends an element with attributes, given as names and values in turn;
// those without a value are left out.
func add(parent *etree.Element, tag string, attributes ...string) *etree.Element {
	e := parent.CreateElement(tag)
	for i := 0; i < len(attributes); i += 2 {
		if attributes[i+1] != "" {
			e.CreateAttr(attributes[i], attributes[i+1])
		}
	}
	return e
}

// say appends an element with a text.
func say(parent *etree.Element, tag, text string, attributes ...string) {
	add(parent, tag, attributes...).SetText(text)
}

// write serializes a document in canonical form: whoever canonicalizes it on
// the other side finds it so already.
func write(root *etree.Element) ([]byte, error) {
	doc := etree.NewDocument()
	doc.SetRoot(root)
	doc.WriteSettings = etree.WriteSettings{CanonicalAttrVal: true, CanonicalEndTags: true, CanonicalText: true}
	return doc.WriteToBytes()
}
