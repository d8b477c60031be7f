package admin

import (
	"errors"
	"fmt"
	"slices"

	"github.com/latchkey-id/latchkey/internal/csvfile"
	"github.com/latchkey-id/latchkey/internal/identity"
)

// ReadNames reads user names from CSV, see package csvfile: from the column "name" if a
// header row has one, as files for the import of users do, and else from the first
// column.
func ReadNames(data []byte) ([]string, error) {
	wrong := func(err error) error {
		return &identity.Error{Kind: identity.Invalid, Key: "error.invalid", Err: err}
	}
	table, problems := csvfile.Read(data, csvfile.Columns{Names: []string{"name"}, PassOverUnknown: true, Headless: func([]string, string) []string {
		return append([]string{"name"}, slices.Repeat([]string{"another"}, 100)...)
	}})
	if len(problems) > 0 {
		p := problems[0]
		return nil, wrong(fmt.Errorf("line %d: %w", p.Line, p.Err))
	}
	var names []string
	for _, row := range table.Rows {
		if name := row.Cells["name"]; name != "" {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, wrong(errors.New("there is no name in the file"))
	}
	return names, nil
}
