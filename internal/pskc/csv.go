package pskc

import (
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/latchkey-id/latchkey/internal/csvfile"
)

// Columns are the column names of a CSV file, in any order. serial and seed are
// required. An empty field of another column has the default: totp, 6 digits, 30
// seconds, counter 0, sha1. user is whom the token is for.
var Columns = []string{"serial", "kind", "seed", "digits", "step", "counter", "algorithm", "manufacturer", "user"}

// aliases are the names that Microsoft Entra, Token2, Deepnet, privacyIDEA and LinOTP
// have for them.
var aliases = map[string]string{
	"serial number": "serial", "serialnumber": "serial", "serial no": "serial", "serial no.": "serial", "token serial": "serial", "sn": "serial",
	"secret key": "seed", "secretkey": "seed", "secret": "seed", "key": "seed", "otpkey": "seed", "otp key": "seed", "seed (hex)": "seed",
	"seed (base32)": "seed", "hex seed": "seed", "seed hex": "seed", "seed base32": "seed",
	"time interval": "step", "timeinterval": "step", "time step": "step", "timestep": "step", "interval": "step", "period": "step",
	"type": "kind", "token type": "kind", "tokentype": "kind",
	"otp length": "digits", "otplen": "digits", "otplength": "digits", "length": "digits",
	"hash": "algorithm", "hashlib": "algorithm", "hash algorithm": "algorithm",
	"vendor": "manufacturer", "upn": "user", "username": "user", "user name": "user", "user principal name": "user",
}

// ReadCSV reads the tokens of a CSV file, see package csvfile: with a header row, or
// without one as privacyIDEA has it (serial, seed, kind, digits, then the counter or the
// step, and the algorithm). A seed is hexadecimal or Base32. A seed that can be read as
// both is hexadecimal, which vendors use, unless it begins with "base32:". Columns that say
// nothing about passcodes are passed over, and returned. If anything is wrong, it returns
// no keys and an identity.Error that wraps all [Problems].
func ReadCSV(data []byte) (keys []Key, passedOver []string, err error) {
	if len(data) > MaxSize {
		return nil, nil, fileError("is larger than %d MiB; split it", MaxSize>>20)
	}
	table, wrong := csvfile.Read(data, csvfile.Columns{Names: Columns, Aliases: aliases, Required: []string{"serial", "seed"},
		PassOver: []string{"model"}, PassOverUnknown: true, Headless: headless})
	var g collector
	for _, p := range wrong {
		switch {
		case p.Line == 0:
			return nil, nil, fileError("%s", p.Err)
		case p.Column != "":
			p.Err = fmt.Errorf("column %q %w", p.Column, p.Err)
		}
		g.problems = append(g.problems, Problem{Line: p.Line, Err: p.Err})
	}
	if len(wrong) > 0 && len(table.Rows) == 0 {
		return nil, nil, g.problems.err()
	}
	for _, row := range table.Rows {
		k, faults := keyOf(row)
		if table.Headless && row.Cells["kind"] == "" {
			faults = append(faults, errors.New("does not say whether it is hotp or totp"))
		}
		g.add(k, faults...)
	}
	keys, err = g.result()
	return keys, table.PassedOver, err
}

// movingFactor is the column of files without a header that is the counter of HOTP and the
// step of TOTP.
const movingFactor = "counter or step"

// headless returns the columns of a file of privacyIDEA or LinOTP, whose first row is a
// token. In version 2 the user stands before it.
func headless(first []string, comment string) []string {
	columns := []string{"serial", "seed", "kind", "digits", movingFactor, "algorithm"}
	if version, ok := strings.CutPrefix(strings.ToLower(comment), "version:"); ok && strings.TrimSpace(version) == "2" {
		columns = append([]string{"user", "resolver", "realm"}, columns...)
	}
	at := slices.Index(columns, "seed")
	if len(first) <= at {
		return nil
	}
	if seed, err := parseSeed(strings.TrimSpace(first[at])); err != nil || len(seed) < minSeed {
		return nil
	}
	return columns
}

// keyOf returns the token of a row, and what in its cells is wrong.
func keyOf(row csvfile.Row) (Key, []error) {
	cell := func(column string) string { return row.Cells[column] }
	k := Key{Line: row.Line, Serial: cell("serial"), Manufacturer: normalizeSpace(cell("manufacturer")), User: cell("user"), Digits: 6, Algorithm: SHA1}
	var faults []error
	wrong := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if asNumber.MatchString(k.Serial) {
		wrong("the serial is a rounded number: a spreadsheet took it for one")
	}
	if seed := cell("seed"); seed != "" {
		var err error
		if k.Seed, err = parseSeed(seed); err != nil {
			faults = append(faults, err)
		}
	}
	switch kind := strings.ToLower(cell("kind")); kind {
	case "", "totp", "time", "oath-totp":
	case "hotp", "event", "oath-hotp":
		k.Event = true
	default:
		wrong("kind %q is neither totp nor hotp", cell("kind"))
	}
	number := func(column string, otherwise int64) int64 {
		if cell(column) == "" {
			return otherwise
		}
		n, err := strconv.ParseInt(cell(column), 10, 64)
		if err != nil {
			wrong("%s %q is no number", column, cell(column))
		}
		return n
	}
	if factor, ok := row.Cells[movingFactor]; ok {
		row.Cells[map[bool]string{true: "counter", false: "step"}[k.Event]] = factor
	}
	k.Digits = int(number("digits", 6))
	step := number("step", 30)
	k.Counter = number("counter", 0)
	if algorithm := cell("algorithm"); algorithm != "" {
		k.Algorithm = strings.TrimPrefix(strings.ReplaceAll(strings.ToUpper(algorithm), "-", ""), "HMAC")
		if !slices.Contains([]string{SHA1, SHA256, SHA512}, k.Algorithm) {
			wrong("algorithm %q is none of sha1, sha256, sha512", algorithm)
		}
	}
	if len(k.Seed) == 0 && len(faults) == 0 {
		wrong("has no seed")
	}
	if k.Event {
		return k, faults
	}
	if k.Period = step; k.Counter != 0 {
		wrong("has a counter, and is of the kind totp")
	}
	return k, faults
}

// asNumber matches a number as spreadsheets round it for display: its last digits are gone.
var asNumber = regexp.MustCompile(`^[0-9]+([.,][0-9]+)?[eE]\+[0-9]+$`)

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
