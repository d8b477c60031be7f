package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/report"
	"github.com/latchkey-id/latchkey/internal/store"
)

// An installation is a folder made by init, and the commands typed in it.
type installation struct {
	t   *testing.T
	dir string
}

// newInstallation makes a folder by init. Its tenant is called Hospital, and is default
// in addresses.
func newInstallation(t *testing.T, args ...string) installation {
	t.Helper()
	for _, name := range []string{"LATCHKEY_DIR", "LATCHKEY_TENANT", "LATCHKEY_DATABASE", "LATCHKEY_BASE_URL"} {
		t.Setenv(name, "")
	}
	p := installation{t, filepath.Join(t.TempDir(), "server")}
	p.succeeds("", append([]string{"init", "--name", "Hospital"}, args...)...)
	return p
}

// run runs a command and returns its exit code and what it said.
func (p installation) run(stdin string, args ...string) (code int, stdout, stderr string) {
	p.t.Helper()
	var out, errs bytes.Buffer
	code = run(p.t.Context(), append(args, "--dir", p.dir), strings.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

// succeeds runs a command that must succeed.
func (p installation) succeeds(stdin string, args ...string) string {
	p.t.Helper()
	code, stdout, stderr := p.run(stdin, args...)
	if code != exitOK || stderr != "" {
		p.t.Fatalf("latchkey %s: exit %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

// fails runs a command that must fail with a code and say a text.
func (p installation) fails(want int, says string, stdin string, args ...string) {
	p.t.Helper()
	code, stdout, stderr := p.run(stdin, args...)
	if code != want || !strings.Contains(stderr, says) {
		p.t.Errorf("latchkey %s: exit %d, want %d; said, want %q:\n%s%s", strings.Join(args, " "), code, want, says, stdout, stderr)
	}
}

// read runs a command with --json and reads what it says.
func read[T any](p installation, stdin string, args ...string) T {
	p.t.Helper()
	var v T
	out := p.succeeds(stdin, append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		p.t.Fatalf("latchkey %s --json: %v\n%s", strings.Join(args, " "), err, out)
	}
	return v
}

// events returns what the audit has of a kind, newest first.
func (p installation) events(kind audit.Kind) []report.Event {
	p.t.Helper()
	return read[[]report.Event](p, "", "audit", "list", "--kind", string(kind))
}

func TestInit(t *testing.T) {
	p := newInstallation(t, "--base-url", "https://login.example.org", "--listen", ":8443", "--tenant", "example", "--name", "Example Hospital")
	for _, name := range []string{"latchkey.toml", "latchkey.keys", "latchkey.db"} {
		info, err := os.Stat(filepath.Join(p.dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v, want 0600", name, info, err)
		}
	}
	tenants := read[[]tenantRow](p, "", "tenant", "list")
	if len(tenants) != 1 || tenants[0].Slug != "example" || tenants[0].Name != "Example Hospital" {
		t.Errorf("tenants: %+v", tenants)
	}
	if made := p.events(audit.KeyMade); len(made) != 3 {
		t.Errorf("%d keys made, want 3", len(made))
	}
	before, err := os.ReadFile(filepath.Join(p.dir, "latchkey.keys"))
	if err != nil {
		t.Fatal(err)
	}
	p.fails(exitFailed, "already", "", "init")
	if after, err := os.ReadFile(filepath.Join(p.dir, "latchkey.keys")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("a second init touched the keys: %v", err)
	}
	p.fails(exitFailed, "base_url is https: set tls_cert", "", "config", "validate")
	p.succeeds("", "migrate")
}

// Where the configuration was lost, init does not make a second tenant in the database;
// init --join makes the configuration anew.
func TestInit_Again(t *testing.T) {
	p := newInstallation(t)
	if err := os.Remove(filepath.Join(p.dir, "latchkey.toml")); err != nil {
		t.Fatal(err)
	}
	p.fails(exitFailed, `"latchkey init --join"`, "", "init")
	p.fails(exitUsage, "--join needs --base-url", "", "init", "--join")
	p.fails(exitUsage, "--name does not go with it", "", "init", "--join", "--base-url", "http://localhost:8080", "--name", "Other")
	p.succeeds("", "init", "--join", "--base-url", "http://localhost:8080")
	if tenants := read[[]tenantRow](p, "", "tenant", "list"); len(tenants) != 1 || tenants[0].Name != "Hospital" {
		t.Errorf("tenants after init --join: %+v", tenants)
	}
}

// Every command that opens the database refuses keys that are not its own, and says so.
// Without the check in OpenDatabase they work until something sealed is needed.
func TestOtherKeys(t *testing.T) {
	p := newInstallation(t)
	if err := os.WriteFile(filepath.Join(p.dir, "latchkey.keys"), []byte(store.NewKeyring().Encode()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"serve", "migrate", "tenant list", "user list", "user add anna --no-password", "app list", "policy show", "audit list", "backup copy"} {
		p.fails(exitFailed, "does not hold the keys of the database", "a passphrase of some length", strings.Fields(command)...)
	}
	if code, out, _ := p.run("", "doctor"); code != exitFailed || !strings.Contains(out, "error    keys: data key 1 of tenant default was sealed with another root 1") {
		t.Errorf("doctor: exit %d\n%s", code, out)
	}
	if _, err := os.Stat("copy"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a backup was made: %v", err)
	}
}

// The first tenant has a name: what the flags say or, where nobody can be asked, the host
// of the base URL; never "default".
func TestInit_Names(t *testing.T) {
	p := newInstallation(t, "--name", "Example Hospital", "--organisation", "Hospital", "--help-contact", "extension 2222", "--language", "de")
	if row := read[tenantRow](p, "", "tenant", "show"); row.Name != "Example Hospital" || row.Organisation != "Hospital" ||
		row.HelpContact != "extension 2222" || row.Language != "de" {
		t.Errorf("made %+v", row)
	}
	p = installation{t, filepath.Join(t.TempDir(), "server")}
	made := read[map[string]string](p, "", "init", "--base-url", "https://login.example.org", "--listen", ":8443")
	if made["name"] != "login.example.org" || made["tenant"] != "default" {
		t.Errorf("made %v", made)
	}
	for _, list := range []string{"tenant list", "app list"} {
		if out := p.succeeds("", strings.Fields(list)...); !strings.Contains(out, "login.example.org") {
			t.Errorf("%s:\n%s", list, out)
		}
	}
}

// At a terminal init asks for the tenant's names, unless a flag says the name.
func TestInit_AtTerminal(t *testing.T) {
	program := buildProgram(t)
	typed := func(dir, command, typed string) (string, error) {
		cmd := exec.Command("script", "-qec", program+" "+command+" --dir "+dir, "/dev/null")
		cmd.Env = append(os.Environ(), "LATCHKEY_TENANT=", "TERM=dumb")
		cmd.Stdin = strings.NewReader(typed)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	p := installation{t, filepath.Join(t.TempDir(), "asked")}
	if out, err := typed(p.dir, "init", "Example Hospital\n\nextension 2222\nde\n"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if row := read[tenantRow](p, "", "tenant", "show"); row.Name != "Example Hospital" || row.Organisation != "" || row.HelpContact != "extension 2222" || row.Language != "de" {
		t.Errorf("typed: %+v", row)
	}
	none := filepath.Join(t.TempDir(), "nothing")
	if out, err := typed(none, "init", "\n"); err == nil || !strings.Contains(out, "the first tenant needs a name") {
		t.Errorf("nothing typed: %v\n%s", err, out)
	}
	if _, err := os.Stat(none); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder is left: %v", err)
	}
	p = installation{t, filepath.Join(t.TempDir(), "named")}
	if out, err := typed(p.dir, "init --name Hospital", ""); err != nil || strings.Contains(out, "people know") {
		t.Errorf("with --name: %v\n%s", err, out)
	}
}

func TestInit_Refuses(t *testing.T) {
	p := installation{t, filepath.Join(t.TempDir(), "x")}
	p.fails(exitUsage, "must be https", "", "init", "--base-url", "http://login.example.org")
	p.fails(exitFailed, "cannot be part of an address", "", "init", "--tenant", "Not A Slug")
	p.fails(exitFailed, "latchkey init", "", "user", "list")
}

func TestExitCodes(t *testing.T) {
	p := newInstallation(t)
	for _, tt := range []struct {
		name string
		want int
		says string
		args []string
	}{
		{"no command", exitUsage, "--help", nil},
		{"unknown command", exitUsage, `did you mean "policy"`, []string{"polcy"}},
		{"missing argument", exitUsage, `see "latchkey user show --help"`, []string{"user", "show"}},
		{"unknown flag", exitUsage, "unknown flag", []string{"user", "list", "--nothing"}},
		{"unknown tenant", exitFailed, `did you mean "default"`, []string{"user", "list", "--tenant", "defualt"}},
		{"unknown policy", exitFailed, `did you mean "access"`, []string{"policy", "show", "acess"}},
		{"unknown event", exitFailed, `did you mean "login.failure"`, []string{"audit", "list", "--kind", "login.failur"}},
		{"unknown user", exitFailed, `there is no user "anna"`, []string{"user", "show", "anna"}},
		{"no such file", exitFailed, "no such file", []string{"policy", "set", "access", "nowhere.json"}},
		{"when", exitUsage, "--since", []string{"audit", "list", "--since", "yesterday"}},
		{"flags of another policy", exitUsage, "self-provisioning", []string{"policy", "set", "access", "--target", "all"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p.t = t
			p.fails(tt.want, tt.says, "", tt.args...)
		})
	}
}

// Every command explains itself with an example.
func TestHelp(t *testing.T) {
	parser, err := kong.New(&commands{}, kong.Name("latchkey"), kong.BindTo(t.Context(), (*context.Context)(nil)))
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range parser.Model.Leaves(true) {
		command := strings.TrimPrefix(leaf.Path(), "latchkey ")
		if bare, _, ok := strings.Cut(command, " ("); ok { // with its other names
			command = bare
		}
		var out, errs bytes.Buffer
		code := run(t.Context(), append(strings.Fields(command), "--help"), nil, &out, &errs)
		if code != exitOK || !strings.Contains(out.String(), "Example") || !strings.Contains(out.String(), "latchkey "+command) {
			t.Errorf("latchkey %s --help: exit %d, want an example in:\n%s%s", command, code, out.String(), errs.String())
		}
	}
}

// A broken pipe: whoever reads us has read enough.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, os.NewSyscallError("write", syscall.EPIPE) }

func TestClosedPipeIsNoError(t *testing.T) {
	p := newInstallation(t)
	p.succeeds("", "user", "add", "anna", "--no-password", "--mail", "anna@example.org")
	p.succeeds("", "group", "add", "Nurses")
	for _, command := range []string{"tenant list", "tenant show default", "user list", "user show anna", "group list", "group member Nurses",
		"app list", "app show Hospital", "authenticator list", "authenticator add hotp --user anna", "enrollment list", "policy show",
		"policy show access", "policy set platforms --refuse android", "policy explain --user anna --app Hospital", "audit list", "audit export",
		"report activity", "report enrollments", "config validate", "migrate", "version", "completion bash", "man", "complete -- us", "phone list"} {
		for _, more := range [][]string{nil, {"--json"}} {
			args := slices.Concat([]string{"--dir", p.dir}, more, strings.Fields(command))
			var errs bytes.Buffer
			if code := run(t.Context(), args, nil, brokenPipe{}, &errs); code != exitOK || errs.Len() > 0 {
				t.Errorf("latchkey %s into a closed pipe: exit %d, %s", strings.Join(args, " "), code, errs.String())
			}
		}
	}
}

func TestTenants(t *testing.T) {
	p := newInstallation(t)
	added := read[tenantRow](p, "", "tenant", "add", "second", "--name", "Second", "--language", "de", "--alert", "ops@example.org")
	if added.Slug != "second" || added.Language != "de" || len(added.Alerts) != 1 {
		t.Errorf("added: %+v", added)
	}
	p.fails(exitFailed, `"second"`, "", "tenant", "add", "second", "--name", "Again")
	p.fails(exitUsage, "--tenant (default, second)", "", "user", "list")
	p.succeeds("long enough\n", "user", "add", "anna", "--tenant", "second")
	for tenant, want := range map[string]int{"default": 0, "second": 1} {
		if users := read[[]userRow](p, "", "user", "list", "--tenant", tenant); len(users) != want {
			t.Errorf("%s has %d users, want %d", tenant, len(users), want)
		}
	}
}

// A tenant's names change everywhere, with what they were in the event.
func TestTenantSet(t *testing.T) {
	p := newInstallation(t)
	p.fails(exitUsage, "nothing to change", "", "tenant", "set")
	p.fails(exitUsage, "exclude each other", "", "tenant", "set", "--alert", "ops@example.org", "--no-alerts")
	p.fails(exitFailed, "a tenant has a name", "", "tenant", "set", "--name", "")
	p.fails(exitFailed, "no language tag", "", "tenant", "set", "--language", "???")
	row := read[tenantRow](p, "", "tenant", "set", "default", "--name", "Example Hospital", "--organisation", "Hospital", "--help-contact", "extension 2222",
		"--language", "de", "--alert", "ops@example.org", "--no-mail-names", "--name-label", "Staff number")
	want := tenantRow{ID: row.ID, Slug: "default", Name: "Example Hospital", Organisation: "Hospital", Language: "de", HelpContact: "extension 2222", NameLabel: "Staff number",
		Alerts: []string{"ops@example.org"}, CreatedAt: row.CreatedAt}
	if !reflect.DeepEqual(row, want) || !reflect.DeepEqual(read[tenantRow](p, "", "tenant", "show"), want) {
		t.Errorf("set: %+v, want %+v", row, want)
	}
	apps := read[[]appRow](p, "", "app", "list")
	if len(apps) != 1 || apps[0].Name != "Hospital" {
		t.Errorf("its own pages: %+v", apps)
	}
	p.succeeds("", "tenant", "set", "--organisation", "", "--no-alerts")
	if apps := read[[]appRow](p, "", "app", "list"); apps[0].Name != "Example Hospital" {
		t.Errorf("its own pages: %+v", apps)
	}
	p.succeeds("", "tenant", "set", "--name", "Example Hospital") // as it is
	events := p.events(audit.TenantChanged)
	if len(events) != 4 || events[3].Data["name_before"] != "Hospital" && events[2].Data["name_before"] != "Hospital" {
		t.Errorf("events: %+v", events)
	}
}

// A tenant goes with everything in it once its name is typed; the others stay, and an
// event of no tenant tells of it.
func TestTenantRemove(t *testing.T) {
	p := newInstallation(t)
	p.succeeds("", "tenant", "add", "second", "--name", "Second Hospital")
	for _, tenant := range []string{"default", "second"} {
		p.succeeds("", "group", "add", "Nurses", "--tenant", tenant)
		p.succeeds("", "user", "add", "anna", "--no-password", "--group", "Nurses", "--tenant", tenant)
		p.succeeds("", "authenticator", "add", "hotp", "--user", "anna", "--tenant", tenant)
	}
	p.fails(exitUsage, `Say --confirm "Second Hospital"`, "", "tenant", "remove", "second")
	p.fails(exitUsage, "is not its name", "", "tenant", "remove", "second", "--confirm", "second")
	p.fails(exitFailed, `did you mean "second"`, "", "tenant", "remove", "secnod", "--confirm", "Second Hospital")
	removed := read[tenantRemoved](p, "", "tenant", "remove", "second", "--confirm", "Second Hospital")
	if removed.Slug != "second" || removed.Rows < 10 {
		t.Errorf("removed: %+v", removed)
	}
	if tenants := read[[]tenantRow](p, "", "tenant", "list"); len(tenants) != 1 || tenants[0].Slug != "default" {
		t.Errorf("tenants: %+v", tenants)
	}
	if users := read[[]userRow](p, "", "user", "list", "--tenant", "default"); len(users) != 1 {
		t.Errorf("users of the other: %+v", users)
	}
	events := read[[]report.Event](p, "", "audit", "list", "--installation")
	if len(events) != 2 || events[0].Kind != audit.TenantRemoved || events[0].Data["name"] != "Second Hospital" || events[1].Reason != "begun" ||
		!strings.Contains(events[0].ActorName, "latchkey tenant remove") {
		t.Errorf("events of the installation: %+v", events)
	}
	p.succeeds("", "tenant", "add", "second", "--name", "Second Hospital") // the slug is free
}

// --version and help say what the command version and --help do.
func TestVersionAndHelp(t *testing.T) {
	said := func(args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, nil, &out, &errs); code != exitOK || errs.Len() > 0 {
			t.Fatalf("latchkey %s: exit %d, %s", strings.Join(args, " "), code, errs.String())
		}
		return out.String()
	}
	if got, want := said("--version"), said("version"); got != want {
		t.Errorf("--version says %q, want %q", got, want)
	}
	for _, command := range []string{"", "user", "user show", "policy set push"} {
		words := strings.Fields(command)
		if got, want := said(append([]string{"help"}, words...)...), said(append(words, "--help")...); got != want {
			t.Errorf("help %s says\n%s\nwant\n%s", command, got, want)
		}
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"help", "polcy"}, nil, &out, &errs); code != exitUsage || !strings.Contains(errs.String(), `did you mean "policy"`) {
		t.Errorf("help of no command: exit %d, %s%s", code, out.String(), errs.String())
	}
}

func TestUsersAndGroups(t *testing.T) {
	p := newInstallation(t)
	p.succeeds("", "group", "add", "Nurses")
	p.succeeds("", "group", "add", "Doctors, senior")
	anna := read[userRow](p, "correct horse\nnot this\n", "user", "add", "anna", "--mail", "anna@example.org", "--group", "nurses", "--group", "Doctors, senior")
	if !anna.Password || anna.ID == "" {
		t.Errorf("added: %+v", anna)
	}
	p.fails(exitUsage, "--no-password", "", "user", "add", "bo")
	p.succeeds("", "user", "add", "bo", "--no-password")
	p.fails(exitFailed, `there is a user "ANNA" already`, "long enough", "user", "add", "ANNA")
	p.fails(exitFailed, "at least 8 characters", "short", "user", "add", "cy")
	p.fails(exitFailed, `did you mean "Nurses"`, "long enough", "user", "add", "cy", "--group", "Nurse")
	p.fails(exitFailed, `did you mean "anna"`, "", "user", "show", "anan")

	shown := read[userRow](p, "", "user", "show", "Anna")
	if got := strings.Join(shown.Groups, "; "); got != "Doctors, senior; Nurses" {
		t.Errorf("groups: %s", got)
	}
	if out := p.succeeds("", "user", "show", "anna"); !strings.Contains(out, "anna@example.org") || !strings.Contains(out, "Nurses") {
		t.Errorf("user show:\n%s", out)
	}
	p.succeeds("", "group", "member", "Nurses", "--add", "bo", "--remove", "anna")
	members := read[[]userRow](p, "", "user", "list", "--group", "Nurses")
	if len(members) != 1 || members[0].Name != "bo" {
		t.Errorf("members: %+v", members)
	}
	p.fails(exitFailed, `there is no user "zoe"`, "", "group", "member", "Nurses", "--add", "zoe")
	if groups := read[[]groupRow](p, "", "group", "list"); len(groups) != 2 {
		t.Errorf("groups: %+v", groups)
	}
	p.succeeds("", "user", "unlock", "anna")
	allowed := read[userRow](p, "", "enrollment", "allow", "anna")
	if allowed.MayEnrollAt.IsZero() {
		t.Errorf("no leave: %+v", allowed)
	}
	for kind, want := range map[audit.Kind]int{audit.UserAdded: 2, audit.GroupAdded: 2, audit.GroupMember: 4, audit.UserUnlocked: 1, audit.EnrollAllowed: 1} {
		events := p.events(kind)
		if len(events) != want {
			t.Errorf("%d events %s, want %d", len(events), kind, want)
		}
		for _, e := range events {
			if e.Actor != string(identity.CommandLine) || !strings.Contains(e.ActorName, ": latchkey ") {
				t.Errorf("%s by %s %q, want the command line", kind, e.Actor, e.ActorName)
			}
		}
	}
}

func TestPolicy(t *testing.T) {
	p := newInstallation(t)
	p.succeeds("", "group", "add", "Nurses")
	nurses := read[[]groupRow](p, "", "group", "list")[0].ID

	// By flags, by a document with names, and back with ids.
	row := read[policyRow](p, "", "policy", "set", "self-provisioning", "--target", "only", "--group", "nurses", "--no-require-leave")
	if got, want := compact(t, row.Document), `{"target":"only","groups":["`+nurses+`"],"require_leave":false,"third_party":false}`; got != want || row.Version != 1 {
		t.Errorf("version %d: %s, want %s", row.Version, got, want)
	}
	document := `{"rules":[{"name":"nurses","groups":["Nurses"],"require":["password"]},{"name":"rest","require":["password","otp"]}]}`
	p.succeeds(document, "policy", "set", "access")
	shown := p.succeeds("", "policy", "show", "access")
	if !strings.Contains(shown, nurses) {
		t.Errorf("policy show access has no id of the group:\n%s", shown)
	}
	p.succeeds(shown, "policy", "set", "access") // what was shown can be set, and changes nothing
	if events := p.events(audit.PolicyChanged); len(events) != 2 || events[0].Data["before"] == events[0].Data["after"] {
		t.Errorf("events: %+v, want two that differ before and after", events)
	}
	p.fails(exitFailed, "rules[1].require[0]: must be one of", `{"rules":[{"name":"a","require":["password"]},{"name":"b","require":["magic"]}]}`, "policy", "set", "access")
	p.fails(exitFailed, "there is no group “Nurces”; did you mean “Nurses”?", strings.Replace(document, `"Nurses"`, `"Nurces"`, 1), "policy", "set", "access")
	p.fails(exitFailed, "there is no application “Payroll”", `{"rules":[{"name":"a","applications":["Payroll"],"require":["password"]}]}`, "policy", "set", "access")
	p.fails(exitFailed, "is not JSON", "{", "policy", "set", "push")
	p.fails(exitUsage, "there is no document", "", "policy", "set", "push")
	p.fails(exitFailed, "target: must be one of", "", "policy", "set", "self-provisioning", "--tenant", "default", "--target", "nobody")

	platforms := compact(t, read[policyRow](p, "", "policy", "set", "platforms", "--refuse", "android", "--no-push", "linux").Document)
	for _, want := range []string{`"android":{"allowed":false,"push":true`, `"linux":{"allowed":true,"push":false`, `"ios":{"allowed":true,"push":true`} {
		if !strings.Contains(platforms, want) {
			t.Errorf("no %s in %s", want, platforms)
		}
	}
	p.fails(exitFailed, "atari", "", "policy", "set", "platforms", "--allow", "atari")
	push := `{"groups":{"Nurses":{"enabled":false,"codes_allowed":true,"presence":"none"}}}`
	if got := compact(t, read[policyRow](p, push, "policy", "set", "push").Document); !strings.Contains(got, `"`+nurses+`":{"enabled":false`) {
		t.Errorf("push: %s", got)
	}
	if all := read[[]policyRow](p, "", "policy", "show"); len(all) != len(policy.Kinds()) || all[0].Version != 1 {
		t.Errorf("policy show: %+v", all)
	}
}

func compact(t *testing.T, document []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, document); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAuditList(t *testing.T) {
	p := newInstallation(t)
	p.succeeds("long enough", "user", "add", "anna")
	p.succeeds("long enough", "user", "add", "bo")
	if events := read[[]report.Event](p, "", "audit", "list", "--user", "anna"); len(events) != 1 || events[0].Personal["name"] != "anna" {
		t.Errorf("events of anna: %+v", events)
	}
	if events := read[[]report.Event](p, "", "audit", "list", "--limit", "2"); len(events) != 2 {
		t.Errorf("%d events, want 2", len(events))
	}
	if out := p.succeeds("", "audit", "list", "--since", "2100-01-01", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("events since 2100: %s, want []", out)
	}
	if events := read[[]report.Event](p, "", "audit", "list", "--since", "1h"); len(events) != 6 {
		t.Errorf("%d events in an hour, want 6", len(events))
	}
}

// What anybody typed into the database must not command a terminal.
func TestPrintable(t *testing.T) {
	if got, want := printable("a\x1b[2Jb\u202ec\nd"), "a\ufffd[2Jb\ufffdc\ufffdd"; got != want {
		t.Errorf("printable = %q, want %q", got, want)
	}
	if name := "علی\u200cرضا"; printable(name) != name {
		t.Errorf("the joiner of a name became %q", printable(name))
	}
}
