package audit

import (
	"encoding/csv"
	"io"
	"strings"
)

// A CSV writes rows for spreadsheets (RFC 4180). A cell that a spreadsheet would
// interpret as a formula is prefixed with an apostrophe, which makes it text.
// Otherwise an attacker could type =HYPERLINK(…) as a user name and have it run on
// the machine of the operator who opens the export.
type CSV struct{ w *csv.Writer }

// NewCSV returns a CSV and writes its header row.
func NewCSV(w io.Writer, head ...string) (*CSV, error) {
	c := &CSV{csv.NewWriter(w)}
	return c, c.Write(head...)
}

// Write writes a row. The row may be buffered until Flush.
func (c *CSV) Write(cells ...string) error {
	safe := make([]string, len(cells))
	for i, cell := range cells {
		safe[i] = EscapeCell(cell)
	}
	return c.w.Write(safe)
}

// Flush writes the buffered rows.
func (c *CSV) Flush() error {
	c.w.Flush()
	return c.w.Error()
}

// formulaStarts are the characters that make a cell a formula: four signs, their
// full-width forms, which some spreadsheets fold, and white space that they skip.
const formulaStarts = "=+-@＝＋－＠\t\r\n"

// EscapeCell returns a text as a spreadsheet cell, escaped if it could be a formula.
func EscapeCell(text string) string {
	if text != "" && strings.ContainsRune(formulaStarts, []rune(text)[0]) {
		return "'" + text
	}
	return text
}
