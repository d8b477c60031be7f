package appapi

import (
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"math"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/enroll"
)

// What is wrong with a signature, and what the app is told. Each of these is an
// attack, or an app's mistake that would look like one.
func TestSignature_WhatDoesNotFitIsRefused(t *testing.T) {
	h := onSQLite(t)
	a := h.enrolled(t, h.User, true)
	other := h.newApp(t)
	set := func(where *map[string]any, name string, value any) {
		if value == nil {
			delete(*where, name)
		} else {
			(*where)[name] = value
		}
	}
	header := func(name string, value any) func(*signing) string {
		return func(s *signing) string { set(&s.header, name, value); return a.sign(s) }
	}
	payload := func(name string, value any) func(*signing) string {
		return func(s *signing) string { set(&s.payload, name, value); return a.sign(s) }
	}
	text := func(header string) func(*signing) string { // signed as it stands
		return func(s *signing) string {
			payload, _ := json.Marshal(s.payload)
			return a.signText(strings.ReplaceAll(header, "KID", a.thumbprint()), string(payload))
		}
	}
	unencoded := func(header string) func(*signing) string { // RFC 7797
		return func(s *signing) string {
			payload, _ := json.Marshal(s.payload)
			protected := b64([]byte(strings.ReplaceAll(header, "KID", a.thumbprint())))
			return protected + "." + b64(payload) + "." + b64(a.raw(protected+"."+string(payload)))
		}
	}
	// spare sets bits that stand for nothing at the end of a part. The signature is of
	// the part without them, which a verifier that decodes and encodes again would take.
	spare := func(part int) func(*signing) string {
		return func(s *signing) string {
			s.header["x"], s.payload["x"] = "", ""
			for where := []map[string]any{s.header, s.payload}[part]; ; where["x"] = where["x"].(string) + "x" {
				signed := a.sign(s)
				parts := strings.Split(signed, ".")
				if len(parts[part])%4 != 3 {
					continue
				}
				parts[part] = respelt(parts[part])
				return strings.Join(parts, ".")
			}
		}
	}
	now := h.Clock.Now().Unix()
	for _, tt := range []struct {
		name string
		sign func(*signing) string
		want string
	}{
		{"as it should be", a.sign, ""},
		{"nothing", func(*signing) string { return "" }, "signature"},
		{"alg none, unsigned", func(s *signing) string {
			s.header["alg"] = "none"
			signed := a.sign(s)
			return signed[:strings.LastIndex(signed, ".")+1]
		}, "signature"},
		{"alg none, signed", header("alg", "none"), "signature"},
		{"alg in capitals elsewhere", func(s *signing) string {
			s.header["ALG"] = "ES256"
			s.header["alg"] = "none"
			return a.sign(s)
		}, "signature"},
		{"HS256 with the public key", func(s *signing) string {
			s.header["alg"] = "HS256"
			parts := strings.Split(a.sign(s), ".")
			key, _ := a.key.PublicKey.Bytes()
			mac := hmac.New(sha256.New, key)
			mac.Write([]byte(parts[0] + "." + parts[1]))
			return parts[0] + "." + parts[1] + "." + b64(mac.Sum(nil))
		}, "signature"},
		{"another type of token", header("typ", "JWT"), "signature"},
		{"crit", header("crit", []string{"b64"}), "signature"},
		{"crit of nothing", header("crit", []string{}), "signature"},
		{"crit of what nobody knows", header("crit", []string{"exp"}), "signature"},
		{"crit twice", text(`{"alg":"ES256","typ":"latchkey-app+jwt","kid":"KID","crit":["b64"],"crit":["b64"],"b64":true}`), "signature"},
		{"signed as it is, not as base64", unencoded(`{"alg":"ES256","typ":"latchkey-app+jwt","kid":"KID","b64":false}`), "signature"},
		{"signed as it is, as crit allows", unencoded(`{"alg":"ES256","typ":"latchkey-app+jwt","kid":"KID","b64":false,"crit":["b64"]}`), "signature"},
		{"alg twice", text(`{"alg":"none","typ":"latchkey-app+jwt","kid":"KID","alg":"ES256"}`), "signature"},
		{"alg twice, the right one first", text(`{"alg":"ES256","typ":"latchkey-app+jwt","kid":"KID","alg":"none"}`), "signature"},
		{"kid twice", text(`{"alg":"ES256","typ":"latchkey-app+jwt","kid":"KID","kid":"KID"}`), "signature"},
		{"a header and more", text(`{"alg":"ES256","typ":"latchkey-app+jwt","kid":"KID"}{}`), "signature"},
		{"a header that is a list", text(`[{"alg":"ES256","typ":"latchkey-app+jwt","kid":"KID"}]`), "signature"},
		{"a header that is not UTF-8", text("{\"alg\":\"ES256\",\"typ\":\"latchkey-app+jwt\",\"kid\":\"KID\",\"x\":\"\xff\"}"), "signature"},
		{"another hash", header("alg", "ES384"), "signature"},
		{"another curve's alg", header("alg", "ES256K"), "signature"},
		{"no alg", header("alg", nil), "signature"},
		{"no type of token", header("typ", nil), "signature"},
		{"both kid and jwk", header("jwk", a.jwk()), "signature"},
		{"neither", header("kid", nil), "signature"},
		{"another kid", header("kid", other.thumbprint()), "unknown"},
		{"another's key", other.sign, "signature"},
		{"a key of its own choice", func(s *signing) string {
			delete(s.header, "kid")
			s.header["jwk"] = other.jwk()
			return other.sign(s)
		}, "signature"},
		{"ASN.1 instead of r and s", func(s *signing) string {
			signed := a.sign(s)
			return signed[:strings.LastIndex(signed, ".")+1] + b64([]byte{0x30, 6, 2, 1, 1, 2, 1, 1})
		}, "signature"},
		{"r and s zero", func(s *signing) string {
			signed := a.sign(s)
			return signed[:strings.LastIndex(signed, ".")+1] + b64(make([]byte, 64))
		}, "signature"},
		{"longer than r and s", func(s *signing) string { return a.sign(s) + "AA" }, "signature"},
		{"another encoding of the same bytes", func(s *signing) string { return a.sign(s) + "=" }, "signature"},
		{"bits that stand for nothing in the signature", func(s *signing) string {
			parts := strings.Split(a.sign(s), ".")
			return parts[0] + "." + parts[1] + "." + respelt(parts[2])
		}, "signature"},
		{"bits that stand for nothing in the header", spare(0), "signature"},
		{"bits that stand for nothing in the payload", spare(1), "signature"},
		{"the signature cut", func(s *signing) string { signed := a.sign(s); return signed[:len(signed)-2] }, "signature"},
		{"no signature", func(s *signing) string { signed := a.sign(s); return signed[:strings.LastIndex(signed, ".")+1] }, "signature"},
		{"two parts", func(s *signing) string { return "a.b" }, "signature"},
		{"four parts", func(s *signing) string { return a.sign(s) + "." }, "signature"},
		{"five parts, as JWE has", func(s *signing) string { return a.sign(s) + ".AAAA.AAAA" }, "signature"},
		{"in JSON serialization", func(s *signing) string {
			parts := strings.Split(a.sign(s), ".")
			return `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`
		}, "signature"},
		{"a blank behind", func(s *signing) string { return a.sign(s) + " ." }, "signature"},
		{"a jti twice", func(s *signing) string {
			payload, _ := json.Marshal(s.payload)
			return a.signText(`{"alg":"ES256","typ":"latchkey-app+jwt","kid":"`+a.thumbprint()+`"}`, strings.TrimSuffix(string(payload), "}")+`,"jti":"AAAAAAAAAAAAAAAAAAAAAA"}`)
		}, "signature"},
		{"too long", func(s *signing) string { s.header["x"] = strings.Repeat("x", 5000); return a.sign(s) }, "signature"},
		{"another call", payload("typ", "pending"), "signature"},
		{"another method", payload("htm", "POST"), "signature"},
		{"another host", payload("htu", "http://evil.example"+Path+"status"), "signature"},
		{"another address", payload("htu", h.server.URL+Path+"pending"), "signature"},
		{"another body", payload("bsh", b64(make([]byte, 32))), "signature"},
		{"no body's hash", payload("bsh", nil), "signature"},
		{"another id", payload("sub", "aut_aaaaaaaaaaaaaaaaaaaaaaaaaa"), "unknown"},
		{"garbage for an id", payload("sub", "' OR 1=1 --"), "signature"},
		{"no id", payload("sub", nil), "signature"},
		{"a short jti", payload("jti", "AAAA"), "signature"},
		{"no version", payload("ver", nil), "signature"},
		{"garbage for a version", payload("ver", "x/<script>"), "signature"},
		{"garbage for capabilities", payload("cap", []string{"<script>"}), "signature"},
		{"capabilities without end", payload("cap", strings.Split(strings.Repeat("x ", 40)+"x", " ")), "signature"},
		{"a minute early", payload("iat", now+60), ""},
		{"a minute late", payload("iat", now-60), ""},
		{"61 seconds early", payload("iat", now+61), "clock"},
		{"61 seconds late", payload("iat", now-61), "clock"},
		{"never", payload("iat", nil), "clock"},
		{"the end of time", payload("iat", int64(math.MaxInt64)), "clock"},
		{"the beginning of time", payload("iat", int64(math.MinInt64)), "clock"},
		{"time in parts", payload("iat", 1.5), "signature"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := a.signing("status", nil)
			r := h.send(t, http.MethodGet, "status", tt.sign(s), nil)
			status := http.StatusUnauthorized
			if tt.want == "" {
				status = http.StatusOK
			}
			if r.status != status || r.code() != tt.want {
				t.Errorf("got %d %q, want %d %q", r.status, r.code(), status, tt.want)
			}
			if at, _ := r.body["time"].(float64); tt.want == "clock" && int64(at) != now {
				t.Errorf("server's time: got %v, want %d", r.body["time"], now)
			}
		})
	}
}

// The key a phone activates with must be a point of P-256, and its own.
func TestSignature_KeysThatAreNone(t *testing.T) {
	h := onSQLite(t)
	j, shown := h.Issued(t, h.User)
	a := h.newApp(t)
	for _, tt := range []struct {
		name   string
		change func(k map[string]any)
	}{
		{"another curve", func(k map[string]any) { k["crv"] = "P-384" }},
		{"RSA", func(k map[string]any) { k["kty"] = "RSA" }},
		{"symmetric", func(k map[string]any) { k["kty"], k["k"] = "oct", "AAAA" }},
		{"private", func(k map[string]any) { k["d"] = b64(make([]byte, 32)) }},
		{"not on the curve", func(k map[string]any) { k["x"] = b64(make([]byte, 32)) }},
		{"beyond the field", func(k map[string]any) { k["x"] = b64(elliptic.P256().Params().P.Bytes()) }},
		{"short", func(k map[string]any) { k["y"] = "AAAA" }},
		{"another way to write the same", func(k map[string]any) { k["x"] = respelt(k["x"].(string)) }},
		{"another way to write the second", func(k map[string]any) { k["y"] = respelt(k["y"].(string)) }},
		{"padded", func(k map[string]any) { k["x"] = k["x"].(string) + "=" }},
		{"longer by a zero", func(k map[string]any) {
			x, _ := strict64.DecodeString(k["x"].(string))
			k["x"] = b64(append([]byte{0}, x...))
		}},
		{"no point at all", func(k map[string]any) { k["x"], k["y"] = b64(make([]byte, 32)), b64(make([]byte, 32)) }},
		{"a curve that its type has not", func(k map[string]any) { k["kty"], k["crv"] = "OKP", "Ed25519" }},
		{"no key", func(k map[string]any) { clear(k) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := a.signing("activate", fields{"secret": shown.Secret})
			key := a.jwk()
			tt.change(key)
			s.header["jwk"] = key
			if r := h.send(t, s.method, s.name, a.sign(s), s.body); r.status != http.StatusUnauthorized || r.code() != "signature" {
				t.Errorf("got %d %q, want 401 signature", r.status, r.code())
			}
		})
	}
	if got := h.Shown(t, j).State; got != enroll.Waiting {
		t.Errorf("after all that the activation is %q, want %q", got, enroll.Waiting)
	}
}

// respelt returns another base64 text of the same 32 bytes: the last of its 43
// letters stands for four bits and has room for six.
func respelt(text string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(text) - 1
	return text[:last] + string(letters[strings.IndexByte(letters, text[last])|1])
}

// Whoever replays a call made for another server chooses the Host header; the
// address signed is compared with the one we are configured with.
func TestSignature_TheHostHeaderIsNotBelieved(t *testing.T) {
	h := onSQLite(t)
	a := h.enrolled(t, h.User, true)
	s := a.signing("status", nil)
	s.payload["htu"] = "http://evil.example" + Path + "status"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.server.URL+Path+"status", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "evil.example"
	req.Header.Set(SignatureHeader, a.sign(s))
	res, err := h.server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %d, want 401", res.StatusCode)
	}
}

// A call that was recorded and is played again changes nothing.
func TestSignature_AReplayIsRefused(t *testing.T) {
	each(t, func(t *testing.T, h *fixture) {
		a := h.enrolled(t, h.User, true)
		off, on := a.signing("settings", fields{"push": false}), a.signing("settings", fields{"push": true})
		recorded := a.sign(off)
		if r := h.send(t, off.method, off.name, recorded, off.body); r.status != http.StatusOK {
			t.Fatalf("settings: %d %v", r.status, r.body)
		}
		if r := h.send(t, on.method, on.name, a.sign(on), on.body); r.status != http.StatusOK {
			t.Fatalf("settings: %d %v", r.status, r.body)
		}
		h.Clock.Advance(59 * time.Second)
		if r := h.send(t, off.method, off.name, recorded, off.body); r.status != http.StatusUnauthorized || r.code() != "replayed" {
			t.Errorf("replay: got %d %q, want 401 replayed", r.status, r.code())
		}
		if push := a.must(t, "status", nil)["push"].(map[string]any)["state"]; push != "enabled" {
			t.Errorf("after the replay push is %v, want enabled", push)
		}
		h.Clock.Advance(2 * time.Second)
		if r := h.send(t, off.method, off.name, recorded, off.body); r.code() != "clock" {
			t.Errorf("late replay: got %q, want clock", r.code())
		}
	})
}

// The body is signed with the rest: one put in its place is refused.
func TestSignature_CoversTheBody(t *testing.T) {
	h := onSQLite(t)
	a := h.enrolled(t, h.User, true)
	s := a.signing("settings", fields{"push": true})
	if r := h.send(t, s.method, s.name, a.sign(s), []byte(`{"push":false}`)); r.code() != "signature" {
		t.Errorf("got %d %q, want signature", r.status, r.code())
	}
}

// The page's own example, whose key is that of RFC 7515, appendix A.3.
func TestSignature_TheProtocolsExample(t *testing.T) {
	page, err := os.ReadFile("../../docs/protocol-authenticator.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(page), "```text example=jws\n")
	if !found {
		t.Fatal("the page has no example of a signature")
	}
	jws, _, _ := strings.Cut(after, "\n")
	e, err := parseEnvelope(jws)
	if err != nil {
		t.Fatal(err)
	}
	key, err := parseKey([]byte(`{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`))
	if err != nil {
		t.Fatal(err)
	}
	if !e.verify(key) {
		t.Error("the signature on the page does not verify")
	}
	if got, want := key.thumbprint(), "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"; got != want || e.kid != want {
		t.Errorf("thumbprint %q, kid %q, want %q", got, e.kid, want)
	}
	if e.claims.Type != "pending" || e.claims.At != 1794990000 || len(e.claims.Capabilities) != 3 {
		t.Errorf("claims %+v", e.claims)
	}
}

func FuzzParseEnvelope(f *testing.F) {
	var seed [16]byte
	rand.Read(seed[:])
	f.Add("")
	f.Add("..")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add(b64([]byte(`{"alg":"ES256","typ":"latchkey-app+jwt","kid":"x"}`)) + "." + b64([]byte(`{"jti":"`+b64(seed[:])+`","ver":"a/1.2.3"}`)) + "." + b64(make([]byte, 64)))
	f.Fuzz(func(t *testing.T, value string) {
		e, err := parseEnvelope(value)
		if err != nil {
			return
		}
		if e.key != nil {
			e.verify(e.key)
			if again, err := parseKey(e.key.jwk); err != nil || again.thumbprint() != e.key.thumbprint() {
				t.Errorf("%q: the key kept is not the key sent: %v", value, err)
			}
		}
	})
}
