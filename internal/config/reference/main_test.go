package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// The page in docs is what the comments say today.
func TestReference(t *testing.T) {
	want, err := render(filepath.Join("..", "config.go"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "configuration.md"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/configuration.md is not what the comments say (%v): \"make docs\" writes it anew", err)
	}
}
