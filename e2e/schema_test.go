package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Where Debian keeps the schemas of SAML (opensaml-schemas), and of what they
// are made of (xmltooling-schemas).
const (
	samlSchemas = "/usr/share/xml/opensaml"
	xmlSchemas  = "/usr/share/xml/xmltooling"
)

// catalog leads the addresses in SAML's schemas to files: nothing is fetched.
const catalog = `<?xml version="1.0"?>
<catalog xmlns="urn:oasis:names:tc:entity:xmlns:xml:catalog">
	<system systemId="http://www.w3.org/TR/2002/REC-xmldsig-core-20020212/xmldsig-core-schema.xsd" uri="` + xmlSchemas + `/xmldsig-core-schema.xsd"/>
	<system systemId="http://www.w3.org/TR/2002/REC-xmlenc-core-20021210/xenc-schema.xsd" uri="` + xmlSchemas + `/xenc-schema.xsd"/>
	<system systemId="http://www.w3.org/2001/xml.xsd" uri="` + xmlSchemas + `/xml.xsd"/>
</catalog>
`

// validate holds a document to SAML's schema: "metadata", "protocol" or
// "assertion".
func validate(t *testing.T, schema string, document []byte) {
	t.Helper()
	if out, err := againstSchema(t, schema, document); err != nil {
		t.Errorf("not valid by the schema of %s: %v\n%s\n%s", schema, err, out, document)
	}
}

func againstSchema(t *testing.T, schema string, document []byte) (said []byte, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "xmllint", "--noout", "--nonet",
		"--schema", filepath.Join(samlSchemas, "saml-schema-"+schema+"-2.0.xsd"), "-")
	cmd.Env = append(os.Environ(), "XML_CATALOG_FILES="+write(t, t.TempDir(), "catalog.xml", []byte(catalog)))
	cmd.Stdin = bytes.NewReader(document)
	return cmd.CombinedOutput()
}

// needXMLTools skips early what would only find out on its first document.
func needXMLTools(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"xmlsec1", "xmllint"} {
		_, err := exec.LookPath(tool)
		need(t, tool, err == nil)
	}
	for _, schemas := range []string{samlSchemas, xmlSchemas} {
		_, err := os.Stat(schemas)
		need(t, schemas, err == nil)
	}
}

// verify has xmlsec1 check the signature of a document's root, an element such
// as "protocol:Response", by the one certificate.
func verify(t *testing.T, certificate, element string, document []byte) {
	t.Helper()
	file := write(t, t.TempDir(), "document.xml", document)
	out, err := exec.CommandContext(t.Context(), "xmlsec1", "--verify", "--pubkey-cert-pem", certificate,
		"--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:"+element, file).CombinedOutput()
	if err != nil {
		t.Errorf("xmlsec1 refuses the %s: %v\n%s\n%s", element, err, out, document)
	}
}
