package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The manual page has every command and flag there is, and its readers take it.
func TestManual(t *testing.T) {
	all := commandModel(t)
	page := manual(all, "v1.2.3", time.Date(2026, 1, 2, 23, 0, 0, 0, time.UTC))
	for _, leaf := range all.Leaves(true) {
		want := []string{`.SS "latchkey ` + escaped(leaf.Path())}
		for _, flag := range leaf.Flags {
			want = append(want, escaped("--"+flag.Name))
		}
		for _, text := range want {
			if !strings.Contains(page, text) {
				t.Errorf("no %s in the page", text)
			}
		}
	}
	for _, text := range []string{`.TH LATCHKEY 1 "2026-01-02" "Latchkey v1.2.3"`, `.BR`, "latchkey complete"} {
		if got, want := strings.Contains(page, text), strings.HasPrefix(text, ".TH"); got != want {
			t.Errorf("%s in the page: %t, want %t", text, got, want)
		}
	}
	path := filepath.Join(t.TempDir(), "latchkey.1")
	if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, reader := range [][]string{{"mandoc", "-Tlint", "-Wwarning"}, {"groff", "-man", "-Tutf8", "-ww", "-z"}} {
		t.Run(reader[0], func(t *testing.T) {
			if _, err := exec.LookPath(reader[0]); err != nil {
				t.Skip(reader[0] + " is not installed")
			}
			if out, err := exec.Command(reader[0], append(reader[1:], path)...).CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// Text is shown, never obeyed.
func TestManual_Escapes(t *testing.T) {
	var m roff
	m.text(`.so /etc/passwd`)
	m.text(`'a \fB--x… `)
	m.macro("B", `say "x"`)
	want := "\\&.so /etc/passwd\n\\&'a \\efB\\-\\-x\\[u2026] \n.B \"say \\(dqx\\(dq\"\n"
	if got := m.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
