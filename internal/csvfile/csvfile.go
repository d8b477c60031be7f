// Package csvfile reads tables that operators bring from spreadsheets and from other
// programs as CSV (RFC 4180).
//
// Spreadsheets save CSV with the separator of the machine's language, with a byte order
// mark, and with empty columns and rows where something stood once; "Unicode text" is
// UTF-16 with tabs. All of that is read. What a cell means is left to who asked for the
// table.
package csvfile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// Columns are those that a table may have, in any order.
type Columns struct {
	Names    []string
	Aliases  map[string]string // what others call them; both as Fold returns them
	Required []string
	// PassOver are columns of others that say nothing needed here. With PassOverUnknown all
	// unknown ones are passed over, unless their names are nearly those of known ones.
	PassOver        []string
	PassOverUnknown bool
	// Headless returns the columns of a table whose first row is no header; nil if there is no
	// such table. comment is the text behind # in the line above, if there is one.
	Headless func(first []string, comment string) []string
}

// A Table is what was read.
type Table struct {
	Rows       []Row
	PassedOver []string // columns, as the header calls them
	Headless   bool     // the first row was no header
}

// A Row is one row.
type Row struct {
	Line  int               // where it begins, counted from 1
	Cells map[string]string // by column; without spaces around, and without empty ones
}

// A Problem is one thing wrong with a table.
type Problem struct {
	Line   int    // 0 means the file as a whole
	Column string // as the header calls it; empty means the line as a whole
	Err    error
}

// Fold returns the name of a column as it is compared: without case, and with a single
// space for each underscore and other space.
func Fold(name string) string {
	return strings.ToLower(strings.Join(strings.FieldsFunc(name, func(r rune) bool { return r == '_' || r == ' ' || r == '\u00a0' || r == '-' }), " "))
}

// Read reads a table. If rows are wrong, it returns their problems together with the rows
// that are right. No problem quotes a cell: it may be a secret.
func Read(data []byte, columns Columns) (Table, []Problem) {
	text, problem := decode(data)
	if problem != nil {
		return Table{}, []Problem{{Err: problem}}
	}
	text, separator, skipped := separatorLine(text)
	r := &reader{columns: columns, skipped: skipped}
	r.csv = csv.NewReader(bytes.NewReader(text))
	r.csv.FieldsPerRecord = -1 // checked below, to report the line
	if r.csv.Comma = separator; separator == 0 {
		r.csv.Comma = columns.separatorOf(text)
	}
	r.read()
	return r.table, r.problems
}

// decode returns the text of a file in UTF-8, or in UTF-16 with a byte order mark.
func decode(data []byte) ([]byte, error) {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		text, err := unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Bytes(data)
		if err != nil || len(data)%2 != 0 {
			return nil, errors.New("is not UTF-16, as its byte order mark says; save it as \"CSV UTF-8\"")
		}
		return text, nil
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !utf8.Valid(data) {
		return nil, errors.New("is not UTF-8; save it as \"CSV UTF-8\"")
	}
	return data, nil
}

// separators are those that spreadsheets use. Where a header does not tell, the first is
// taken.
var separators = []rune{',', ';', '\t'}

// separatorLine takes off a first line that only names the separator, as in sep=; which
// spreadsheets understand.
func separatorLine(text []byte) (rest []byte, separator rune, lines int) {
	line, rest, ok := bytes.Cut(text, []byte("\n"))
	named, is := strings.CutPrefix(strings.ToLower(strings.Trim(string(line), "\"\r ")), "sep=")
	if !ok || !is {
		return text, 0, 0
	}
	if separator, _ = utf8.DecodeRuneInString(named); !slices.Contains(separators, separator) {
		return text, 0, 0
	}
	return rest, separator, 1
}

// separatorOf is the separator by which the header has most columns that are known and, of
// those with equally many, most cells.
func (c Columns) separatorOf(text []byte) rune {
	best, most, cells := separators[0], -1, 0
	for _, separator := range separators {
		r := csv.NewReader(bytes.NewReader(text))
		r.Comma, r.Comment = separator, '#'
		header, err := r.Read()
		if err != nil {
			continue
		}
		known := 0
		for _, cell := range header {
			if _, ok := c.known(cell); ok {
				known++
			}
		}
		if known > most || known == most && len(header) > cells {
			best, most, cells = separator, known, len(header)
		}
	}
	return best
}

// known returns the column of a name, itself empty for one that is passed over.
func (c Columns) known(name string) (column string, ok bool) {
	folded := Fold(name)
	if alias, ok := c.Aliases[folded]; ok {
		return alias, true
	}
	for _, column := range c.Names {
		if Fold(column) == folded {
			return column, true
		}
	}
	return "", slices.Contains(c.PassOver, folded)
}

// A reader is one table on its way.
type reader struct {
	columns  Columns
	csv      *csv.Reader
	skipped  int      // lines before those that csv sees
	above    string   // the comment above the first row
	header   []string // as it stands in the file
	names    []string // of its columns; empty for those that are passed over
	headless bool
	table    Table
	problems []Problem
}

func (r *reader) read() {
	for first := true; ; {
		record, err := r.csv.Read()
		if parse, ok := errors.AsType[*csv.ParseError](err); ok {
			// Fields after an unclosed quote cannot be separated, so reading stops here.
			r.wrong(parse.StartLine+r.skipped, "", parse.Err)
			return
		}
		if err != nil { // io.EOF
			if first {
				r.wrong(1, "", fmt.Errorf("no header row: %w", err))
			}
			return
		}
		line, _ := r.csv.FieldPos(0)
		line += r.skipped
		switch {
		case empty(record):
		case first && r.comment(record):
		case first:
			first = false
			if !r.begin(line, record) {
				return
			}
		default:
			r.row(line, record)
		}
	}
}

// comment notes a line of comment before the first row.
func (r *reader) comment(record []string) bool {
	text, ok := strings.CutPrefix(strings.TrimSpace(record[0]), "#")
	if !ok || r.columns.Headless == nil {
		return false
	}
	r.above = strings.TrimSpace(text)
	return true
}

// begin reads the first row: the header, or a row of a table without one.
func (r *reader) begin(line int, record []string) bool {
	if r.columns.Headless != nil && !slices.ContainsFunc(record, func(cell string) bool { _, ok := r.columns.known(cell); return ok }) {
		if names := r.columns.Headless(record, r.above); names != nil {
			r.header, r.names, r.headless, r.table.Headless = names, names, true, true
			r.row(line, record)
			return true
		}
	}
	before := len(r.problems)
	for i, cell := range record {
		r.column(line, cell, record, i)
	}
	for _, column := range r.columns.Required {
		if !slices.Contains(r.names, column) {
			r.wrong(line, column, errors.New("is missing"))
		}
	}
	return len(r.problems) == before
}

// column reads a cell of the header. One that is nearly called like a column that is not
// there is taken for a typing error.
func (r *reader) column(line int, cell string, header []string, i int) {
	cell = strings.TrimSpace(cell)
	name, ok := r.columns.known(cell)
	twice := slices.ContainsFunc(header[:i], func(other string) bool { return Fold(other) == Fold(cell) })
	near := identity.Nearest(Fold(cell), r.columns.Names)
	for _, other := range header {
		if column, _ := r.columns.known(other); column == near {
			near = ""
		}
	}
	switch {
	case cell == "": // must be empty in all rows
	case twice || name != "" && slices.Contains(r.names, name):
		r.wrong(line, cell, errors.New("is there twice"))
	case ok && name == "", !ok && near == "" && r.columns.PassOverUnknown:
		r.table.PassedOver = append(r.table.PassedOver, cell)
	case ok:
	case near != "":
		r.wrong(line, cell, fmt.Errorf("is not known; did you mean %s?", near))
	default:
		r.wrong(line, cell, fmt.Errorf("is not known; there are %s", strings.Join(r.columns.Names, ", ")))
	}
	r.header, r.names = append(r.header, cell), append(r.names, name)
}

// row reads a row below the header.
func (r *reader) row(line int, record []string) {
	if r.headless && strings.HasPrefix(strings.TrimSpace(record[0]), "#") {
		return // a comment
	}
	for len(record) > len(r.names) && strings.TrimSpace(record[len(record)-1]) == "" {
		record = record[:len(record)-1] // of an empty column to the right
	}
	for r.headless && len(record) < len(r.names) {
		record = append(record, "")
	}
	for len(record) < len(r.names) && r.header[len(record)] == "" {
		record = append(record, "")
	}
	if len(record) != len(r.names) {
		r.wrong(line, "", fmt.Errorf("has %d fields, the header %d", len(record), len(r.header)))
		return
	}
	row := Row{Line: line, Cells: make(map[string]string)}
	for i, cell := range record {
		switch cell = strings.TrimSpace(cell); {
		case cell == "":
		case r.header[i] == "":
			r.wrong(line, "", fmt.Errorf("has something in column %d, which has no name", i+1))
			return
		case r.names[i] != "":
			row.Cells[r.names[i]] = cell
		}
	}
	r.table.Rows = append(r.table.Rows, row)
}

func (r *reader) wrong(line int, column string, err error) {
	r.problems = append(r.problems, Problem{line, column, err})
}

func empty(record []string) bool {
	return !slices.ContainsFunc(record, func(cell string) bool { return strings.TrimSpace(cell) != "" })
}
