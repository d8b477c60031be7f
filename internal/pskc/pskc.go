package pskc

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/strictxml"
)

// namespace is the XML namespace of RFC 6030. Drafts used others with other meanings.
const namespace = "urn:ietf:params:xml:ns:keyprov:pskc"

// algorithms are the supported key algorithms, HOTP and TOTP (RFC 6030, section
// 10.2; draft-hoyer-keyprov-pskc-algorithm-profiles).
var algorithms = map[string]struct{ event bool }{
	namespace + ":hotp": {event: true},
	namespace + ":totp": {event: false},
}

// ReadPSKC reads the tokens of a PSKC file. If its seeds are encrypted, it calls
// unlock once for the secret. If anything is wrong, it returns no keys and an
// identity.Error that wraps all [Problems].
func ReadPSKC(data []byte, unlock UnlockFunc) ([]Key, error) {
	if len(data) > MaxSize {
		return nil, fileError("is larger than %d MiB; split it", MaxSize>>20)
	}
	data, err := strictxml.ToUTF8(data)
	if err != nil {
		return nil, fileError("cannot be read: %w", err)
	}
	raw := xml.NewDecoder(bytes.NewReader(data))
	d := xml.NewTokenDecoder(&guardedTokens{raw: raw})
	root, err := rootElement(d)
	if err != nil {
		return nil, fileError("is no XML: %w", err)
	}
	if root.Name.Local != "KeyContainer" || root.Name.Space != namespace {
		return nil, fileError("is no PSKC file: it begins with %q of %q, not with KeyContainer of %s", root.Name.Local, root.Name.Space, namespace)
	}
	var g collector
	var l decrypter
	for {
		token, err := d.Token()
		if err != nil {
			line, _ := raw.InputPos()
			return nil, Problems{{Line: line, Err: fmt.Errorf("is broken: %w", err)}}.err()
		}
		if _, over := token.(xml.EndElement); over {
			return g.result()
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		line, _ := raw.InputPos()
		switch element.Name.Local {
		case "EncryptionKey":
			err = l.encryptionKey(d, element, unlock)
		case "MACMethod":
			err = l.macMethod(d, element)
		case "KeyPackage":
			var p keyPackage
			if err = d.DecodeElement(&p, &element); err == nil {
				k, faults := p.key(line, &l)
				g.add(k, faults...)
			}
		default: // names of people, extensions, and a signature, which are not needed
			err = d.Skip()
		}
		if err != nil {
			return nil, Problems{{Line: line, Err: fmt.Errorf("%s: %w", element.Name.Local, err)}}.err()
		}
	}
}

// rootElement returns the root element.
func rootElement(d *xml.Decoder) (xml.StartElement, error) {
	for {
		token, err := d.Token()
		if err != nil {
			return xml.StartElement{}, err
		}
		if root, ok := token.(xml.StartElement); ok {
			return root, nil
		}
	}
}

// guardedTokens yields the raw tokens of a file. It fails if elements are nested
// deeper than in any real file, or if a document type is declared. Entities can
// expand a small file into a huge one, or fetch another file (XXE).
type guardedTokens struct {
	raw   *xml.Decoder
	depth int
}

func (g *guardedTokens) Token() (xml.Token, error) {
	token, err := g.raw.RawToken()
	switch token.(type) {
	case xml.Directive:
		return nil, errors.New("a document type is declared, which no token file needs")
	case xml.StartElement:
		if g.depth++; g.depth > maxDepth {
			return nil, fmt.Errorf("elements lie more than %d deep", maxDepth)
		}
	case xml.EndElement:
		g.depth--
	}
	if errors.Is(err, io.EOF) && g.depth > 0 {
		err = io.ErrUnexpectedEOF
	}
	return token, err
}

// keyPackage has the parts of a KeyPackage (RFC 6030, section 4.2) that are used.
type keyPackage struct {
	Device struct {
		Manufacturer string
		SerialNo     string
		StartDate    string
		ExpiryDate   string
	} `xml:"DeviceInfo"`
	Keys []struct {
		ID         string `xml:"Id,attr"`
		Algorithm  string `xml:",attr"`
		Parameters struct {
			Suite           string
			ChallengeFormat *struct{}
			ResponseFormat  struct {
				Encoding    string `xml:",attr"`
				Length      string `xml:",attr"`
				CheckDigits string `xml:",attr"`
			}
		} `xml:"AlgorithmParameters"`
		KeyProfileID *string `xml:"KeyProfileId"`
		KeyReference *string
		Data         struct {
			Secret, Counter, Time, TimeInterval, TimeDrift *value
		}
		Policy keyPolicy
	} `xml:"Key"`
}

// keyPolicy is a Policy (section 5): what a token may be used for. RFC 6030 forbids
// using a key whose policy is not understood.
type keyPolicy struct {
	StartDate  string
	ExpiryDate string
	PIN        *struct {
		UsageMode string `xml:"PINUsageMode,attr"`
	} `xml:"PINPolicy"`
	KeyUsage             []string
	NumberOfTransactions *string
	Others               []struct{ XMLName xml.Name } `xml:",any"`
}

// key returns the token of a package, and everything that is wrong with it.
func (p keyPackage) key(line int, l *decrypter) (Key, []error) {
	k := Key{Line: line, Serial: normalizeSpace(p.Device.SerialNo), Manufacturer: normalizeSpace(p.Device.Manufacturer), Digits: 6, Algorithm: SHA1}
	var faults []error
	bad := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(p.Keys) != 1 {
		bad("has %d keys; a token has one", len(p.Keys))
		return k, faults
	}
	x := p.Keys[0]
	if k.Serial == "" {
		k.Serial = normalizeSpace(x.ID) // a file without DeviceInfo identifies its keys by Id (section 4.1)
	}
	if x.KeyProfileID != nil || x.KeyReference != nil {
		bad("holds no key, but a reference to one that somebody else keeps")
		return k, faults
	}
	algorithm, known := algorithms[x.Algorithm]
	if !known {
		bad("is of the algorithm %q; those of hotp and totp can be used", x.Algorithm)
		return k, faults
	}
	k.Event = algorithm.event
	faults = append(faults, p.readParameters(&k)...)
	note := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	var err error
	if k.Event {
		k.Counter, err = l.number(x.Data.Counter, "Counter", 0)
	} else {
		k.Period, err = l.number(x.Data.TimeInterval, "TimeInterval", 30)
		note(err)
		var zero int64
		if zero, err = l.number(x.Data.Time, "Time", 0); err == nil && zero != 0 {
			err = fmt.Errorf("its time is %d already, or counts from there; only tokens that count from 1970 can be used", zero)
		}
		note(err)
		k.Drift, err = l.number(x.Data.TimeDrift, "TimeDrift", 0)
	}
	note(err)
	note(x.Policy.apply(&k, p.Device.StartDate, p.Device.ExpiryDate))
	if k.Seed, err = l.decrypt(x.Data.Secret); err != nil {
		note(fmt.Errorf("seed: %w", err))
	}
	return k, faults
}

// readParameters reads the properties of a token's passcodes.
func (p keyPackage) readParameters(k *Key) (faults []error) {
	x := p.Keys[0].Parameters
	if f := x.ResponseFormat; f.Length != "" {
		n, err := strconv.Atoi(f.Length)
		if err != nil {
			faults = append(faults, fmt.Errorf("the length %q of a passcode is no number", f.Length))
		}
		k.Digits = n
	}
	if f := x.ResponseFormat; f.Encoding != "" && f.Encoding != "DECIMAL" {
		faults = append(faults, fmt.Errorf("writes passcodes as %s; DECIMAL can be used", f.Encoding))
	}
	if check := x.ResponseFormat.CheckDigits; check == "true" || check == "1" {
		faults = append(faults, errors.New("appends a check digit to its passcodes, which cannot be used"))
	}
	if x.ChallengeFormat != nil {
		faults = append(faults, errors.New("answers challenges; tokens that make passcodes by themselves can be used"))
	}
	if suite := normalizeSpace(x.Suite); suite != "" {
		name := strings.NewReplacer("HMAC", "", "-", "", "_", "").Replace(strings.ToUpper(suite))
		if !slices.Contains([]string{SHA1, SHA256, SHA512}, name) {
			faults = append(faults, fmt.Errorf("is of the suite %q; HMAC-SHA1, HMAC-SHA256 and HMAC-SHA512 can be used", suite))
		}
		k.Algorithm = name
	}
	return faults
}

// apply reads when a key may be used. It refuses restrictions that this server
// cannot enforce.
func (p keyPolicy) apply(k *Key, deviceStart, deviceExpiry string) error {
	var faults []error
	for _, date := range []struct {
		text string
		to   *time.Time
		late bool // of two dates the later one applies
	}{{deviceStart, &k.StartsAt, true}, {p.StartDate, &k.StartsAt, true}, {deviceExpiry, &k.ExpiresAt, false}, {p.ExpiryDate, &k.ExpiresAt, false}} {
		if normalizeSpace(date.text) == "" {
			continue
		}
		at, err := parseDateTime(normalizeSpace(date.text))
		switch {
		case err != nil:
			faults = append(faults, err)
		case date.to.IsZero(), date.late == at.After(*date.to):
			*date.to = at
		}
	}
	if p.PIN != nil && p.PIN.UsageMode != "Local" {
		faults = append(faults, fmt.Errorf("has a PIN policy of the mode %q, which cannot be held here", p.PIN.UsageMode))
	}
	if len(p.KeyUsage) > 0 && !slices.ContainsFunc(p.KeyUsage, func(use string) bool { return normalizeSpace(use) == "OTP" }) {
		faults = append(faults, fmt.Errorf("may be used for %s, not for OTP", strings.Join(p.KeyUsage, ", ")))
	}
	if p.NumberOfTransactions != nil {
		faults = append(faults, errors.New("may be used a number of times alone (NumberOfTransactions), which is not counted here"))
	}
	for _, other := range p.Others {
		faults = append(faults, fmt.Errorf("has a policy %q that is not known here, so it must not be used (RFC 6030, section 5)", other.XMLName.Local))
	}
	return errors.Join(faults...)
}

// parseDateTime reads an xs:dateTime. A value without a time zone is UTC.
func parseDateTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("the date %q cannot be read", text)
}

// A value is an element with a plain or encrypted value (section 4.2).
type value struct {
	Plain     *string    `xml:"PlainValue"`
	Encrypted *encrypted `xml:"EncryptedValue"`
	MAC       string     `xml:"ValueMAC"`
}

// number returns a value that is a number, plain or encrypted.
func (l *decrypter) number(v *value, name string, byDefault int64) (int64, error) {
	if v == nil || v.Plain == nil && v.Encrypted == nil {
		return byDefault, nil
	}
	if v.Plain == nil {
		data, err := l.decrypt(v)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		n, ok := decryptedNumber(data)
		if !ok {
			return 0, fmt.Errorf("its %s is no number", name)
		}
		return n, nil
	}
	n, err := strconv.ParseInt(normalizeSpace(*v.Plain), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("its %s is no number", name) // not quoted, as it may be a seed in the wrong place
	}
	return n, nil
}

// decryptedNumber reads a number that was encrypted as its digits, or as four or eight
// bytes, the highest first. Bytes that are digits are taken for such: as a number they would
// be larger than any counter.
func decryptedNumber(data []byte) (int64, bool) {
	if n, err := strconv.ParseInt(normalizeSpace(string(data)), 10, 64); err == nil {
		return n, true
	}
	switch len(data) {
	case 4:
		return int64(int32(binary.BigEndian.Uint32(data))), true // #nosec G115 -- xs:int is signed
	case 8:
		return int64(binary.BigEndian.Uint64(data)), true // #nosec G115 -- xs:long is signed
	}
	return 0, false
}

// normalizeSpace trims a text and replaces sequences of white space by one blank:
// XML allows white space around values.
func normalizeSpace(text string) string { return strings.Join(strings.Fields(text), " ") }

// decodeBase64 decodes base64 with white space in it, as XML allows.
func decodeBase64(text string) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, errors.New("is not base64") // the cause would quote the text
	}
	return data, nil
}
