package pskc

import (
	"bytes"
	"encoding/base32"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Columns are the column names of a CSV file, in any order. serial and seed are
// required. An empty field of another column has the default: totp, 6 digits, 30
// seconds, counter 0, sha1.
var Columns = []string{"serial", "kind", "seed", "digits", "step", "counter", "algorithm", "manufacturer"}

// ReadCSV reads the tokens of a CSV file (RFC 4180) in UTF-8 with a header row. A
// seed is hexadecimal or Base32. A seed that can be read as both is hexadecimal,
// which vendors use, unless it begins with "base32:". If anything is wrong, it
// returns no keys and an identity.Error that wraps all [Problems].
func ReadCSV(data []byte) ([]Key, error) {
	if len(data) > MaxSize {
		return nil, fileError("is larger than %d MiB; split it", MaxSize>>20)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // spreadsheets write a byte order mark
	if !utf8.Valid(data) {
		return nil, fileError("is not UTF-8; save it as \"CSV UTF-8\"")
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord = -1 // checked below, to report the line
	header, err := r.Read()
	if err != nil {
		return nil, Problems{{Line: 1, Err: fmt.Errorf("no header row: %w", err)}}.err()
	}
	if err := checkHeader(header); err != nil {
		return nil, err
	}
	var g collector
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return g.result()
		}
		if parse, ok := errors.AsType[*csv.ParseError](err); ok {
			// Fields after an unclosed quote cannot be separated, so reading stops here.
			g.problems = append(g.problems, Problem{Line: parse.StartLine, Err: parse.Err})
			return g.result()
		}
		line, _ := r.FieldPos(0)
		if len(record) != len(header) {
			g.problems = append(g.problems, Problem{Line: line, Err: fmt.Errorf("has %d fields, the header %d", len(record), len(header))})
			continue
		}
		k, faults := keyFromRecord(line, header, record)
		g.add(k, faults...)
	}
}

func checkHeader(header []string) error {
	var problems Problems
	bad := func(column, format string, args ...any) {
		problems = append(problems, Problem{Line: 1, Err: fmt.Errorf("column "+strconv.Quote(column)+" "+format, args...)})
	}
	for i, column := range header {
		header[i] = strings.ToLower(strings.TrimSpace(column))
		switch near := identity.Nearest(header[i], Columns); {
		case slices.Contains(header[:i], header[i]):
			bad(header[i], "is there twice")
		case slices.Contains(Columns, header[i]):
		case near != "":
			bad(column, "is not known; did you mean %s?", near)
		default:
			bad(column, "is not known; there are %s", strings.Join(Columns, ", "))
		}
	}
	for _, column := range []string{"serial", "seed"} {
		if !slices.Contains(header, column) {
			bad(column, "is missing")
		}
	}
	return problems.err()
}

// keyFromRecord returns the token of a row, and what in its fields is wrong.
func keyFromRecord(line int, header, record []string) (Key, []error) {
	k := Key{Line: line, Digits: 6, Algorithm: SHA1}
	var faults []error
	step := int64(30)
	number := func(column, field string) int64 {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s %q is no number", column, field))
		}
		return n
	}
	for i, column := range header {
		field := strings.TrimSpace(record[i])
		if field == "" {
			continue
		}
		var err error
		switch column {
		case "serial":
			k.Serial = field
		case "manufacturer":
			k.Manufacturer = normalizeSpace(field)
		case "kind":
			switch strings.ToLower(field) {
			case "totp":
			case "hotp":
				k.Event = true
			default:
				err = fmt.Errorf("kind %q is neither totp nor hotp", field)
			}
		case "seed":
			k.Seed, err = parseSeed(field)
		case "digits":
			k.Digits = int(number(column, field))
		case "step":
			step = number(column, field)
		case "counter":
			k.Counter = number(column, field)
		case "algorithm":
			k.Algorithm = strings.ReplaceAll(strings.ToUpper(field), "-", "")
			if !slices.Contains([]string{SHA1, SHA256, SHA512}, k.Algorithm) {
				err = fmt.Errorf("algorithm %q is none of sha1, sha256, sha512", field)
			}
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	if len(k.Seed) == 0 && len(faults) == 0 {
		faults = append(faults, errors.New("has no seed"))
	}
	if k.Event {
		return k, faults
	}
	k.Period = step
	if k.Counter != 0 {
		faults = append(faults, errors.New("has a counter, and is of the kind totp"))
	}
	return k, faults
}

// parseSeed reads a seed as vendors write it. Its errors do not quote any of it.
func parseSeed(field string) ([]byte, error) {
	text := strings.NewReplacer(" ", "", "-", "", ":", "").Replace(field)
	if rest, ok := strings.CutPrefix(strings.ToLower(field), "base32:"); ok {
		text = strings.ReplaceAll(rest, " ", "")
	} else if data, err := hex.DecodeString(text); err == nil {
		return data, nil
	}
	data, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.TrimRight(strings.ToUpper(text), "="))
	if err != nil {
		return nil, errors.New("the seed is neither hexadecimal nor Base32")
	}
	return data, nil
}
