package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// commandModel is all commands as they are declared.
func commandModel(t *testing.T) *kong.Application {
	t.Helper()
	parser, err := newParser(&commands{})
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model
}

func TestComplete(t *testing.T) {
	all := commandModel(t)
	for _, tt := range []struct {
		words []string
		want  string
	}{
		{nil, "…group…"},
		{[]string{"pol"}, "policy"},
		{[]string{"polcy", ""}, "…policy…"},
		{[]string{"policy", "s"}, "show set"},
		{[]string{"--dir", "policy", "pol"}, "policy"},
		{[]string{"--dir=policy", "pol"}, "policy"},
		{[]string{"--dir", ""}, files},
		{[]string{"--dir=/va"}, files},
		{[]string{"--json", "user", "ad"}, "add"},
		{[]string{"user", "add", "--no-p"}, "--no-password"},
		{[]string{"user", "list", "--js", "--gr"}, "--group"},
		{[]string{"user", "list", "--group", "--"}, ""},             // a value, of which we know nothing
		{[]string{"user", "list", "--json", "--js"}, ""},            // it was given
		{[]string{"user", "add", "--group", "a", "--g"}, "--group"}, // but this may be given again
		{[]string{"policy", "show", "se"}, "self-provisioning"},
		{[]string{"policy", "show", "push", ""}, ""},
		{[]string{"policy", "set", "access", ""}, files},
		{[]string{"policy", "set", "self-provisioning", "--target", "o"}, "only"},
		{[]string{"policy", "set", "self-provisioning", "--target=o"}, "--target=only"},
		{[]string{"policy", "set", "self-provisioning", "--target", "=", "o"}, "only"}, // as bash breaks it
		{[]string{"policy", "set", "self-provisioning", "--target", "="}, "all only except none"},
		{[]string{"policy", "set", "self-provisioning", "--no-req"}, "--no-require-leave"},
		{[]string{"policy", "set", "platforms", "--allow", "wi"}, "windows windows-mobile"},
		{[]string{"audit", "list", "--action", "login.s"}, "login.success"},
		{[]string{"audit", "list", "--kind", "login.s"}, "login.success"}, // its other name
		{[]string{"app", "add", "oidc", "--algorithm", ""}, "RS256 ES256 EdDSA"},
		{[]string{"app", "add", "saml", "--metadata", ""}, files},
		{[]string{"completion", "z"}, "zsh"},
		{[]string{"policy", "show", "--", "--"}, ""}, // no flags after this
		{[]string{"compl"}, "completion"},            // not the hidden one
	} {
		t.Run(strings.Join(tt.words, " "), func(t *testing.T) {
			var words []string
			for _, fit := range complete(all.Node, tt.words) {
				words = append(words, fit.word)
			}
			got := strings.Join(words, " ")
			if part := strings.Trim(tt.want, "…"); part != tt.want {
				if !slices.Contains(words, part) {
					t.Errorf("got %q, want %q among them", got, part)
				}
			} else if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// The scripts in the shells they are for: what is typed with Tab becomes a
// command, and that command runs. Words end in what completion put there.
func TestCompletion_InShells(t *testing.T) {
	program := buildProgram(t)
	for _, tt := range []struct{ shell, begin string }{
		{"bash", "bash --norc --noprofile -i"},
		{"zsh", "zsh -f -i"},
		{"fish", "fish --no-config -i"},
	} {
		t.Run(tt.shell, func(t *testing.T) {
			if _, err := exec.LookPath(tt.shell); err != nil {
				t.Skip(tt.shell + " is not installed")
			}
			dir := t.TempDir()
			script, err := exec.Command(program, "completion", tt.shell).Output()
			if err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{"script": string(script), "a long name.json": `{"rules":[]}`} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			env := append(os.Environ(), "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"), "HOME="+dir, "TERM=dumb", "PS1=> ", "HISTFILE=")
			if tt.shell == "fish" { // it says what fits without being typed in
				for typed, want := range map[string]string{"latchkey pol": "policy", "latchkey policy sh": "show",
					"latchkey policy show self": "self-provisioning", "latchkey version --js": "--json", "latchkey policy set access a": "a long name.json",
					"latchkey app add oidc --algorithm=R": "--algorithm=RS256"} {
					cmd := exec.Command("fish", "--no-config", "-c", `source script; complete -C "$argv[1]"`, typed)
					cmd.Dir, cmd.Env = dir, env
					out, err := cmd.CombinedOutput()
					if got, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\t"); err != nil || got != want {
						t.Errorf("%q: %v, got %q, want %q", typed, err, out, want)
					}
				}
				return
			}
			// A terminal of their own: script makes one. Nothing is expanded in
			// what is typed, so what runs is what completion made of it.
			cmd := exec.Command("script", "-qec", tt.begin, "/dev/null")
			cmd.Dir, cmd.Env = dir, env
			cmd.Stdin = strings.NewReader(strings.Join([]string{
				"autoload -Uz compinit && compinit -u -d dump", // zsh has it; bash says it does not
				"source ./script",
				"latchkey vers\t--js\t",
				"latchkey policy set acc\ta\\ \t--di\t.",
				"exit 0\n",
			}, "\n"))
			if tt.shell == "bash" {
				cmd.Stdin = io.MultiReader(strings.NewReader("set +o history\n"), cmd.Stdin)
			}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, want := range []string{`"version": "`, "there is no latchkey.toml in ."} {
				if !strings.Contains(string(out), want) {
					t.Errorf("no %q in what %s said:\n%s", want, tt.shell, out)
				}
			}
		})
	}
}
