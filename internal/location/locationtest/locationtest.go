// Package locationtest makes location databases for tests.
package locationtest

import (
	"bytes"
	"maps"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// Names are the names of a place by language.
type Names = map[string]string

// A Record is where the addresses of a network are. Either may be nil.
type Record struct {
	Network       string // such as "192.0.2.0/24"
	City, Country Names
}

// Built is when the databases say that they were built.
var Built = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)

// Write writes a database of records into a file, in place of what is there.
func Write(t testing.TB, path string, records ...Record) {
	t.Helper()
	if err := os.WriteFile(path, Make(t, "GeoLite2-City", records...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Make makes a database of records.
func Make(t testing.TB, kind string, records ...Record) []byte {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind, BuildEpoch: Built.Unix(), IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		_, network, err := net.ParseCIDR(r.Network)
		if err != nil {
			t.Fatal(err)
		}
		value := mmdbtype.Map{}
		for key, names := range map[mmdbtype.String]Names{"city": r.City, "country": r.Country} {
			if names == nil {
				continue
			}
			translated := mmdbtype.Map{}
			for _, language := range slices.Sorted(maps.Keys(names)) {
				translated[mmdbtype.String(language)] = mmdbtype.String(names[language])
			}
			value[key] = mmdbtype.Map{"names": translated}
		}
		if err := tree.Insert(network, value); err != nil {
			t.Fatal(err)
		}
	}
	var file bytes.Buffer
	if _, err := tree.WriteTo(&file); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}
