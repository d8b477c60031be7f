package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A Comparison is what two builds took for the same scenarios, as --base prints
// it.
type Comparison struct {
	At       time.Time  `json:"at"`
	Duration string     `json:"duration"` // of each scenario
	Rounds   int        `json:"rounds"`
	Compared []Compared `json:"compared"`
}

// Compared is one figure of one scenario. The less, the better.
type Compared struct {
	Database string    `json:"database"`
	Scenario string    `json:"scenario"`
	Title    string    `json:"title"`
	Figure   string    `json:"figure"` // what of it, with its unit
	Base     []float64 `json:"base"`   // by round
	Now      []float64 `json:"now"`
}

// compareBuilds measures the base and the working tree in turn, each on
// databases of its own. Which one comes first changes from round to round, so
// that a machine that gets slower or faster meanwhile favours neither.
func compareBuilds(ctx context.Context, o options, progress io.Writer) (Comparison, error) {
	c := Comparison{At: time.Now().UTC().Truncate(time.Second), Duration: o.duration.String(), Rounds: o.rounds}
	for round := range o.rounds {
		builds := []struct {
			name, binary string
			add          func(*Compared, float64)
		}{
			{"base", o.base, func(f *Compared, v float64) { f.Base = append(f.Base, v) }},
			{"now", o.binary, func(f *Compared, v float64) { f.Now = append(f.Now, v) }},
		}
		if round%2 == 1 {
			slices.Reverse(builds)
		}
		for _, build := range builds {
			fmt.Fprintf(progress, "bench: round %d of %d, %s\n", round+1, o.rounds, build.name)
			one := o
			one.binary = build.binary
			report, err := measure(ctx, one, progress)
			if err == nil && report.failed() > 0 {
				err = fmt.Errorf("%d failures: %s", report.failed(), strings.Join(report.errors(), "; "))
			}
			if err != nil {
				return c, fmt.Errorf("%s: %w", build.name, err)
			}
			for _, run := range report.Runs {
				for _, f := range run.figures() {
					build.add(c.find(f), f.Now[0])
				}
			}
		}
	}
	return c, nil
}

// find returns the figure like f, which it adds where there is none.
func (c *Comparison) find(f Compared) *Compared {
	i := slices.IndexFunc(c.Compared, func(known Compared) bool {
		return known.Database == f.Database && known.Scenario == f.Scenario && known.Figure == f.Figure
	})
	if i < 0 {
		f.Now = nil
		c.Compared = append(c.Compared, f)
		i = len(c.Compared) - 1
	}
	return &c.Compared[i]
}

// figures are those of a run that tell whether something got slower.
func (run Run) figures() []Compared {
	all := []Compared{{Database: run.Database, Scenario: "start", Title: "Ready on an existing folder", Figure: "ms", Now: []float64{run.ReadyMS}}}
	for _, row := range run.Rows {
		for _, f := range []struct {
			name  string
			value float64
		}{{"median ms", row.MedianMS}, {"server CPU ms", row.ServerMS}} {
			if f.value > 0 {
				all = append(all, Compared{Database: run.Database, Scenario: row.Scenario, Title: row.Title, Figure: f.name, Now: []float64{f.value}})
			}
		}
	}
	return all
}

// errors says what failed.
func (r Report) errors() (all []string) {
	for _, run := range r.Runs {
		for _, row := range run.Rows {
			all = append(all, row.Errors...)
		}
	}
	return all
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// spread is how far apart the rounds of one build are, as a share of their
// median.
func spread(values []float64) float64 {
	return (slices.Max(values) - slices.Min(values)) / median(values)
}

// ratio is what the working tree takes of what the base takes.
func (f Compared) ratio() float64 { return median(f.Now) / median(f.Base) }

// noise is how far apart rounds of the same build are, of the build with which
// they are further apart.
func (f Compared) noise() float64 { return max(spread(f.Base), spread(f.Now)) }

// slower reports whether the working tree is slower than the noise explains:
// every round of it took longer than every round of the base, and the medians
// are further apart than the rounds of either. Of two builds that are the same,
// that is said of one figure in fifty with three rounds, of one in seven hundred
// with five.
func (f Compared) slower() bool {
	return slices.Min(f.Now) > slices.Max(f.Base) && f.ratio() > 1+f.noise()
}

// slower counts the figures that are slower beyond the noise.
func (c Comparison) slower() (n int) {
	for _, f := range c.Compared {
		if f.slower() {
			n++
		}
	}
	return n
}

// table writes the comparison for people.
func (c Comparison) table(w io.Writer) error {
	fmt.Fprintf(w, "Medians of %d rounds of each build, %s a scenario. Noise is how far apart rounds of the same build are.\n\n", c.Rounds, c.Duration)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "database\tscenario\tfigure\tbase\tnow\tratio\tnoise\t")
	for _, f := range c.Compared {
		verdict := ""
		if f.slower() {
			verdict = "SLOWER"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.2f\t%.2f\t%.3f\t±%.3f\t%s\n", f.Database, f.Title, f.Figure, median(f.Base), median(f.Now), f.ratio(), f.noise(), verdict)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	verdict := "No row is slower beyond the noise."
	if n := c.slower(); n > 0 {
		verdict = fmt.Sprintf("Slower beyond the noise: %d of %d rows.", n, len(c.Compared))
	}
	_, err := fmt.Fprintf(w, "\n%s\n", verdict)
	return err
}

// runComparison compares, prints, and returns the exit code: 1 if a row is
// slower beyond the noise.
func runComparison(ctx context.Context, o options, stdout, stderr io.Writer) int {
	c, err := compareBuilds(ctx, o, stderr)
	if err == nil {
		if o.json {
			encoder := json.NewEncoder(stdout)
			encoder.SetIndent("", "  ")
			err = encoder.Encode(c)
		} else {
			err = c.table(stdout)
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return min(c.slower(), 1)
}
