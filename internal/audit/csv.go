package audit

import (
	"encoding/csv"
	"io"
	"strings"
)

// A CSV writes rows for spreadsheets (RFC 4180). A cell that a spreadsheet
// would take for a formula gets an apostrophe in front, which makes it text:
// whoever types =HYPERLINK(…) for a user name must not have it run on the
// machine of the operator who opens the export.
type CSV struct{ w *csv.Writer }

// NewCSV returns a CSV that has written its head.
func NewCSV(w io.Writer, head ...string) (*CSV, error) {
	c := &CSV{csv.NewWriter(w)}
	return c, c.Write(head...)
}

// Write writes a row. It may stay in memory until Flush.
func (c *CSV) Write(cells ...string) error {
	safe := make([]string, len(cells))
	for i, cell := range cells {
		safe[i] = Cell(cell)
	}
	return c.w.Write(safe)
}

// Flush writes what is still in memory.
func (c *CSV) Flush() error {
	c.w.Flush()
	return c.w.Error()
}

// formulas are what a formula can begin with: the four signs, as wide letters
// too, which some spreadsheets fold, and what they skip before looking.
const formulas = "=+-@＝＋－＠\t\r\n"

// Cell is a text as it stands in a cell of a spreadsheet.
func Cell(text string) string {
	if text != "" && strings.ContainsRune(formulas, []rune(text)[0]) {
		return "'" + text
	}
	return text
}
