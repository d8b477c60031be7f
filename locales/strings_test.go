package locales

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/language"
)

// lookUp matches keys where a template, a program or a script looks up a text:
//
// {{t $.L "key"}}   {{.L.T "key"}}   p.T("key"   Key: "key"   Notice = "key"
//
// A key that ends in a dot is a prefix of several.
var lookUp = regexp.MustCompile(`(?:\bt [$.\w]+ |\.T |\.(?:T|Parts|TextLang|Fallback)\(|\bt\(|\b(?:Key|Problem|Notice):?\s*[=:]\s*)"([a-z]+\.[a-z0-9._-]*)"`)

// quoted matches whatever could be a key.
var quoted = regexp.MustCompile("[\"'`]([a-z]+\\.[a-z0-9._-]*)[\"'`]")

// sources reads the files of the module that may use texts, without tests.
func sources(t *testing.T) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name == "testdata" || name == "node_modules" || name != ".." && strings.HasPrefix(name, ".") {
				return filepath.SkipDir
			}
			return nil
		}
		switch filepath.Ext(path) {
		case ".go", ".html", ".txt", ".js", ".mjs":
			if strings.HasSuffix(path, "_test.go") {
				return nil
			}
			data, err := os.ReadFile(path)
			files[path] = string(data)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestEveryTextAskedForExists(t *testing.T) {
	texts := loadCatalog(t).byTag[language.English].texts
	for path, source := range sources(t) {
		for _, found := range lookUp.FindAllStringSubmatch(source, -1) {
			key := found[1]
			if strings.HasSuffix(key, ".") {
				if !slices.ContainsFunc(slices.Collect(maps.Keys(texts)), func(k string) bool { return strings.HasPrefix(k, key) }) {
					t.Errorf("%s: no text begins with %s", path, key)
				}
			} else if texts[key] == nil {
				t.Errorf("%s: no text %s", path, key)
			}
		}
	}
}

// TestReportStrings never fails; go test -v -run ReportStrings reports which
// texts are unused, and which are missing by language.
func TestReportStrings(t *testing.T) {
	own, err := read(embedded)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("unused: %s", strings.Join(unused(t, own[language.English]), " "))
	for tag, texts := range own {
		var missing []string
		for key := range own[language.English] {
			if texts[key] == nil {
				missing = append(missing, key)
			}
		}
		slices.Sort(missing)
		t.Logf("%v lacks %d of %d: %s", tag, len(missing), len(own[language.English]), strings.Join(missing, " "))
	}
}

// unused lists the texts whose keys are nowhere in the sources, neither whole
// nor as a prefix that ends in a dot.
func unused(t *testing.T, texts map[string]*message) []string {
	var whole, beginnings []string
	for _, source := range sources(t) {
		for _, found := range quoted.FindAllStringSubmatch(source, -1) {
			if strings.HasSuffix(found[1], ".") {
				beginnings = append(beginnings, found[1])
			} else {
				whole = append(whole, found[1])
			}
		}
	}
	slices.Sort(whole)
	var keys []string
	for key := range texts {
		_, used := slices.BinarySearch(whole, key)
		if !used && !slices.ContainsFunc(beginnings, func(b string) bool { return strings.HasPrefix(key, b) }) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
