package latchkey_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// foreign lists the folders whose files others wrote. They are copied in as
// they are, so our rules of writing do not apply to them.
var foreign = []string{"static/authenticator/scanner/jsqr"}

// A sourceFile is a text file of the repository. Its path has slashes and
// begins at the root.
type sourceFile struct {
	path, text string
}

// line returns the number of the line at an offset in the text, from 1.
func (f sourceFile) line(offset int) int {
	return strings.Count(f.text[:offset], "\n") + 1
}

// readSources reads all text files of the repository, without those of git,
// the ignored folders and the foreign ones.
func readSources(t *testing.T) []sourceFile {
	t.Helper()
	skipped := append(ignoredFolders(t), foreign...)
	var all []sourceFile
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		path = filepath.ToSlash(path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || slices.Contains(skipped, path) || slices.Contains(skipped, d.Name())):
			return fs.SkipDir
		case !d.Type().IsRegular() || path == "go.sum":
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !bytes.ContainsRune(content, 0) { // no picture, no archive, no built program
			all = append(all, sourceFile{path, string(content)})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// ignoredFolders returns the folders that .gitignore names. Each is taken for a
// path from the root and for a name at any depth.
func ignoredFolders(t *testing.T) []string {
	t.Helper()
	content, err := os.ReadFile(".gitignore")
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for entry := range strings.Lines(string(content)) {
		if folder := strings.Trim(strings.TrimSpace(entry), "/"); folder != "" && !strings.ContainsAny(folder, "*#!") {
			folders = append(folders, folder)
		}
	}
	return folders
}
