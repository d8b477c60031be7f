package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/latchkey-id/latchkey/internal/policy"
)

// Formerly "policy set" was one command with the flags of all kinds, which could stand
// before the kind. A command line of that form that is not valid any more is answered
// with the one that is.

// renamedPolicyFlags are the flags that have another name since then.
var renamedPolicyFlags = map[string]string{
	"--pin-least": "--least", "--pin-most": "--most", "--pin-position": "--position",
	"--pin-change-first": "--change-first", "--no-pin-change-first": "--no-change-first",
	"--pin-trivial": "--trivial", "--no-pin-trivial": "--no-trivial",
}

// oldPolicySet says how a "policy set" that was not understood is written now. It is
// nil where there is nothing to say.
func oldPolicySet(model *kong.Application, args []string) error {
	at := slices.Index(args, "policy")
	if at < 0 || at+1 >= len(args) || args[at+1] != "set" {
		return nil
	}
	given := args[at+2:]
	kind := slices.IndexFunc(given, func(arg string) bool { return slices.Contains(policy.Kinds(), policy.Kind(arg)) })
	if kind < 0 {
		return nil
	}
	node := childOf(childOf(childOf(model.Node, "policy"), "set"), given[kind])
	now := append(slices.Clone(args[:at+2]), given[kind])
	for i, arg := range given {
		if i == kind || arg == "--yes" && flagOf(node, arg) == nil { // where nothing is asked
			continue
		}
		name, value, whole := strings.Cut(arg, "=")
		if whole {
			value = "=" + value
		}
		now = append(now, cmp.Or(renamedPolicyFlags[name], name)+value)
	}
	parser, err := newParser(&commands{}, kong.Writers(io.Discard, io.Discard), kong.Exit(func(int) {}))
	if err == nil && !slices.Equal(now, args) {
		if _, err := parser.Parse(now); err == nil {
			return errors.New("this is written otherwise now: latchkey " + quoted(now))
		}
	}
	for _, arg := range given {
		name, _, _ := strings.Cut(arg, "=")
		if node := policySetWith(model, name); node != nil && node.Name != given[kind] {
			return fmt.Errorf("%s is a flag of \"%s\"", name, node.FullPath())
		}
	}
	return nil
}

// policySetWith is the command below "policy set" that has a flag of its own of
// this name, now or under the name it had; nil where none, or more than one, has.
func policySetWith(model *kong.Application, name string) *kong.Node {
	if !strings.HasPrefix(name, "--") {
		return nil
	}
	var found *kong.Node
	for _, node := range childOf(childOf(model.Node, "policy"), "set").Children {
		own := slices.ContainsFunc(node.Flags, func(flag *kong.Flag) bool { return slices.Contains(spellings(flag), name) })
		if !own && !(node.Name == string(policy.KindPIN) && renamedPolicyFlags[name] != "") {
			continue
		}
		if found != nil {
			return nil
		}
		found = node
	}
	return found
}

// quoted writes arguments as a shell takes them.
func quoted(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = arg
		if arg == "" || strings.Trim(arg, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=.,:/@+") != "" {
			words[i] = "'" + strings.ReplaceAll(arg, "'", `'\\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
