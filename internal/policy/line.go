package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Locate sets the line of each problem to the line of the document where its
// field stands: the name of a member, or the item of a list. The line stays 0 for
// a field that the document does not contain.
func (ps Problems) Locate(document []byte) {
	lines := make(map[string]int)
	dec := json.NewDecoder(bytes.NewReader(document))
	err := fieldLines(dec, document, "", lines)
	if wrong, ok := errors.AsType[*json.SyntaxError](err); ok {
		lines[""] = lineAt(document, wrong.Offset)
	} else if err != nil { // the document is truncated
		lines[""] = lineAt(document, int64(len(bytes.TrimRight(document, " \t\r\n"))))
	}
	for i, p := range ps {
		ps[i].Line = lines[p.Field]
	}
}

// fieldLines records the line of every field inside a value. If a member occurs
// twice, its second line is recorded, because that one is the mistake.
func fieldLines(dec *json.Decoder, document []byte, path string, lines map[string]int) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	for i := 0; token == json.Delim('[') && dec.More(); i++ {
		item := fmt.Sprintf("%s[%d]", path, i)
		lines[item] = lineAt(document, nextValue(document, dec.InputOffset()))
		if err := fieldLines(dec, document, item, lines); err != nil {
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
		if err := fieldLines(dec, document, member, lines); err != nil {
			return err
		}
	}
	if token == json.Delim('[') || token == json.Delim('{') {
		_, err = dec.Token()
	}
	return err
}

// nextValue returns the offset of the value that follows an offset.
func nextValue(document []byte, offset int64) int64 {
	rest := bytes.TrimLeft(document[offset:], ", \t\r\n")
	return int64(len(document) - len(rest))
}

// lineAt returns the line number of an offset, counted from 1.
func lineAt(document []byte, offset int64) int {
	return 1 + bytes.Count(document[:min(offset, int64(len(document)))], []byte("\n"))
}
