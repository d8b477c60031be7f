package saml

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/samlsp/samlsptest"
)

// Each file of the zoo is a request and what becomes of it. The first line says
// what it is; then come
//
//	expect: granted | status TOP/SECOND | HTTP-STATUS, a part of the cause in the log
//	sp: signs | no key | (neither: it has a key, and need not sign)
//
// and after an empty line the request, with words to fill in (see fill). The
// good ones are there to show that the others are refused for what they do.
func TestSAML6_Zoo(t *testing.T) {
	files, err := filepath.Glob("testdata/zoo/*.xml")
	if err != nil || len(files) == 0 {
		t.Fatal("no zoo", err)
	}
	canary := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("somebody fetched %s", r.URL)
	}))
	defer canary.Close()
	h := one(t)
	parties := map[string]*party{
		"":       h.add(samlsptest.Shape{EntityID: "https://sp.example/saml"}),
		"signs":  h.add(samlsptest.Shape{EntityID: "https://signs.example/saml", Signs: true}),
		"no key": h.add(samlsptest.Shape{EntityID: "https://nokey.example/saml", NoKey: true}),
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".xml")
		t.Run(name, func(t *testing.T) {
			expect, p, doc := specimen(t, file, parties)
			doc = strings.ReplaceAll(doc, "$CANARY", canary.URL)
			for binding, send := range map[string]func(doc string) answer{
				"POST":     func(doc string) answer { return h.post(doc, "") },
				"Redirect": func(doc string) answer { return h.redirect(p.query(doc, "", "")) },
			} {
				h.log.tear()
				filled := p.fill(doc)
				got := send(filled)
				cause := h.log.tear()
				// By the Redirect binding none may have a signature inside, however good.
				if binding == "Redirect" && strings.Contains(filled, ":Signature ") {
					if to, _ := got.form(); to != "" || got.StatusCode != http.StatusBadRequest {
						t.Errorf("%s: %d, to %q, want 400 in place of %s; cause: %s", binding, got.StatusCode, to, expect, cause)
					}
					continue
				}
				switch kind, rest, _ := strings.Cut(expect, " "); kind {
				case "granted":
					if !got.granted() {
						t.Errorf("%s: refused, %d: %s", binding, got.StatusCode, cause)
					}
				case "status":
					if to, _ := got.form(); to == "" || got.granted() || got.status() != rest {
						t.Errorf("%s: want %s: %d %s", binding, expect, got.StatusCode, cause)
					}
				default:
					if to, _ := got.form(); to != "" || strconv.Itoa(got.StatusCode) != kind || !strings.Contains(unquoted(cause), rest) {
						t.Errorf("%s: %d, to %q, want %s; cause: %s", binding, got.StatusCode, to, expect, cause)
					}
				}
			}
		})
	}
}

func unquoted(log string) string { return strings.ReplaceAll(log, `\"`, `"`) }

// specimen reads a file of the zoo.
func specimen(t *testing.T, file string, parties map[string]*party) (expect string, p *party, doc string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, doc, ok := strings.Cut(string(data), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || !strings.HasSuffix(lines[0], ".") {
		t.Fatalf("%s: no first line, or no empty one", file)
	}
	p = parties[""]
	for _, line := range lines[1:] {
		switch key, value, _ := strings.Cut(line, ": "); key {
		case "expect":
			expect = value
		case "sp":
			p = parties[value]
		default:
			t.Fatalf("%s: %q", file, line)
		}
	}
	if expect == "" || p == nil {
		t.Fatalf("%s: expects nothing, or of nobody", file)
	}
	return expect, p, strings.TrimSuffix(doc, "\n")
}

// fill puts in what differs from one run to the next.
func (p *party) fill(doc string) string {
	const end = "</samlp:AuthnRequest>"
	id := "_" + identity.NewSecret()
	unsigned := p.requestAs(id, "", "")
	signed := p.sign(unsigned)
	begin, stop := strings.Index(signed, "<ds:Signature "), strings.Index(signed, "</ds:Signature>")
	open := signed[begin:stop]
	at := func(d time.Duration) string { return p.Clock.Now().Add(d).Format("2006-01-02T15:04:05Z") }
	return strings.NewReplacer(
		"$NS", `xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" xmlns:ds="http://www.w3.org/2000/09/xmldsig#"`,
		"$SSO", p.base+"/saml/sso", "$ISSUER", p.app.Identifier, "$OCTET", "\xff",
		"$NOW", at(0), "$OLD", at(-maxAge-MaxSkew-time.Minute), "$FUTURE", at(MaxSkew+time.Minute),
		"$SIGNEDID", id, // of the true request, which is
		"$SIGNED", signed, "$UNSIGNED", unsigned, "$OPENSIGNED", strings.TrimSuffix(signed, end),
		"$REST", strings.TrimPrefix(signed, "<samlp:AuthnRequest"),
		"$OPENSIGNATURE", open, "$SIGNATURE", open+"</ds:Signature>",
		"$ID", "_"+identity.NewSecret(),
	).Replace(doc)
}
