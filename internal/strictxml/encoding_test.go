package strictxml

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// inUTF16 writes a text as UTF-16.
func inUTF16(text string, order binary.AppendByteOrder) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, u)
	}
	return out
}

func TestToUTF8(t *testing.T) {
	const plain = `<?xml version="1.0"?>` // a declaration without its encoding
	const body = `<a b="Krähe 𝄞"/>`
	const latin = "<a b=\"Kr\u00e4he\"/>"
	bom := func(order binary.AppendByteOrder, text string) []byte {
		return append(inUTF16("\ufeff", order), inUTF16(text, order)...)
	}
	for _, tt := range []struct {
		name string
		doc  []byte
		want string
	}{
		{"UTF-8 alone", []byte(body), body},
		{"UTF-8, declared", []byte(`<?xml version="1.0" encoding='utf-8' standalone="yes"?>` + body), `<?xml version="1.0" standalone="yes"?>` + body},
		{"UTF-8, version alone", []byte(plain + body), plain + body},
		{"UTF-8 with its mark", []byte("\ufeff" + body), body},
		{"UTF-8 with its mark, declared as something else", []byte("\ufeff" + `<?xml version="1.0" encoding="iso-8859-1"?>` + body), plain + body},
		{"UTF-16, little end first", bom(binary.LittleEndian, `<?xml version="1.0" encoding="utf-16"?>`+body), plain + body},
		{"UTF-16, big end first", bom(binary.BigEndian, `<?xml version="1.0" encoding="utf-16"?>`+body), plain + body},
		{"UTF-16, still declared as UTF-8", bom(binary.LittleEndian, `<?xml version="1.0" encoding="UTF-8"?>`+body), plain + body},
		{"UTF-16 without a mark", inUTF16(`<?xml version="1.0" encoding="UTF-16"?>`+body, binary.LittleEndian), plain + body},
		{"UTF-16 without anything", inUTF16(body, binary.BigEndian), body},
		{"ISO 8859-1", []byte("<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><a b=\"Kr\xe4he\"/>"), plain + latin},
		{"Latin-1 by another name", []byte("<?xml version='1.0' encoding = 'latin1' ?><a b=\"Kr\xe4he\"/>"), "<?xml version='1.0' ?>" + latin},
		{"US-ASCII", []byte(`<?xml version="1.0" encoding="US-ASCII"?><a b="Kr&#228;he"/>`), plain + `<a b="Kr&#228;he"/>`},
		{"nothing", nil, ""},
	} {
		got, err := ToUTF8(tt.doc)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
	for _, tt := range []struct {
		name  string
		doc   []byte
		cause string // in words for who has the file
	}{
		{"another character set", []byte(`<?xml version="1.0" encoding="windows-1252"?><a/>`), `character set "windows-1252"`},
		{"one nobody knows", []byte(`<?xml version="1.0" encoding="UTF-7"?><a/>`), `character set "utf-7"`},
		{"UTF-32", append([]byte{0xff, 0xfe, 0, 0}, "<\x00\x00\x00"...), "UTF-32"},
		{"UTF-16 that is none", []byte(`<?xml version="1.0" encoding="UTF-16"?><a/>`), "and is not"},
		{"half a character", append(bom(binary.LittleEndian, "<a/>"), 'x'), "half a character"},
		{"half a pair", bom(binary.LittleEndian, "<a b=\"")[:14:14], ""},
		{"ASCII that is none", []byte("<?xml version=\"1.0\" encoding=\"US-ASCII\"?><a b=\"\xe4\"/>"), "byte 48"},
		{"undeclared Latin-1", []byte("<a b=\"\xe4\"/>"), "not UTF-8"},
		{"Latin-1 declared as UTF-8", []byte("<?xml version=\"1.0\" encoding=\"UTF-8\"?><a b=\"\xe4\"/>"), "not UTF-8"},
	} {
		if tt.name == "half a pair" {
			tt.doc, tt.cause = append(tt.doc, 0x34, 0xd8, '"', 0), "no character"
		}
		if got, err := ToUTF8(tt.doc); err == nil || !strings.Contains(err.Error(), tt.cause) || !strings.Contains(err.Error(), "UTF-") {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.cause)
		}
	}
}

// A message is read as it came: another encoding would let two readers differ (T-SAML-03).
func TestTSAML03_MessagesAreUTF8Alone(t *testing.T) {
	for name, doc := range map[string][]byte{
		"UTF-16":     append(inUTF16("\ufeff", binary.LittleEndian), inUTF16("<a/>", binary.LittleEndian)...),
		"ISO 8859-1": []byte("<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><a b=\"\xe4\"/>"),
		"UTF-7":      []byte(`<?xml version="1.0" encoding="UTF-7"?><a/>`),
	} {
		if err := CheckMessage(doc); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzToUTF8(f *testing.F) {
	f.Add([]byte("\xff\xfe<\x00a\x00/\x00>\x00"))
	f.Add([]byte(`<?xml version="1.0" encoding="iso-8859-1"?><a/>`))
	f.Add([]byte("\x00<\x00?"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		out, err := ToUTF8(doc)
		if err != nil {
			return
		}
		if !utf8.Valid(out) || len(out) > 3*len(doc) {
			t.Errorf("%q became %q", doc, out)
		}
		// What is UTF-8 already, and says nothing else, stays as it is.
		if utf8.Valid(doc) && !bytes.HasPrefix(doc, []byte("<?xml")) && !bytes.HasPrefix(doc, []byte("\ufeff")) &&
			!bytes.Contains(doc, []byte{0}) && !bytes.Equal(doc, out) {
			t.Errorf("%q became %q", doc, out)
		}
	})
}
