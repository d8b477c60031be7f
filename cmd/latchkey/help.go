package main

import (
	"slices"

	"github.com/alecthomas/kong"
)

type helpCommand struct {
	Command []string `arg:"" optional:"" help:"The command. Default: all of them are listed."`
}

func (helpCommand) Help() string {
	return `Says what --help after the command says.

Example:

    latchkey help policy set push`
}

// Run explains a command.
func (c *helpCommand) Run(s *shell) error {
	helped := false
	parser, err := newParser(&commands{}, kong.Writers(s.stdout, s.stderr), kong.Exit(func(int) { helped = true }))
	if err != nil {
		return err
	}
	if _, err := parser.Parse(append(slices.Clone(c.Command), "--help")); err != nil && !helped {
		return usageErrorf("%w; see \"%s --help\"", err, commandPath(err))
	}
	return nil
}
