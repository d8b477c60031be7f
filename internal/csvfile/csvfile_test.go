package csvfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/unicode"
)

var people = Columns{Names: []string{"name", "display_name", "mail", "groups"}, Aliases: map[string]string{"e mail": "mail"}, Required: []string{"name"},
	PassOver: []string{"department"}}

// shown is a table in a line: each row as its line and its cells by column.
func shown(t Table) string {
	var rows []string
	for _, row := range t.Rows {
		var cells []string
		for _, column := range slices.Sorted(maps.Keys(row.Cells)) {
			cells = append(cells, column+"="+row.Cells[column])
		}
		rows = append(rows, fmt.Sprint(row.Line, " ", strings.Join(cells, " ")))
	}
	return strings.Join(rows, "; ")
}

func said(problems []Problem) string {
	var all []string
	for _, p := range problems {
		all = append(all, fmt.Sprintf("%d %s: %v", p.Line, p.Column, p.Err))
	}
	return strings.Join(all, "; ")
}

// A table as spreadsheets and other programs save it. Without separatorOf those of semicolons
// are one column; without the loops of row that even out empty cells, those with more or
// fewer of them are refused.
func TestRead(t *testing.T) {
	utf16, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String("name\tmail\r\nbob\tbob@bücher.example\r\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, file, want, problems string }{
		{"commas", "name,mail\nbob,b@x\n", "2 mail=b@x name=bob", ""},
		{"Excel in Germany", "\ufeffname;display_name;mail\r\nbob;Bob Müller;b@x\r\n", "2 display_name=Bob Müller mail=b@x name=bob", ""},
		{"tabs", "name\tmail\nbob\tb@x\n", "2 mail=b@x name=bob", ""},
		{"Unicode text", utf16, "2 mail=bob@bücher.example name=bob", ""},
		{"sep= above", "sep=;\r\nname;mail\r\nbob;b@x\r\n", "3 mail=b@x name=bob", ""},
		{"commas in cells of semicolons", "name;display_name\nbob;Müller, Bob\n", "2 display_name=Müller, Bob name=bob", ""},
		{"semicolons in cells of commas", "name,groups\nbob,a;b\n", "2 groups=a;b name=bob", ""},
		{"semicolons in quotes", "name;groups\nbob;\"a;b\"\n", "2 groups=a;b name=bob", ""},
		{"empty columns to the right", "name;mail;;\nbob;b@x;;\nann;;\n", "2 mail=b@x name=bob; 3 name=ann", ""},
		{"empty cells beyond the header", "name;mail\nbob;b@x;;\n", "2 mail=b@x name=bob", ""},
		{"fewer cells than empty columns", "name;mail;;\nbob;b@x\n", "2 mail=b@x name=bob", ""},
		{"an empty column between", "name;;mail\nbob;;b@x\n", "2 mail=b@x name=bob", ""},
		{"empty rows", "name;mail\n;\n\nbob;b@x\n;\n", "4 mail=b@x name=bob", ""},
		{"empty rows above", ";\nname;mail\nbob;b@x\n", "3 mail=b@x name=bob", ""},
		{"other spellings", "NAME,Display Name,E-Mail\nbob,Bob,b@x\n", "2 display_name=Bob mail=b@x name=bob", ""},
		{"one column", "name\nbob\n", "2 name=bob", ""},
		{"more in a column without a name", "name;\nbob;x\n", "", "2 : has something in column 2, which has no name"},
		{"too few", "name;mail;groups\nbob;x\nann;;\n", "3 name=ann", "2 : has 2 fields, the header 3"},
		{"too many", "name;mail\nbob;x;y\n", "", "2 : has 3 fields, the header 2"},
		{"passed over", "name,department\nbob,IT\n", "2 name=bob", ""},
		{"unknown", "name,shoe\nbob,44\n", "", "1 shoe: is not known; there are name, display_name, mail, groups"},
		{"a typing error", "name,maill\nbob,x\n", "", "1 maill: is not known; did you mean mail?"},
		{"none where the column is there", "name,mail,maill\nbob,x,y\n", "", "1 maill: is not known; there are name, display_name, mail, groups"},
		{"twice", "name,Name\nbob,x\n", "", "1 Name: is there twice"},
		{"twice under two names", "name,mail,e-mail\nbob,x,y\n", "", "1 e-mail: is there twice"},
		{"none required", "mail\nx\n", "", "1 name: is missing"},
		{"nothing", "", "", "1 : no header row: EOF"},
		{"an open quote", "name,mail\nbob,b@x\n\"ann,\n", "2 mail=b@x name=bob", "3 : extraneous or missing \" in quoted-field"},
		{"Latin-1", "name\nm\xfcller\n", "", "0 : is not UTF-8; save it as \"CSV UTF-8\""},
		{"half of UTF-16", utf16[:len(utf16)-1], "", "0 : is not UTF-16, as its byte order mark says; save it as \"CSV UTF-8\""},
	} {
		table, problems := Read([]byte(tt.file), people)
		if got := shown(table); got != tt.want || said(problems) != tt.problems {
			t.Errorf("%s: %s, problems %q, want %s, %q", tt.name, got, said(problems), tt.want, tt.problems)
		}
		if passed := strings.Join(table.PassedOver, " "); (passed == "department") != (tt.name == "passed over") {
			t.Errorf("%s: passed over %q", tt.name, passed)
		}
	}
}

// Arbitrary bytes are a table or a problem, in whatever way they are separated: each row is
// of a line of the file, and has no cell that is empty or of a column nobody asked for.
func FuzzRead(f *testing.F) {
	for _, file := range []string{"name;mail;\nbob;b@x;\n", "sep=\t\nname\tmail\n\"a\"\t\n", "\xff\xfen\x00", "# version: 2\na,b,c\n", "name\n\"", ";;;\n;;;\n"} {
		f.Add([]byte(file), true)
		f.Add([]byte(file), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, headless bool) {
		columns := people
		if columns.PassOverUnknown = headless; headless {
			columns.Headless = func(first []string, _ string) []string { return []string{"name", "mail"} }
		}
		table, problems := Read(data, columns)
		for _, row := range table.Rows {
			if row.Line < 1 || row.Line > 2+strings.Count(string(data), "\n")+strings.Count(string(data), "\r") && len(problems) == 0 {
				t.Errorf("line %d", row.Line)
			}
			for column, cell := range row.Cells {
				if !slices.Contains(people.Names, column) || cell == "" || cell != strings.TrimSpace(cell) {
					t.Errorf("cell %q of %q", cell, column)
				}
			}
		}
	})
}
