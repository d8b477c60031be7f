package samlsp

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"
	"github.com/crewjam/saml"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// maxLeftOut is how many parts of one document are named that could not be used.
const maxLeftOut = 20

// A selection takes what can be used of a service provider's metadata, and names the
// rest: one address with a typing error, or one old key, should keep nobody from
// logging in by the others.
type selection struct{ leftOut []string }

func (s *selection) leave(format string, args ...any) {
	if text := identity.CleanTyped(fmt.Sprintf(format, args...)); len(s.leftOut) < maxLeftOut && !slices.Contains(s.leftOut, text) {
		s.leftOut = append(s.leftOut, text)
	}
}

// failed is the error of metadata of which nothing could be used.
func (s *selection) failed(what string) error {
	if len(s.leftOut) == 0 {
		return errors.New(what)
	}
	return errors.New(what + ": " + strings.Join(s.leftOut, "; "))
}

// endpoints are the elements of metadata that have an address. Of all of them, only an
// assertion consumer service that takes POST is used.
var endpoints = []string{"AssertionConsumerService", "ArtifactResolutionService", "SingleLogoutService", "ManageNameIDService",
	"SingleSignOnService", "NameIDMappingService", "AssertionIDRequestService", "AttributeService", "AuthnQueryService", "AuthzService"}

// keepConsumers takes all addresses out of a document but those that answers may go to.
// The library would refuse the whole document for one that it cannot read.
func (s *selection) keepConsumers(tree *etree.Document) {
	for _, e := range tree.FindElements("//*") {
		if !slices.Contains(endpoints, e.Tag) || e.NamespaceURI() != MetadataNS {
			continue
		}
		if e.Tag == "AssertionConsumerService" && e.SelectAttrValue("Binding", "") == saml.HTTPPostBinding {
			err := readable(e)
			if err == nil {
				e.RemoveAttr("ResponseLocation") // of requests alone; the library would look at it
				continue
			}
			s.leave("assertion consumer service %q: %v", e.SelectAttrValue("Location", ""), err)
		}
		e.Parent().RemoveChild(e)
	}
}

// readable says why an assertion consumer service cannot be used; nil if it can.
func readable(e *etree.Element) error {
	if err := consumer(e.SelectAttrValue("Location", "")); err != nil {
		return err
	}
	if text := e.SelectAttrValue("index", "0"); text != "0" {
		if _, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16); err != nil {
			return fmt.Errorf("index %q", text)
		}
	}
	switch text := strings.TrimSpace(e.SelectAttrValue("isDefault", "false")); text { // xs:boolean
	case "true", "false", "1", "0":
	default:
		return fmt.Errorf("isDefault %q", text)
	}
	return nil
}

// signingKeys returns the certificates that requests are checked by. A key that
// does not say what it is for is for signing too: to leave it out would switch
// the check off.
func (s *selection) signingKeys(descriptors []saml.KeyDescriptor) [][]byte {
	var list [][]byte
	for i, d := range descriptors {
		if d.Use == "encryption" {
			continue
		}
		if len(d.KeyInfo.X509Data.X509Certificates) == 0 {
			s.leave("key %d, for signing: a signing key without a certificate", i+1)
		}
		for _, c := range d.KeyInfo.X509Data.X509Certificates {
			for _, encoded := range withoutPEM(c.Data) {
				der, err := signingCertificate(encoded)
				if err != nil {
					s.leave("key %d, for signing: %v", i+1, err)
					continue
				}
				list = append(list, der)
			}
		}
	}
	return list
}

// pemLine is the line before or after what a PEM file encodes (RFC 7468), also where line
// breaks were lost.
var pemLine = regexp.MustCompile(`-----(?:BEGIN|END) [A-Z0-9 ]+-----`)

// withoutPEM returns what is between the lines of a PEM file, or all of a text that has
// none: XML Signature (section 4.5.4.1) wants bare base64, but many who write metadata by
// hand paste the file.
func withoutPEM(text string) []string {
	var parts []string
	for _, part := range pemLine.Split(text, -1) {
		if strings.TrimSpace(part) != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return []string{""}
	}
	return parts
}

func signingCertificate(encoded string) ([]byte, error) {
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(encoded), ""))
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	switch key := certificate.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < 2048 {
			return nil, fmt.Errorf("certificate: RSA key of %d bits, must have 2048", key.N.BitLen())
		}
	case *ecdsa.PublicKey:
	default:
		return nil, fmt.Errorf("certificate: key of a kind we cannot check: %T", key)
	}
	return der, nil
}
