package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"iter"

	"github.com/latchkey-id/latchkey/internal/audit"
)

// Columns say how the rows of a report are shown: to people in few columns, to
// programs in all of them.
type columns[T any] struct {
	head []string
	row  func(T) []string
	// csvHead and csvRow are the same for CSV.
	csvHead []string
	csvRow  func(T) []string
}

// A printer writes rows as they come, and remembers none of them.
type printer[T any] interface {
	print(v T) error
	flush() error // what was printed can be read now
	close() error // no more rows
}

// tableRows is how many rows a table aligns at a time.
const tableRows = 500

// printAll writes all rows of a sequence.
func printAll[T any](p printer[T], rows iter.Seq2[T, error]) error {
	for v, err := range rows {
		if err == nil {
			err = p.print(v)
		}
		if err != nil {
			return errors.Join(err, p.flush())
		}
	}
	return p.close()
}

// printer returns what prints rows in the form that was asked for.
func (h columns[T]) printer(s *shell, asCSV bool) (printer[T], error) {
	out := bufio.NewWriter(s.stdout)
	switch {
	case asCSV && s.flags.JSON:
		return nil, usageErrorf("--csv and --json exclude each other")
	case asCSV:
		c, err := audit.NewCSV(out, h.csvHead...)
		return &csvPrinter[T]{c, out, h.csvRow}, err
	case s.flags.JSON:
		return &arrayPrinter[T]{out: out}, nil
	}
	return &tablePrinter[T]{out: out, sheet: h}, nil
}

type tablePrinter[T any] struct {
	out   *bufio.Writer
	sheet columns[T]
	rows  [][]string
	begun bool
}

func (p *tablePrinter[T]) print(v T) error {
	p.rows = append(p.rows, p.sheet.row(v))
	if len(p.rows) < tableRows {
		return nil
	}
	return p.flush()
}

func (p *tablePrinter[T]) flush() error {
	rows := p.rows
	if !p.begun {
		rows = append([][]string{p.sheet.head}, rows...)
	}
	p.begun, p.rows = true, nil
	if err := table(p.out, rows); err != nil {
		return err
	}
	return p.out.Flush()
}

func (p *tablePrinter[T]) close() error {
	if p.begun && len(p.rows) == 0 {
		return nil
	}
	return p.flush()
}

type csvPrinter[T any] struct {
	csv *audit.CSV
	out *bufio.Writer
	row func(T) []string
}

func (p *csvPrinter[T]) print(v T) error { return p.csv.Write(p.row(v)...) }

func (p *csvPrinter[T]) flush() error { return errors.Join(p.csv.Flush(), p.out.Flush()) }

func (p *csvPrinter[T]) close() error { return p.flush() }

// An arrayPrinter writes the same array that encode would, row by row.
type arrayPrinter[T any] struct {
	out   *bufio.Writer
	begun bool
}

func (p *arrayPrinter[T]) print(v T) error {
	lead := ",\n  "
	if !p.begun {
		lead = "[\n  "
	}
	p.begun = true
	if _, err := io.WriteString(p.out, lead); err != nil {
		return err
	}
	return encodeRow(p.out, v, "  ", "  ")
}

func (p *arrayPrinter[T]) flush() error { return p.out.Flush() }

func (p *arrayPrinter[T]) close() error {
	end := "\n]\n"
	if !p.begun {
		end = "[]\n"
	}
	if _, err := io.WriteString(p.out, end); err != nil {
		return err
	}
	return p.out.Flush()
}

// A linePrinter writes a JSON object a line, for what reads as it comes.
type linePrinter[T any] struct{ out *bufio.Writer }

func (p *linePrinter[T]) print(v T) error {
	if err := encodeRow(p.out, v, "", ""); err != nil {
		return err
	}
	return p.out.WriteByte('\n')
}

func (p *linePrinter[T]) flush() error { return p.out.Flush() }

func (p *linePrinter[T]) close() error { return p.out.Flush() }

// encodeRow writes a value without the line break that an Encoder ends with.
func encodeRow(w io.Writer, v any, prefix, indent string) error {
	enc := json.NewEncoder(trimmed{w})
	enc.SetIndent(prefix, indent)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// trimmed leaves out the line break at the end of each write.
type trimmed struct{ w io.Writer }

func (t trimmed) Write(b []byte) (int, error) {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		written, err := t.w.Write(b[:n-1])
		return written + 1, err
	}
	return t.w.Write(b)
}
