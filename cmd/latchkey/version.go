package main

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/alecthomas/kong"
)

// A build is what the Go tool noted about how this program was made.
type build struct {
	Version  string    `json:"version"` // the release's tag, or a pseudo-version of the commit
	Commit   string    `json:"commit,omitempty"`
	Time     time.Time `json:"time,omitzero"` // of the commit
	Modified bool      `json:"modified,omitempty"`
	Go       string    `json:"go"`
}

// builtFrom reads the note. Built away from its repository, a program knows
// only the Go it was built with.
func builtFrom() build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return build{Version: "unknown"}
	}
	b := build{Version: cmp.Or(info.Main.Version, "unknown"), Go: info.GoVersion}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			b.Commit = setting.Value
		case "vcs.time":
			b.Time, _ = time.Parse(time.RFC3339, setting.Value) // else it stays unknown
		case "vcs.modified":
			b.Modified = setting.Value == "true"
		}
	}
	return b
}

func (b build) String() string {
	from := b.Go
	if b.Commit != "" {
		from = "commit " + b.Commit + ", " + b.Go
	}
	return "latchkey " + b.Version + " (" + from + ")"
}

type versionCommand struct{}

func (versionCommand) Help() string { return "Example:\n\n    latchkey version --json" }

// Run says which version this is, as far as the build knows.
func (versionCommand) Run(s *shell) error {
	b := builtFrom()
	return s.print(b, "%s", b)
}

// A versionFlag is --version, which says what the command version says.
type versionFlag bool

// BeforeReset runs before anything is required of the command line, as for --help.
func (versionFlag) BeforeReset(app *kong.Kong) error {
	_, _ = fmt.Fprintln(app.Stdout, builtFrom()) // who stopped reading has read enough
	app.Exit(exitOK)
	return nil
}
