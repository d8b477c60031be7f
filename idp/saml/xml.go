package saml

import (
	"github.com/beevik/etree"

	"github.com/latchkey-id/latchkey/internal/samlsp"
)

// Namespaces, with the prefixes used in messages.
const (
	assertionNS = "urn:oasis:names:tc:SAML:2.0:assertion" // saml
	protocolNS  = samlsp.ProtocolNS                       // samlp
	metadataNS  = samlsp.MetadataNS                       // md
	signatureNS = "http://www.w3.org/2000/09/xmldsig#"    // ds
)

// add appends an element with attributes, given as alternating names and values. Attributes with an empty
// value are left out.
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

// write serializes a document in canonical form, so that canonicalizing it on the other side does not
// change it.
func write(root *etree.Element) ([]byte, error) {
	doc := etree.NewDocument()
	doc.SetRoot(root)
	doc.WriteSettings = etree.WriteSettings{CanonicalAttrVal: true, CanonicalEndTags: true, CanonicalText: true}
	return doc.WriteToBytes()
}
