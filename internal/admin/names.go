package admin

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// ReadNames reads user names from CSV (RFC 4180) in UTF-8: from the column "name" if a
// header row has one, as files for the import of users do, and else from the first
// column.
func ReadNames(data []byte) ([]string, error) {
	wrong := func(err error) error {
		return &identity.Error{Kind: identity.Invalid, Key: "error.invalid", Err: err}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // as spreadsheets write it
	if !utf8.Valid(data) {
		return nil, wrong(errors.New("the file is not UTF-8; save it as \"CSV UTF-8\""))
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord = -1
	var names []string
	column, first := 0, true
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, wrong(err)
		}
		if first {
			first = false
			header := -1
			for i, field := range record {
				if strings.EqualFold(strings.TrimSpace(field), "name") {
					header = i
				}
			}
			if header >= 0 {
				column = header
				continue
			}
		}
		if line, _ := r.FieldPos(0); len(record) <= column {
			return nil, wrong(fmt.Errorf("line %d has no name", line))
		}
		if name := strings.TrimSpace(record[column]); name != "" {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, wrong(errors.New("there is no name in the file"))
	}
	return names, nil
}
