package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/latchkey-id/latchkey/internal/directory"
)

// maxImport is the most bytes of an import: some hundred thousand users.
const maxImport = 64 << 20

type userImport struct {
	File   string `arg:"" optional:"" help:"The CSV file; - or none is standard input."`
	DryRun bool   `help:"Import nothing; say what is wrong, line by line."`
}

func (userImport) Help() string {
	return fmt.Sprintf(`The first line names the columns, of which only name must be there: %s. Comma, semicolon or tab separates columns, as the first line does. Groups are parted by semicolons and must exist. The file is looked at as a whole before anything is imported; if anything in it is wrong, nothing is. Nobody who is imported has a password: "latchkey user set NAME --password" sets one.

Users are added in batches, so that logins go on meanwhile. Should it be interrupted, it says how many were added.

Example:

    latchkey user import people.csv --dry-run`, strings.Join(directory.ImportColumns, ", "))
}

type importRow struct {
	Users    int `json:"users"` // in the file
	Imported int `json:"imported"`
}

// Run imports users.
func (c *userImport) Run(ctx context.Context, s *shell) error {
	data, err := s.readFile(c.File, maxImport+1)
	if err != nil {
		return err
	}
	if len(data) > maxImport {
		return fmt.Errorf("the file is larger than %d MiB; import it in parts", maxImport>>20)
	}
	return s.inTenant(ctx, func(ts tenantScope) error {
		people := ts.directory()
		rows, err := directory.ReadImport(data)
		if err = directory.JoinProblems(err, people.CheckImport(ctx, ts.tenant.ID, rows)); err != nil {
			return err
		}
		for _, row := range rows {
			s.noteAddresses(row.Mail)
		}
		if c.DryRun {
			return s.print(importRow{Users: len(rows)}, "All %d users can be imported.", len(rows))
		}
		tell, end := s.progress("Importing")
		n, err := people.Import(ctx, ts.who, ts.tenant.ID, rows, func(n int) { tell(int64(n), int64(len(rows))) })
		end()
		if _, wrong := errors.AsType[directory.Problems](err); err != nil && !wrong {
			done := "none was imported"
			if n > 0 {
				done = fmt.Sprintf("those up to line %d of the file were imported, the others not", rows[n-1].Line)
			}
			return fmt.Errorf("%d of %d users: %s: %s", n, len(rows), done, errorLines(err)[0])
		}
		if err != nil {
			return err
		}
		return s.print(importRow{len(rows), n}, "Imported %d users.", n)
	})
}
