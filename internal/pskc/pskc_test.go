package pskc

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// rfcSeed is the seed of the examples in RFC 6030.
var rfcSeed = []byte("12345678901234567890")

func figure(t testing.TB, n int) []byte {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("testdata/figure%d.xml", n))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// opens returns the keys of RFC 6030, sections 6.1 and 6.2.
func opens(how, name string) ([]byte, error) {
	switch {
	case how == ByKey && name == "Pre-shared-key":
		return hex.DecodeString("12345678901234567890123456789012")
	case how == ByPassphrase && name == "My Password 1":
		return []byte("qwerty"), nil
	}
	return nil, fmt.Errorf("asked for %s %q", how, name)
}

func refuses(string, string) ([]byte, error) { return nil, errors.New("nobody knows it") }

// TestCRED1_Figures reads the examples of RFC 6030.
func TestCRED1_Figures(t *testing.T) {
	for _, tt := range []struct {
		figure int
		want   []Key
	}{
		{3, []Key{{Line: 4, Serial: "987654321", Manufacturer: "Manufacturer", Event: true, Seed: rfcSeed, Digits: 8, Algorithm: SHA1}}},
		{6, []Key{{Line: 20, Serial: "987654321", Manufacturer: "Manufacturer", Event: true, Seed: rfcSeed, Digits: 8, Algorithm: SHA1}}},
		{7, []Key{{Line: 40, Serial: "987654321", Manufacturer: "TokenVendorAcme", Event: true, Seed: rfcSeed, Digits: 8, Algorithm: SHA1}}},
	} {
		got, err := ReadPSKC(figure(t, tt.figure), opens)
		if err != nil {
			t.Errorf("figure %d: %v", tt.figure, err)
			continue
		}
		if !slices.EqualFunc(got, tt.want, same) {
			t.Errorf("figure %d: got %#v, want %#v", tt.figure, got, tt.want)
		}
	}
}

func same(a, b Key) bool {
	return bytes.Equal(a.Seed, b.Seed) && fmt.Sprintf("%#v", withoutSeed(a)) == fmt.Sprintf("%#v", withoutSeed(b))
}

func withoutSeed(k Key) Key { k.Seed = nil; return k }

// The example of figure 10 has the same serial twice, of which only one can be imported.
func TestCRED1_Bulk(t *testing.T) {
	_, err := ReadPSKC(figure(t, 10), refuses)
	if want := "line 85: serial 9999999: is in line 58 already"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	got, err := ReadPSKC(bytes.Replace(figure(t, 10), []byte("9999999"), []byte("8888888"), 1), refuses)
	if err != nil || len(got) != 4 {
		t.Fatalf("got %d keys, %v", len(got), err)
	}
	if want := time.Date(2006, 5, 31, 0, 0, 0, 0, time.UTC); !got[0].ExpiresAt.Equal(want) {
		t.Errorf("expires %v, want %v", got[0].ExpiresAt, want)
	}
}

// totp returns a TOTP token with additional content in its parts.
func totp(parameters, data, policy string) string {
	return `<KeyContainer Version="1.0" xmlns="urn:ietf:params:xml:ns:keyprov:pskc"><KeyPackage>
		<DeviceInfo><SerialNo>T1</SerialNo></DeviceInfo>
		<Key Id="1" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:totp"><AlgorithmParameters>` + parameters + `</AlgorithmParameters>
		<Data><Secret><PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</PlainValue></Secret>` + data + `</Data><Policy>` + policy + `</Policy></Key>
	</KeyPackage></KeyContainer>`
}

func TestCRED1_TOTP(t *testing.T) {
	got, err := ReadPSKC([]byte(totp(`<Suite>HMAC-SHA256</Suite><ResponseFormat Length="6" Encoding="DECIMAL"/>`,
		`<Time><PlainValue>0</PlainValue></Time><TimeInterval><PlainValue> 60 </PlainValue></TimeInterval><TimeDrift><PlainValue>-2</PlainValue></TimeDrift>`,
		`<ExpiryDate>2037-12-31T00:00:00Z</ExpiryDate><KeyUsage>OTP</KeyUsage>`)), refuses)
	want := []Key{{Line: 1, Serial: "T1", Seed: rfcSeed, Digits: 6, Period: 60, Drift: -2, Algorithm: SHA256,
		ExpiresAt: time.Date(2037, 12, 31, 0, 0, 0, 0, time.UTC)}}
	if err != nil || !slices.EqualFunc(got, want, same) {
		t.Errorf("got %#v, %v, want %#v", got, err, want)
	}
}

// A file is read in the encodings that operators' programs save it in, and refused in others with what to do.
func TestCRED1_Encodings(t *testing.T) {
	file := totp("", "", "")
	want, err := ReadPSKC([]byte(file), opens)
	if err != nil {
		t.Fatal(err)
	}
	wide := []byte{0xff, 0xfe}
	for _, r := range `<?xml version="1.0" encoding="UTF-8"?>` + file { // ASCII alone
		wide = append(wide, byte(r), 0)
	}
	for name, data := range map[string][]byte{
		"UTF-16":     wide,
		"with a BOM": []byte("\ufeff" + file),
		"Latin-1":    []byte(`<?xml version="1.0" encoding="iso-8859-1"?>` + strings.Replace(file, "<KeyPackage>", "<!-- Kr\xe4he --><KeyPackage>", 1)),
	} {
		if got, err := ReadPSKC(data, opens); err != nil || !slices.EqualFunc(got, want, same) {
			t.Errorf("%s: got %#v, %v, want %#v", name, got, err, want)
		}
	}
	if _, err := ReadPSKC([]byte(`<?xml version="1.0" encoding="windows-1252"?>`+file), opens); err == nil || !strings.Contains(err.Error(), "save it as UTF-8") {
		t.Errorf("another character set: %v", err)
	}
}

// Restrictions that cannot be enforced are refused by name.
func TestCRED1_Refused(t *testing.T) {
	const container = `<KeyContainer Version="1.0" xmlns="urn:ietf:params:xml:ns:keyprov:pskc"`
	f6, f7 := string(figure(t, 6)), string(figure(t, 7))
	for _, tt := range []struct{ name, file, want string }{
		{"short seed", string(figure(t, 2)), "line 5: serial 12345678: the seed has 4 bytes"},
		{"nothing", "", "is no XML"},
		{"no token", container + `></KeyContainer>`, "there is no token in it"},
		{"cut off", container + `><KeyPackage>`, "unexpected EOF"},
		{"other XML", `<html/>`, `is no PSKC file: it begins with "html"`},
		{"a draft", strings.ReplaceAll(string(figure(t, 3)), "keyprov:pskc", "keyprov:pskc:1.0"), "is no PSKC file"},
		{"entities", `<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>` + totp("", "", ""), "a document type is declared"},
		{"depth", container + `>` + strings.Repeat("<Extensions>", 40), "more than 32 deep"},
		{"asymmetric", container + ` xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><EncryptionKey><ds:X509Data/></EncryptionKey></KeyContainer>`,
			"is encrypted to X509Data, an asymmetric key"},
		{"steps", totp("", "<TimeInterval><PlainValue>45</PlainValue></TimeInterval>", ""), "time steps of 45 seconds"},
		{"digits", totp(`<ResponseFormat Length="7" Encoding="DECIMAL"/>`, "", ""), "passcodes of 7 digits"},
		{"letters", totp(`<ResponseFormat Length="6" Encoding="HEXADECIMAL"/>`, "", ""), "writes passcodes as HEXADECIMAL"},
		{"check digit", totp(`<ResponseFormat Length="6" Encoding="DECIMAL" CheckDigits="true"/>`, "", ""), "appends a check digit"},
		{"challenge", totp(`<ChallengeFormat Encoding="DECIMAL" Min="6" Max="6"/>`, "", ""), "answers challenges"},
		{"suite", totp(`<Suite>HMAC-MD5</Suite>`, "", ""), `suite "HMAC-MD5"`},
		{"PIN", totp("", "", `<PINPolicy PINUsageMode="Prepend"/>`), `a PIN policy of the mode "Prepend"`},
		{"usage", totp("", "", `<KeyUsage>Encrypt</KeyUsage>`), "may be used for Encrypt"},
		{"transactions", totp("", "", `<NumberOfTransactions>5</NumberOfTransactions>`), "NumberOfTransactions"},
		{"unknown policy", totp("", "", `<Moon>full</Moon>`), `a policy "Moon" that is not known`},
		{"start", totp("", "<Time><PlainValue>42</PlainValue></Time>", ""), "its time is 42"},
		{"no MAC", strings.ReplaceAll(f6, "Su+NvtQfmvfJzF6bmQiJqoLRExc=", ""), "without a MAC"},
		{"another MAC", strings.Replace(f6, "Su+N", "Su+M", 1), "its MAC is wrong"},
		{"no method", f6[:strings.Index(f6, "<MACMethod")] + f6[strings.Index(f6, "</MACMethod>")+len("</MACMethod>"):], "without a MAC"},
		{"changed", strings.Replace(f6, "AAECAwQF", "AAECAwQG", 1), "its MAC is wrong"},
		{"rounds", strings.Replace(f7, "<IterationCount>1000", "<IterationCount>2000000000", 1), "wants 2000000000 rounds"},
		{"cipher", strings.ReplaceAll(f6, "aes128-cbc", "tripledes-cbc"), `tripledes-cbc"; AES in CBC mode`},
		{"no key named", f6[:strings.Index(f6, "<EncryptionKey>")] + f6[strings.Index(f6, "</EncryptionKey>")+len("</EncryptionKey>"):],
			"does not say under which key"},
	} {
		got, err := ReadPSKC([]byte(tt.file), opens)
		if err == nil || !strings.Contains(err.Error(), tt.want) || got != nil {
			t.Errorf("%s: got %v, %v, want %q", tt.name, got, err, tt.want)
		}
	}
	if _, err := ReadPSKC([]byte(f7), func(string, string) ([]byte, error) { return []byte("qwertz"), nil }); err == nil {
		t.Error("the wrong passphrase opened the file")
	}
}

// TestCRED1_MACFirst changes one bit of a seed at a time. Without the comparison
// of the MAC in decrypter.decrypt, the changed seeds are accepted.
func TestCRED1_MACFirst(t *testing.T) {
	file := figure(t, 6)
	at := bytes.Index(file, []byte("AAECAwQF"))
	for i := range 16 { // of the initialisation vector: each changes the seed's first block, and nothing else
		changed := bytes.Clone(file)
		if changed[at+i] = 'B'; changed[at+i] == file[at+i] {
			changed[at+i] = 'C'
		}
		if got, err := ReadPSKC(changed, opens); err == nil {
			t.Errorf("character %d changed: read %x", i, got[0].Seed)
		}
	}
}

// sealed is a value that is encrypted under the key of RFC 6030, section 6.1, with its MAC
// under the same key.
func sealed(t *testing.T, plain string) string {
	t.Helper()
	key, err := hex.DecodeString("12345678901234567890123456789012")
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	padding := aes.BlockSize - len(plain)%aes.BlockSize
	text := append([]byte(plain), bytes.Repeat([]byte{byte(padding)}, padding)...)
	data := append([]byte("initialisation v"), text...)
	cipher.NewCBCEncrypter(block, data[:aes.BlockSize]).CryptBlocks(data[aes.BlockSize:], text)
	mac := hmac.New(sha1.New, key)
	mac.Write(data)
	return `<EncryptedValue><xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/><xenc:CipherData><xenc:CipherValue>` +
		base64.StdEncoding.EncodeToString(data) + `</xenc:CipherValue></xenc:CipherData></EncryptedValue><ValueMAC>` +
		base64.StdEncoding.EncodeToString(mac.Sum(nil)) + `</ValueMAC>`
}

// Any value may be encrypted, not the seed alone, as digits or as bytes. Its MAC is checked
// like that of a seed: without the comparison in decrypter.decrypt, the changed one is read.
func TestCRED1_AnyValueEncrypted(t *testing.T) {
	container := func(algorithm, data string) string {
		return `<KeyContainer Version="1.0" xmlns="urn:ietf:params:xml:ns:keyprov:pskc" xmlns:ds="http://www.w3.org/2000/09/xmldsig#"
			xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"><EncryptionKey><ds:KeyName>Pre-shared-key</ds:KeyName></EncryptionKey>
			<MACMethod Algorithm="http://www.w3.org/2000/09/xmldsig#hmac-sha1"></MACMethod>
			<KeyPackage><DeviceInfo><SerialNo>T1</SerialNo></DeviceInfo><Key Id="1" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:` + algorithm + `">
			<AlgorithmParameters><ResponseFormat Length="6" Encoding="DECIMAL"/></AlgorithmParameters>
			<Data><Secret>` + sealed(t, string(rfcSeed)) + `</Secret>` + data + `</Data></Key></KeyPackage></KeyContainer>`
	}
	hotp := func(counter string) string { return container("hotp", "<Counter>"+counter+"</Counter>") }
	for name, want := range map[string]int64{"7": 7, " 42 ": 42, "\x00\x00\x01\x00": 256, "\x00\x00\x00\x00\x00\x00\x02\x01": 513} {
		got, err := ReadPSKC([]byte(hotp(sealed(t, name))), opens)
		if err != nil || len(got) != 1 || got[0].Counter != want || !bytes.Equal(got[0].Seed, rfcSeed) {
			t.Errorf("counter %q: got %v, %v, want %d", name, got, err, want)
		}
	}
	timed := `<TimeInterval>` + sealed(t, "60") + `</TimeInterval><Time>` + sealed(t, "\x00\x00\x00\x00") + `</Time><TimeDrift>` + sealed(t, "\xff\xff\xff\xfe") + `</TimeDrift>`
	got, err := ReadPSKC([]byte(container("totp", timed)), opens)
	if err != nil || len(got) != 1 || got[0].Period != 60 || got[0].Drift != -2 {
		t.Errorf("got %+v, %v, want steps of 60 s and a drift of -2", got, err)
	}
	changed := strings.Replace(sealed(t, "7"), "aW5pdGlh", "aW5pdGli", 1)
	unsigned, _, _ := strings.Cut(sealed(t, "7"), "<ValueMAC>")
	for counter, want := range map[string]string{
		changed: "Counter: its MAC is wrong", unsigned: "without a MAC", sealed(t, "seven"): "its Counter is no number",
		sealed(t, "\x00\x00\x07"): "its Counter is no number", sealed(t, "-1"): "cannot be counted on from",
	} {
		if got, err := ReadPSKC([]byte(hotp(counter)), opens); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, %v, want %q", got, err, want)
		}
	}
}

func FuzzReadPSKC(f *testing.F) {
	for _, n := range []int{2, 3, 6, 7, 10} {
		f.Add(figure(f, n))
	}
	f.Add([]byte(totp("<Suite>HMAC-SHA512</Suite>", "", "")))
	f.Fuzz(func(t *testing.T, data []byte) {
		if i := bytes.Index(data, []byte("IterationCount>")); i >= 0 && !bytes.Contains(data, []byte("IterationCount>1000<")) {
			return // rounds take time, as they should
		}
		keys, err := ReadPSKC(data, opens)
		if (err == nil) != (len(keys) > 0) {
			t.Errorf("%d keys and %v", len(keys), err)
		}
		for _, k := range keys {
			if faults := k.faults(); len(faults) > 0 {
				t.Errorf("%s: %v", k, faults)
			}
		}
	})
}
