package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestSlower(t *testing.T) {
	for _, tt := range []struct {
		name      string
		base, now []float64
		want      bool
	}{
		{"the same", []float64{10, 10.2, 10.1}, []float64{10, 10.2, 10.1}, false},
		{"faster", []float64{10, 10.2, 10.1}, []float64{8, 8.1, 8.2}, false},
		{"slower by a tenth, where rounds differ by a fiftieth", []float64{10, 10.2, 10.1}, []float64{11, 11.2, 11.1}, true},
		{"slower by a tenth, where rounds differ by a fifth", []float64{9, 11, 10}, []float64{10, 12, 11}, false},
		{"every round slower, but by less than they differ", []float64{9, 11, 10}, []float64{11.1, 11.2, 11.3}, false},
		{"one good round among bad ones", []float64{10, 10.2, 10.1}, []float64{10, 12, 12.1}, false},
	} {
		c := Comparison{Compared: []Compared{{Base: tt.base, Now: tt.now}}}
		if got := c.slower() == 1; got != tt.want {
			t.Errorf("%s: slower is %t, want %t", tt.name, got, tt.want)
		}
		var out bytes.Buffer
		if err := c.table(&out); err != nil || strings.Contains(out.String(), "SLOWER") != tt.want {
			t.Errorf("%s: %v\n%s", tt.name, err, out.String())
		}
	}
}

// Two builds are measured as often as each other, whatever it comes to.
func TestCompareBuilds(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	binary := built(t)
	var out, said bytes.Buffer
	code := run(t.Context(), []string{"--quick", "--json", "--users", "20", "--database", "sqlite", "--only", "refresh,check", "--rounds", "2", "--base", binary, "--binary", binary}, &out, &said)
	var c Comparison
	decoder := json.NewDecoder(&out)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		t.Fatalf("exit code %d: %v\n%s", code, err, said.String())
	}
	want := []string{"start ms", "refresh median ms", "refresh server CPU ms"}
	var got []string
	for _, f := range c.Compared {
		got = append(got, f.Scenario+" "+f.Figure)
		if len(f.Base) != 2 || len(f.Now) != 2 || f.Database != "SQLite" {
			t.Errorf("compared %+v", f)
		}
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") || code != min(c.slower(), 1) {
		t.Errorf("exit code %d, compared %q, want %q", code, got, want)
	}
	order := []string{"round 1 of 2, base", "round 1 of 2, now", "round 2 of 2, now", "round 2 of 2, base"}
	for _, next := range order {
		_, after, found := strings.Cut(said.String(), next)
		if !found {
			t.Fatalf("%q is not after the one before, want %q", next, order)
		}
		said.Reset()
		said.WriteString(after)
	}
}
