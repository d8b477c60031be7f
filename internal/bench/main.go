package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// options are what a run is asked to do.
type options struct {
	binary      string
	base        string // the build to compare it with; empty where nothing is compared
	rounds      int    // of each build, where two are compared
	databases   list
	only        list
	duration    time.Duration
	concurrency int
	users       int
	pushes      int
	waiting     int
	profiles    string
	quick, json bool
}

// asksFor reports whether a scenario is to run.
func (o options) asksFor(scenario string) bool {
	return len(o.only) == 0 || slices.Contains(o.only, scenario)
}

// A list is a flag given several times, or once with commas.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

// Set implements flag.Value.
func (l *list) Set(text string) error {
	*l = append(*l, strings.Split(text, ",")...)
	return nil
}

// parse reads the command line. The error was said already.
func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.binary, "binary", "bin/latchkey", "the server to measure, built without the race detector")
	flags.StringVar(&o.base, "base", "", "another server to measure in turn, and to compare with")
	flags.IntVar(&o.rounds, "rounds", 3, "how often each of the two is measured, with --base")
	flags.Var(&o.databases, "database", "sqlite or postgres://…, several with commas (default sqlite, and TEST_POSTGRES where that is set)")
	flags.Var(&o.only, "only", "scenarios, several with commas: "+strings.Join(scenarioNames(), ", ")+" (default all)")
	flags.DurationVar(&o.duration, "duration", 10*time.Second, "how long each scenario is measured, after a fifth of it to warm up")
	flags.IntVar(&o.concurrency, "concurrency", 4*runtime.NumCPU(), "browsers at once")
	flags.IntVar(&o.users, "users", 0, "people with a passcode app; each can sign in once in 30 s (default by duration and cores)")
	flags.IntVar(&o.pushes, "pushes", 60, "push requests approved at the most")
	flags.IntVar(&o.waiting, "waiting", 5000, "push requests that wait at once")
	flags.StringVar(&o.profiles, "profiles", "", "folder for a CPU profile of the server under each scenario")
	flags.BoolVar(&o.quick, "quick", false, "a moment of everything: shows that it works, not how fast it is")
	flags.BoolVar(&o.json, "json", false, "print JSON")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	wrong := func(format string, args ...any) error {
		err := fmt.Errorf(format, args...)
		fmt.Fprintln(stderr, "bench:", err)
		return err
	}
	if flags.NArg() > 0 {
		return o, wrong("no arguments are known, but there is %q", flags.Arg(0))
	}
	for _, name := range o.only {
		if !slices.Contains(scenarioNames(), name) {
			return o, wrong("no scenario %q; there are %s", name, strings.Join(scenarioNames(), ", "))
		}
	}
	if o.quick {
		o.duration, o.concurrency, o.pushes, o.waiting = 200*time.Millisecond, 2, 2, 5
	}
	if o.rounds < 2 {
		return o, wrong("noise shows with two rounds or more")
	}
	if o.duration <= 0 || o.concurrency < 1 || o.users < 0 || o.pushes < 1 || o.waiting < 1 {
		return o, wrong("duration, concurrency, users, pushes and waiting are positive")
	}
	if len(o.databases) == 0 {
		o.databases = list{"sqlite"}
		if dsn := os.Getenv("TEST_POSTGRES"); dsn != "" {
			o.databases = append(o.databases, dsn)
		}
	}
	if o.users == 0 {
		// Passcode logins need the most people: as many as can sign in before a
		// step of 30 seconds is over and the first may come again.
		seconds := min(30, int(4*o.duration.Seconds())+1)
		o.users = 200 * seconds * runtime.NumCPU()
	}
	return o, nil
}

// run is main without the process. It returns 1 if anything failed or, of two
// builds, got slower; 2 for a command line it cannot use. A target that is missed
// is no failure: it is what one came to see.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		return 2
	}
	if o.base != "" {
		return runComparison(ctx, o, stdout, stderr)
	}
	report, err := measure(ctx, o, stderr)
	if err == nil {
		if o.json {
			encoder := json.NewEncoder(stdout)
			encoder.SetIndent("", "  ")
			err = encoder.Encode(report)
		} else {
			err = report.table(stdout)
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	if failed := report.failed(); failed > 0 {
		fmt.Fprintf(stderr, "bench: %d failures\n", failed)
		return 1
	}
	return 0
}

// measure runs the scenarios on each database.
func measure(ctx context.Context, o options, progress io.Writer) (Report, error) {
	report := Report{At: time.Now().UTC().Truncate(time.Second), Duration: o.duration.String()}
	say := func(format string, args ...any) { fmt.Fprintf(progress, "bench: "+format+"\n", args...) }
	for _, database := range o.databases {
		one, err := measureOne(ctx, o, database, say)
		if err != nil {
			return report, fmt.Errorf("%s: %w", engine(database), err)
		}
		report.Runs = append(report.Runs, one)
	}
	return report, nil
}

// engine names a database without where it is and how to log in there.
func engine(database string) string {
	if strings.HasPrefix(database, "postgres") {
		return "PostgreSQL"
	}
	return "SQLite"
}
