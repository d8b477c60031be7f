package main

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file below testdata, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test ./cmd/latchkey -update makes it", err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// pathOf is a command as it is typed, without the program's name.
func pathOf(node *kong.Node) string {
	words := []string{}
	for ; node.Type == kong.CommandNode; node = node.Parent {
		words = slices.Insert(words, 0, node.Name)
	}
	return strings.Join(words, " ")
}

// The help of every command is a golden file, and each example in it is a
// command that can be typed; one at least is of the command itself.
func TestHelp_Golden(t *testing.T) {
	program := buildProgram(t)
	files := map[string]bool{}
	for _, leaf := range commandModel(t).Leaves(true) {
		path := pathOf(leaf)
		name := filepath.Join("help", strings.ReplaceAll(path, " ", "-")+".txt")
		files[filepath.Base(name)] = true
		t.Run(path, func(t *testing.T) {
			out, err := exec.Command(program, append(strings.Fields(path), "--help")...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			golden(t, name, string(out))
			own := false
			for _, args := range examples(t, leaf.Detail) {
				parser, err := newParser(&commands{})
				if err != nil {
					t.Fatal(err)
				}
				command, err := parser.Parse(args)
				if err != nil {
					t.Errorf("example %q: %v", args, err)
				} else if pathOf(command.Selected()) == path {
					own = true
				}
			}
			if !own {
				t.Errorf("no example of the command in\n%s", leaf.Detail)
			}
		})
	}
	all, err := os.ReadDir(filepath.Join("testdata", "help"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if !files[f.Name()] {
			t.Errorf("testdata/help/%s is of no command", f.Name())
		}
	}
}

// redirection is one to or from a file, which is not there when bash looks.
var redirection = regexp.MustCompile(` [<>] \S+`)

// examples returns the arguments of each latchkey in the indented lines of a
// command's help, as bash understands them. Nothing else in them runs.
func examples(t *testing.T, help string) [][]string {
	t.Helper()
	var found [][]string
	for line := range strings.Lines(help) {
		code, ok := strings.CutPrefix(line, "    ")
		if !ok {
			continue
		}
		cmd := exec.Command("bash", "-c", `latchkey() { printf '%s\0' "$@" "" >>args; }; `+redirection.ReplaceAllString(code, ""))
		cmd.Dir, cmd.Env = t.TempDir(), []string{"PATH=/nonexistent", "HOME=" + t.TempDir()}
		out, _ := cmd.CombinedOutput() // whatever else stands there is not found
		args, err := os.ReadFile(filepath.Join(cmd.Dir, "args"))
		if err != nil {
			t.Errorf("no latchkey in %q: %s", code, out)
			continue
		}
		for one := range strings.SplitSeq(strings.TrimSuffix(string(args), "\x00\x00"), "\x00\x00") {
			found = append(found, strings.Split(one, "\x00"))
		}
	}
	return found
}

// Whatever the command: a flag there is not, or an argument too many, is wrong
// use; it says where the right use stands, and says it in JSON if asked to.
func TestMisuse(t *testing.T) {
	for _, leaf := range commandModel(t).Leaves(true) {
		path := pathOf(leaf)
		t.Run(path, func(t *testing.T) {
			help := `see "latchkey ` + path + ` --help"`
			wrong := [][]string{{"--no-such-flag"}}
			if len(leaf.Positional) == 0 {
				wrong = append(wrong, []string{"surplus"})
			} else if leaf.Positional[0].Required {
				wrong = append(wrong, nil)
			}
			for _, more := range wrong {
				for _, asked := range [][]string{nil, {"--json"}} {
					args := slices.Concat(strings.Fields(path), more, asked)
					var out, errs bytes.Buffer
					code := run(t.Context(), args, strings.NewReader(""), &out, &errs)
					said := errs.String()
					if asked != nil {
						said = strings.ReplaceAll(said, `\"`, `"`)
					}
					if code != exitUsage || !strings.Contains(said, help) || out.Len() > 0 {
						t.Errorf("%q: exit %d, want %d; said, want %s:\n%s%s", args, code, exitUsage, help, out.String(), said)
					}
					if json := strings.HasPrefix(said, `{"error":"`); json != (asked != nil) {
						t.Errorf("%q: JSON %t, want %t: %s", args, json, asked != nil, said)
					}
				}
			}
		})
	}
}

// Whatever the command: who stops reading its help has read enough.
func TestHelp_ClosedPipe(t *testing.T) {
	for _, leaf := range commandModel(t).Leaves(false) {
		args := append(strings.Fields(pathOf(leaf)), "--help")
		var errs bytes.Buffer
		if code := run(t.Context(), args, nil, brokenPipe{}, &errs); code != exitOK || errs.Len() > 0 {
			t.Errorf("%q into a closed pipe: exit %d, %s", args, code, errs.String())
		}
	}
}

// Whatever the command: a name nobody has ends with 1, and says the nearest.
func TestUnknownNames(t *testing.T) {
	p := newInstallation(t)
	p.succeeds("", "group", "add", "Nurses")
	p.succeeds("", "user", "add", "anna", "--no-password")
	for _, command := range []string{"user show anan", "user set anan --mail a@example.org", "user lock anan", "user unlock anan",
		"user disable anan", "user enable anan", "user remove anan --yes", "user list --group Nurse", "user add bo --no-password --group Nurse",
		"group member Nurse", "group member Nurses --add anan", "group remove Nurse --yes", "app show Hospitla", "app set Hospitla --name x",
		"app remove Hospitla --yes", "authenticator list --user anan", "authenticator add totp --user anan", "authenticator add hotp --user anan",
		"enrollment invite anan", "enrollment resend anan", "enrollment revoke anan", "enrollment allow anan", "policy show acess",
		"policy explain --user anan --app Hospital", "policy explain --user anna --app Hospitla", "tenant show defualt", "tenant set defualt --name x", "tenant remove defualt --confirm x",
		"user list --tenant defualt", "audit list --user anan", "audit list --action user.aded", "audit export --action user.aded",
		"report activity --user anan", "report enrollments --user anan", "report push --user anan", "report push --outcome expird",
		"policy set push --group Nurse --codes"} {
		t.Run(command, func(t *testing.T) {
			p.t = t
			p.fails(exitFailed, "did you mean", "", strings.Fields(command)...)
		})
	}
}
