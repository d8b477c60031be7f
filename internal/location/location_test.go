package location

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/location/locationtest"
)

type names = locationtest.Names

var records = []locationtest.Record{
	{Network: "192.0.2.0/24", City: names{"en": "Munich", "de": "München"}, Country: names{"en": "Germany", "de": "Deutschland"}},
	{Network: "198.51.100.0/24", Country: names{"en": "Brazil", "pt-BR": "Brasil"}},
	{Network: "203.0.113.0/25", City: names{"en": "Ber\u202egen\n"}},
	{Network: "203.0.113.128/25"},
	{Network: "2001:db8::/32", City: names{"en": "Bergen"}, Country: names{"en": "Norway"}},
}

// PUSH-12: what is told of an address, and in which language.
//
// Tried without CleanTyped: a name turned the text around it.
func TestPUSH12_Place(t *testing.T) {
	path := filepath.Join(t.TempDir(), "city.mmdb")
	locationtest.Write(t, path, records...)
	d := New(t.Context(), path, slog.New(slog.DiscardHandler))
	for _, tt := range []struct{ name, address, language, want string }{
		{"English", "192.0.2.17", "en", "Munich, Germany"},
		{"German", "192.0.2.17", "de", "München, Deutschland"},
		{"a language that the file has not", "192.0.2.17", "ar", "Munich, Germany"},
		{"a region of the language", "198.51.100.1", "pt", "Brasil"},
		{"a country alone", "198.51.100.1", "en", "Brazil"},
		{"a name with controls", "203.0.113.1", "en", "Bergen"},
		{"a network without names", "203.0.113.200", "en", ""},
		{"IPv6", "2001:db8::1", "en", "Bergen, Norway"},
		{"IPv6 of a link", "2001:db8::1%eth0", "en", "Bergen, Norway"},
		{"IPv4 written as IPv6", "::ffff:192.0.2.17", "en", "Munich, Germany"},
		{"an address that is not in it", "10.0.0.1", "en", ""},
		{"no address", "", "en", ""},
		{"nonsense", "a.example", "en", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := d.Place(tt.address, tt.language); got != tt.want {
				t.Errorf("Place(%q, %q) = %q, want %q", tt.address, tt.language, got, tt.want)
			}
		})
	}
	for _, none := range []*Database{nil, {}} {
		if got := none.Place("192.0.2.17", "en"); got != "" {
			t.Errorf("of no database: %q", got)
		}
	}
}

// A file that is replaced is read again; one that cannot be used takes nothing away,
// and is said once.
func TestPUSH12_ReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "city.mmdb")
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	warnings := func() int { return strings.Count(said.String(), "cannot be used") }
	changed := time.Now()
	put := func(content []byte) {
		t.Helper()
		changed = changed.Add(time.Second)
		if err := errors.Join(os.WriteFile(path, content, 0o600), os.Chtimes(path, changed, changed)); err != nil {
			t.Fatal(err)
		}
	}
	d := New(t.Context(), path, log)
	if got := d.Place("192.0.2.17", "en"); got != "" || warnings() != 1 {
		t.Fatalf("without a file: %q, %s", got, &said)
	}
	whole := locationtest.Make(t, "GeoLite2-City", records...)
	for i, step := range []struct {
		name     string
		content  []byte
		want     string
		warnings int
	}{
		{"the first", whole, "Munich, Germany", 1},
		{"half of one", whole[:len(whole)/2], "Munich, Germany", 2},
		{"nothing", nil, "Munich, Germany", 3},
		{"no such file at all", []byte("<html>"), "Munich, Germany", 4},
		{"one without places", locationtest.Make(t, "GeoLite2-ASN", records[3]), "Munich, Germany", 5},
		{"another", locationtest.Make(t, "X-City", locationtest.Record{Network: "192.0.2.0/24", City: names{"en": "Oslo"}}), "Oslo", 5},
	} {
		put(step.content)
		for range 2 {
			d.refresh(t.Context())
		}
		if got := d.Place("192.0.2.17", "en"); got != step.want || warnings() != step.warnings {
			t.Errorf("%d, %s: %q after %d warnings, want %q after %d", i, step.name, got, warnings(), step.want, step.warnings)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		d.refresh(t.Context())
	}
	if d.Place("192.0.2.17", "en") != "Oslo" || warnings() != 6 {
		t.Errorf("without the file: %q after %d warnings", d.Place("192.0.2.17", "en"), warnings())
	}
}

// Watch ends with its context.
func TestWatch_Ends(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	(&Database{}).Watch(ctx)
}

func TestCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "city.mmdb")
	locationtest.Write(t, path, records...)
	if got, err := Check(path); err != nil || got != (Summary{"GeoLite2-City", locationtest.Built}) && !got.Built.Equal(locationtest.Built) {
		t.Errorf("Check = %+v, %v", got, err)
	}
	if err := os.WriteFile(path, locationtest.Make(t, "GeoLite2-ASN", records[3]), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Check(path); !errors.Is(err, errNoPlaces) {
		t.Errorf("of one without places: %v", err)
	}
}

// Whatever a file holds, reading it ends with an error or a database, and a lookup
// with a text.
func FuzzRead(f *testing.F) {
	whole := locationtest.Make(f, "GeoLite2-City", records...)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Fuzz(func(t *testing.T, content []byte) {
		reader, err := parse(content)
		if err != nil {
			return
		}
		d := &Database{}
		d.reader.Store(reader)
		for _, address := range []string{"192.0.2.17", "2001:db8::1", "::"} {
			d.Place(address, "en")
		}
	})
}
