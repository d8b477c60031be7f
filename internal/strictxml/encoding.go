package strictxml

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDeclaration is how far into a document its declaration is looked for, in bytes.
const maxDeclaration = 512

// declaration is an XML declaration, and declared the encoding that it names (XML 1.0,
// section 2.8).
var (
	declaration = regexp.MustCompile(`^<\?xml\s[^?>]*\?>`)
	declared    = regexp.MustCompile(`\sencoding\s*=\s*(?:"([^"]*)"|'([^']*)')`)
)

// ToUTF8 returns a document that people write in UTF-8, whose declaration names no
// encoding any more. It reads UTF-8, UTF-16 (which XML 1.0, section
// 4.3.3, demands of every reader), ISO 8859-1 and US-ASCII. The error of any other
// encoding is in words for who can save the file anew. Messages of protocols do not go
// through it: they are UTF-8, so that all their readers read the same.
//
// A byte order mark is believed before a declaration, since programs that save text in
// another encoding leave the declaration as it was.
func ToUTF8(doc []byte) ([]byte, error) {
	text, sure, err := fromUnicode(doc)
	if err != nil {
		return nil, err
	}
	head := declaration.Find(text[:min(len(text), maxDeclaration)])
	at := declared.FindSubmatchIndex(head)
	if at == nil {
		return validUTF8(text)
	}
	found := declared.FindSubmatch(head)
	name := strings.ToLower(string(found[1]) + string(found[2]))
	rest := slices.Concat(text[:at[0]], text[at[1]:])
	if sure {
		return validUTF8(rest)
	}
	switch name {
	case "utf-8", "utf8":
		return validUTF8(rest)
	case "us-ascii", "ascii", "iso646-us", "ansi_x3.4-1968", "iso-ir-6":
		if i := slices.IndexFunc(text, func(c byte) bool { return c >= utf8.RuneSelf }); i >= 0 {
			return nil, fmt.Errorf("it says that it is US-ASCII, but byte %d is none; save it as UTF-8", i+1)
		}
		return rest, nil
	case "iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "latin-1", "l1":
		out := make([]byte, 0, len(rest)+len(rest)/8)
		for _, c := range rest {
			out = utf8.AppendRune(out, rune(c))
		}
		return out, nil
	case "utf-16", "utf-16le", "utf-16be":
		return nil, errors.New("it says that it is UTF-16, and is not; save it as UTF-8")
	}
	return nil, fmt.Errorf("it is in the character set %.40q, which is not read here; save it as UTF-8", name)
}

// fromUnicode reads the Unicode encodings that a document's first bytes show (XML 1.0,
// appendix F), and reports whether they showed one.
func fromUnicode(doc []byte) (text []byte, sure bool, err error) {
	switch {
	case bytes.HasPrefix(doc, []byte{0, 0, 0xfe, 0xff}), bytes.HasPrefix(doc, []byte{0xff, 0xfe, 0, 0}),
		bytes.HasPrefix(doc, []byte{0, 0, 0, '<'}), bytes.HasPrefix(doc, []byte{'<', 0, 0, 0}):
		return nil, false, errors.New("it is in UTF-32, which is not read here; save it as UTF-8")
	case bytes.HasPrefix(doc, []byte("\ufeff")):
		return TrimBOM(doc), true, nil
	case bytes.HasPrefix(doc, []byte{0xfe, 0xff}):
		text, err = fromUTF16(doc[2:], binary.BigEndian)
	case bytes.HasPrefix(doc, []byte{0xff, 0xfe}):
		text, err = fromUTF16(doc[2:], binary.LittleEndian)
	case bytes.HasPrefix(doc, []byte{0, '<'}):
		text, err = fromUTF16(doc, binary.BigEndian)
	case bytes.HasPrefix(doc, []byte{'<', 0}):
		text, err = fromUTF16(doc, binary.LittleEndian)
	default:
		return doc, false, nil
	}
	return text, true, err
}

// fromUTF16 refuses what is not whole: a surrogate alone would become another character.
func fromUTF16(doc []byte, order binary.ByteOrder) ([]byte, error) {
	if len(doc)%2 != 0 {
		return nil, errors.New("it is in UTF-16, and half a character is missing at its end")
	}
	out := make([]byte, 0, len(doc))
	for i := 0; i < len(doc); i += 2 {
		r := rune(order.Uint16(doc[i:]))
		if utf16.IsSurrogate(r) {
			second := rune(0)
			if i += 2; i < len(doc) {
				second = rune(order.Uint16(doc[i:]))
			}
			if r = utf16.DecodeRune(r, second); r == utf8.RuneError {
				return nil, fmt.Errorf("it is in UTF-16, and byte %d is no character", i-1)
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return out, nil
}

func validUTF8(text []byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("it is not UTF-8, and does not say what else; save it as UTF-8")
	}
	return text, nil
}
