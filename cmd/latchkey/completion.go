package main

import (
	"embed"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
)

// The scripts only ask "latchkey complete", which reads the same model that
// parses the command line, so they cannot become outdated.
//
//go:embed completion/latchkey.*
var completionScripts embed.FS

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

func (completionCommand) Help() string {
	return `Commands, flags, fixed values and names of files are then completed.

Examples:

    source <(latchkey completion bash)

    latchkey completion zsh > ~/.zfunc/_latchkey

    latchkey completion fish > ~/.config/fish/completions/latchkey.fish`
}

// Run writes the script for a shell.
func (c *completionCommand) Run(s *shell) error {
	script, err := completionScripts.ReadFile("completion/latchkey." + c.Shell)
	if err != nil {
		return err
	}
	if s.flags.JSON {
		return s.encode(struct {
			Shell  string `json:"shell"`
			Script string `json:"script"`
		}{c.Shell, string(script)})
	}
	_, err = s.stdout.Write(script)
	return err
}

// completeCommand is for the scripts, not for people.
type completeCommand struct {
	Words []string `arg:"" optional:"" help:"What was typed after the program's name; the last word is the one to complete."`
}

func (completeCommand) Help() string { return "Example:\n\n    latchkey complete -- user a" }

// Run says what fits, one candidate a line: the word, a tab, what it means. A
// line ":files" asks the shell to complete names of files.
func (c *completeCommand) Run(s *shell) error {
	var b strings.Builder
	for _, fit := range complete(s.model.Node, c.Words) {
		b.WriteString(fit.word)
		if fit.means != "" {
			b.WriteString("\t" + fit.means)
		}
		b.WriteByte('\n')
	}
	_, err := s.stdout.Write([]byte(b.String()))
	return err
}

// A candidate is a word that can follow, and what it means.
type candidate struct{ word, means string }

// files stands for all names of files.
const files = ":files"

// complete returns what can stand in place of the last word.
func complete(node *kong.Node, words []string) []candidate {
	words = joined(words)
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	var expects *kong.Value // the flag whose value comes next
	var given []string
	positionals, onlyThose := 0, false
	for _, word := range words[:len(words)-1] {
		flag := flagOf(node, word)
		child := childOf(node, word)
		switch {
		case expects != nil:
			expects = nil
		case onlyThose:
			positionals++
		case word == "--":
			onlyThose = true
		case strings.HasPrefix(word, "--"):
			name, _, whole := strings.Cut(word, "=")
			given = append(given, name)
			if flag != nil && !whole && !flag.IsBool() {
				expects = flag.Value
			}
		case child != nil && positionals == 0:
			node = child
		default:
			positionals++
		}
	}
	name, typed, whole := strings.Cut(last, "=")
	switch flag := flagOf(node, name); {
	case expects != nil:
		return matching(valuesOf(expects), last, "")
	case !onlyThose && whole && flag != nil:
		return matching(valuesOf(flag.Value), typed, name+"=")
	case !onlyThose && strings.HasPrefix(last, "-"):
		return matching(flagsOf(node, given), last, "")
	case len(node.Children) > 0:
		return matching(childrenOf(node), last, "")
	case len(node.Positional) > 0:
		// The last one may stand for many.
		if at := min(positionals, len(node.Positional)-1); at == positionals || node.Positional[at].IsCumulative() {
			return matching(valuesOf(node.Positional[at]), last, "")
		}
	}
	return nil
}

// joined undoes what bash does to --flag=value: it breaks it into three words.
func joined(words []string) []string {
	var out []string
	for i := 0; i < len(words); i++ {
		if words[i] != "=" || len(out) == 0 || !strings.HasPrefix(out[len(out)-1], "--") {
			out = append(out, words[i])
		} else if i == len(words)-1 {
			out = append(out, "") // the value has not begun
		}
	}
	return out
}

// matching returns the candidates that begin with what was typed, each after a
// prefix.
func matching(all []candidate, typed, prefix string) []candidate {
	var fit []candidate
	for _, c := range all {
		if c.word == files {
			return []candidate{c} // the shell knows which fit
		}
		if strings.HasPrefix(c.word, typed) {
			fit = append(fit, candidate{prefix + c.word, c.means})
		}
	}
	return fit
}

// childOf is the command of a name below a node, or nil.
func childOf(node *kong.Node, name string) *kong.Node {
	for _, child := range node.Children {
		if child.Name == name || slices.Contains(child.Aliases, name) {
			return child
		}
	}
	return nil
}

func childrenOf(node *kong.Node) []candidate {
	var all []candidate
	for _, child := range node.Children {
		if !child.Hidden {
			all = append(all, candidate{child.Name, child.Help})
		}
	}
	return all
}

// flagOf is the flag written as --name or --name=value at a node, or nil.
func flagOf(node *kong.Node, word string) *kong.Flag {
	name, _, _ := strings.Cut(word, "=")
	for _, flag := range slices.Concat(node.AllFlags(true)...) {
		if slices.Contains(spellings(flag), name) {
			return flag
		}
	}
	return nil
}

// flagsOf lists the flags of a node that can still be given.
func flagsOf(node *kong.Node, given []string) []candidate {
	var all []candidate
	for _, flag := range slices.Concat(node.AllFlags(true)...) {
		names := spellings(flag)
		once := slices.ContainsFunc(names, func(name string) bool { return slices.Contains(given, name) })
		if once && !flag.IsCumulative() {
			continue
		}
		for _, name := range names {
			all = append(all, candidate{name, flag.Help})
		}
	}
	return all
}

// spellings are the ways to write a flag.
func spellings(flag *kong.Flag) []string {
	names := []string{"--" + flag.Name}
	for _, alias := range flag.Aliases {
		names = append(names, "--"+alias)
	}
	if flag.Tag.Negatable != "" {
		names = append(names, "--no-"+flag.Name)
	}
	return names
}

// valuesOf lists the values of a flag or argument, as far as they are fixed.
func valuesOf(v *kong.Value) []candidate {
	var all []string
	kind := v.Target.Type()
	for kind.Kind() == reflect.Slice || kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	switch kind {
	case reflect.TypeFor[policy.Kind]():
		all = stringsOf(policy.Kinds())
	case reflect.TypeFor[policy.Target]():
		all = stringsOf([]policy.Target{policy.TargetAll, policy.TargetOnly, policy.TargetExcept, policy.TargetNone})
	case reflect.TypeFor[identity.Platform]():
		all = stringsOf(append(slices.Clone(identity.Platforms), identity.PrivacyIDEA))
	default:
		switch called := placeholderOf(v); {
		case v.Enum != "":
			all = v.EnumSlice()
		case called == "KIND":
			all = stringsOf(slices.Sorted(maps.Keys(audit.Kinds)))
		case slices.Contains([]string{"FILE", "DIR", "FOLDER", "FILE-OR-URL", "PATH"}, called):
			all = []string{files}
		}
	}
	var candidates []candidate
	for _, word := range all {
		if word != "" {
			candidates = append(candidates, candidate{word: word})
		}
	}
	return candidates
}

// placeholderOf is what the help calls a value, in capitals.
func placeholderOf(v *kong.Value) string {
	if v.Flag != nil {
		return strings.ToUpper(v.Flag.PlaceHolder)
	}
	return strings.ToUpper(v.Name)
}

func stringsOf[T ~string](all []T) []string {
	out := make([]string, len(all))
	for i, v := range all {
		out[i] = string(v)
	}
	return out
}
