package main

import (
	"cmp"
	"runtime/debug"
	"time"
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

type versionCommand struct{}

func (versionCommand) Help() string { return "Example:\n\n    latchkey version --json" }

// Run says which version this is, as far as the build knows.
func (versionCommand) Run(s *shell) error {
	b := builtFrom()
	from := b.Go
	if b.Commit != "" {
		from = "commit " + b.Commit + ", " + b.Go
	}
	return s.print(b, "latchkey %s (%s)", b.Version, from)
}
