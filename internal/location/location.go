// Package location estimates where an address on the internet is, by a database that
// an operator names: a file in the MaxMind DB format, such as GeoLite2-City,
// GeoIP2-Country or DB-IP City Lite, whose records have the names of a city and a
// country.
//
// A place helps people to recognise a sign-in as theirs or somebody else's (PUSH-12).
// It is an estimate: an address may be that of a proxy, or lie elsewhere than the
// database has it. Nothing is decided by it.
//
// The file is read into memory as a whole, so that a lookup does no I/O and an
// operator may overwrite the file at any time: a mapped file that gets shorter would
// end the process. It is read again when it has changed. Where it cannot be used,
// nobody is kept from signing in: the last one that could be is used on, or no place
// is shown.
package location

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// watchInterval is how often Watch looks whether the file has changed.
const watchInterval = time.Minute

// A Database is the file of an operator. Its zero value and a nil one know no place.
type Database struct {
	path   string
	log    *slog.Logger
	seen   version // of the file when it was last read, whether it could be used or not
	reader atomic.Pointer[maxminddb.Reader]
}

// A version tells one content of a file from another.
type version struct {
	changed time.Time
	size    int64
	missing bool // there is none
}

// New returns the database in a file, and reads it. Where that fails, it is logged,
// and the database knows no place until [Database.Watch] finds a file that can be used.
func New(ctx context.Context, path string, log *slog.Logger) *Database {
	d := &Database{path: path, log: log}
	d.refresh(ctx)
	return d
}

// Watch reads the file again when it has changed, until ctx ends.
func (d *Database) Watch(ctx context.Context) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			d.refresh(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// refresh reads the file if it is another than at the last attempt.
func (d *Database) refresh(ctx context.Context) {
	info, err := os.Stat(d.path)
	now := version{missing: true}
	if err == nil {
		now = version{changed: info.ModTime(), size: info.Size()}
	}
	if now == d.seen {
		return // and what was wrong with it has been said
	}
	d.seen = now
	var reader *maxminddb.Reader
	if err == nil {
		reader, err = read(d.path)
	}
	if err != nil {
		d.log.WarnContext(ctx, "the location database cannot be used", "file", d.path, "err", err, "before", d.reader.Load() != nil)
		return
	}
	d.reader.Store(reader)
}

// A Summary says what is in a database.
type Summary struct {
	Type  string // as it calls itself: "GeoLite2-City"
	Built time.Time
}

// Check reads a database and says what is in it, or why it cannot be used.
func Check(path string) (Summary, error) {
	reader, err := read(path)
	if err != nil {
		return Summary{}, err
	}
	return Summary{Type: identity.CleanTyped(reader.Metadata.DatabaseType), Built: reader.Metadata.BuildTime()}, nil
}

// enoughRecords is how many records parse looks at for one that names a place.
const enoughRecords = 10_000

// read reads a file, which must name places.
func read(path string) (*maxminddb.Reader, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	reader, err := parse(content)
	if err != nil {
		return nil, fmt.Errorf("location: %s: %w", path, err)
	}
	return reader, nil
}

// parse reads the content of a file.
func parse(content []byte) (*maxminddb.Reader, error) {
	reader, err := maxminddb.OpenBytes(content)
	if err != nil {
		return nil, err
	}
	n := 0
	for result := range reader.Networks() {
		if placeOf(result, "en") != "" {
			return reader, nil
		}
		if n++; n == enoughRecords {
			break
		}
	}
	return nil, fmt.Errorf("%w, type %q", errNoPlaces, identity.CleanTyped(reader.Metadata.DatabaseType))
}

var errNoPlaces = errors.New("its records name no place")

// A record is what is read of an address. Its fields are those of MaxMind's databases of
// cities and countries.
type record struct {
	City    place `maxminddb:"city"`
	Country place `maxminddb:"country"`
}

// A place has its names by language.
type place struct {
	Names map[string]string `maxminddb:"names"`
}

// Place returns where an address is estimated to be, such as "Bergen, Norway": in a
// language if the database has its names, else in English. It is empty where nothing is
// known of the address.
func (d *Database) Place(address, language string) string {
	if d == nil {
		return ""
	}
	reader := d.reader.Load()
	ip, err := netip.ParseAddr(address)
	if reader == nil || err != nil {
		return ""
	}
	return placeOf(reader.Lookup(ip.WithZone("").Unmap()), language)
}

func placeOf(found maxminddb.Result, language string) string {
	var r record
	if err := found.Decode(&r); err != nil {
		return "" // another kind of database, or a damaged record
	}
	city, country := r.City.name(language), r.Country.name(language)
	if city == "" || country == "" {
		return city + country
	}
	return city + ", " + country
}

// name returns the name in a language: of it, of one of its regions, or in English. It
// goes into pages and mails, so it is cleaned as what people type is.
func (p place) name(language string) string {
	name := p.Names[language]
	if name == "" {
		for tag, regional := range p.Names {
			if strings.HasPrefix(tag, language+"-") {
				name = max(name, regional) // the same at each lookup
			}
		}
	}
	if name == "" {
		name = p.Names["en"]
	}
	return identity.CleanTyped(name)
}
