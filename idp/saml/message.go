package saml

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/strictxml"
	"github.com/latchkey-id/latchkey/internal/web"
)

// Limits of messages in bytes.
const (
	maxMessage    = 256 << 10 // as sent by POST, and as XML
	maxRelayState = 4 << 10   // the standard says 80, but applications exceed it
)

// A message is a request as it came through the browser. Nothing in it is verified yet.
type message struct {
	xml        []byte
	relayState string
	redirect   bool            // by the Redirect binding
	query      *querySignature // Redirect binding only; may be nil
}

// A querySignature is the Redirect binding's signature. It covers octets of the query as they were sent
// (SAML bindings, section 3.4.4.1). Decoding and encoding the query again could change them.
type querySignature struct {
	method string
	octets []byte
	value  []byte
}

// unacceptable returns the error of a request that is answered with a page, because it is not verified
// yet to whom a status could be sent.
func unacceptable(format string, args ...any) error {
	return &identity.Error{Kind: identity.Invalid, Key: "error.request.invalid", Err: fmt.Errorf("saml: "+format, args...)}
}

// receive reads the message of a request by its binding.
func receive(w http.ResponseWriter, r *http.Request) (message, error) {
	if r.Method == http.MethodPost {
		return receivePost(w, r)
	}
	return receiveRedirect(r.URL.RawQuery)
}

// receivePost reads the POST binding (SAML bindings, section 3.5).
func receivePost(w http.ResponseWriter, r *http.Request) (message, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxMessage)
	if err := r.ParseForm(); err != nil {
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			return message{}, &identity.Error{Kind: identity.TooLarge, Key: "error.toolarge", Err: err}
		}
		return message{}, unacceptable("form: %w", err)
	}
	if r.PostForm.Has("SAMLResponse") || r.URL.Query().Has("SAMLResponse") {
		return message{}, unacceptable("a SAMLResponse beside the SAMLRequest, or in its place")
	}
	// Only PostForm is read: the query is not part of this binding.
	if len(r.PostForm["SAMLRequest"]) != 1 || len(r.PostForm["RelayState"]) > 1 {
		return message{}, unacceptable("not one SAMLRequest, or two RelayStates")
	}
	doc, err := base64.StdEncoding.DecodeString(squeeze(r.PostForm.Get("SAMLRequest")))
	if err != nil {
		return message{}, unacceptable("SAMLRequest: %w", err)
	}
	return finish(message{xml: doc, relayState: r.PostForm.Get("RelayState")})
}

// receiveRedirect reads the Redirect binding (SAML bindings, section 3.4).
func receiveRedirect(query string) (message, error) {
	if len(query) > web.MaxBody {
		return message{}, &identity.Error{Kind: identity.TooLarge, Key: "error.toolarge"}
	}
	raw, value := make(map[string]string), make(map[string]string)
	for part := range strings.SplitSeq(query, "&") {
		name, encoded, _ := strings.Cut(part, "=")
		plainName, err := url.QueryUnescape(name)
		if err != nil {
			return message{}, unacceptable("query: %w", err)
		}
		switch plainName {
		case "SAMLResponse": // which of the two another reader would take is not known
			return message{}, unacceptable("a SAMLResponse beside the SAMLRequest, or in its place")
		case "SAMLRequest", "RelayState", "SigAlg", "Signature", "SAMLEncoding":
		default:
			continue
		}
		if _, twice := raw[plainName]; twice || name != plainName {
			return message{}, unacceptable("%s is there twice, or in disguise", plainName)
		}
		raw[name] = part
		if value[name], err = url.QueryUnescape(encoded); err != nil {
			return message{}, unacceptable("%s: %w", name, err)
		}
	}
	if e := value["SAMLEncoding"]; e != "" && e != "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE" {
		return message{}, unacceptable("SAMLEncoding %q", e)
	}
	m := message{redirect: true, relayState: value["RelayState"]}
	deflated, err := base64.StdEncoding.DecodeString(squeeze(value["SAMLRequest"]))
	if err != nil {
		return message{}, unacceptable("SAMLRequest: %w", err)
	}
	if m.xml, err = inflate(deflated); err != nil {
		return message{}, err
	}
	_, hasMethod := raw["SigAlg"]
	_, hasValue := raw["Signature"]
	if hasMethod != hasValue {
		return message{}, unacceptable("half a signature")
	}
	if hasValue {
		s := &querySignature{method: value["SigAlg"]}
		if s.value, err = base64.StdEncoding.DecodeString(squeeze(value["Signature"])); err != nil {
			return message{}, unacceptable("signature: %w", err)
		}
		octets := []string{raw["SAMLRequest"]}
		if part, ok := raw["RelayState"]; ok {
			octets = append(octets, part)
		}
		s.octets = []byte(strings.Join(append(octets, raw["SigAlg"]), "&"))
		m.query = s
	}
	return finish(m)
}

// inflate unpacks at most maxMessage bytes. A kilobyte of DEFLATE can contain a megabyte
// (CVE-2023-28119), so unpacking stops at the limit.
func inflate(deflated []byte) ([]byte, error) {
	doc, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(deflated)), maxMessage+1))
	switch {
	case len(doc) > maxMessage:
		return nil, &identity.Error{Kind: identity.TooLarge, Key: "error.toolarge", Err: errors.New("saml: message inflates to more than allowed")}
	case err != nil:
		return nil, unacceptable("inflate: %w", err)
	}
	return doc, nil
}

// finish makes the checks that both bindings have in common.
func finish(m message) (message, error) {
	if len(m.relayState) > maxRelayState || !utf8.ValidString(m.relayState) || strings.ContainsRune(m.relayState, 0) {
		return message{}, unacceptable("RelayState is longer than %d bytes, or no text", maxRelayState)
	}
	m.xml = strictxml.TrimBOM(m.xml)
	return m, nil
}
