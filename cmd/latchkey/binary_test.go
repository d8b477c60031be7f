package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// TestMain removes what binary built.
func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built) // it is in the temporary folder
	}
	os.Exit(code)
}

var (
	built     string // the folder of the program, once it is built
	buildOnce = sync.OnceValue(func() error {
		var err error
		if built, err = os.MkdirTemp("", "latchkey-binary-"); err != nil {
			return err
		}
		if out, err := exec.Command("go", "build", "-o", built, ".").CombinedOutput(); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
		return nil
	})
)

// buildProgram is the program without the race detector, built once for all tests.
func buildProgram(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the program")
	}
	if err := buildOnce(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(built, "latchkey")
}
