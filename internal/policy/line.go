package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Locate notes at each problem the line of the document on which its field
// stands: the name of a member, or an item of a list. A field that is missing
// has no line, and neither has one that the document does not write out.
func (ps Problems) Locate(document []byte) {
	lines := make(map[string]int)
	dec := json.NewDecoder(bytes.NewReader(document))
	err := places(dec, document, "", lines)
	if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
		lines[""] = lineAt(document, wrong.Offset)
	} else if err != nil { // it ends before it is whole
		lines[""] = lineAt(document, int64(len(bytes.TrimRight(document, " \t\r\n"))))
	}
	for i, p := range ps {
		ps[i].Line = lines[p.Field]
	}
}

// places notes the line of all that a value holds, by field. Of a member that is
// there twice it is the second, the one that is too many.
func places(dec *json.Decoder, document []byte, path string, lines map[string]int) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	for i := 0; token == json.Delim('[') && dec.More(); i++ {
		item := fmt.Sprintf("%s[%d]", path, i)
		lines[item] = lineAt(document, next(document, dec.InputOffset()))
		if err := places(dec, document, item, lines); err != nil {
			return err
		}
	}
	for token == json.Delim('{') && dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		member := join(path, fmt.Sprint(name))
		lines[member] = lineAt(document, dec.InputOffset())
		if err := places(dec, document, member, lines); err != nil {
			return err
		}
	}
	if token == json.Delim('[') || token == json.Delim('{') {
		_, err = dec.Token()
	}
	return err
}

// next is the offset of the value that follows an offset.
func next(document []byte, offset int64) int64 {
	rest := bytes.TrimLeft(document[offset:], ", \t\r\n")
	return int64(len(document) - len(rest))
}

// lineAt is the line of an offset, from 1.
func lineAt(document []byte, offset int64) int {
	return 1 + bytes.Count(document[:min(offset, int64(len(document)))], []byte("\n"))
}
