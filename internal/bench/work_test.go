package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"github.com/latchkey-id/latchkey/internal/server"
	"github.com/latchkey-id/latchkey/internal/store"
)

var update = flag.Bool("update", false, "write testdata/work.txt anew")

// goldenWork is what each flow may cost.
var goldenWork = filepath.Join("testdata", "work.txt")

// TestWork counts what each flow costs the server, and compares it with
// testdata/work.txt: a refactoring that makes a sign-in read once more is seen
// here, long before anybody could measure it. Where a cost is meant to change,
//
//	go test ./internal/bench -run TestWork -update
//
// writes the file anew, with TEST_POSTGRES set for both databases; what is not
// measured stays as it was.
//
// The server is the real one, in this process, and is spoken to by HTTP alone.
// Each kind of flow has a server that was just started, is done once to warm it
// up (its caches, the statements it keeps prepared) and then once to be counted.
// Work belongs to the flow if it was done under the context of one of its
// requests, so that what the server does in the background is not counted: mails
// that leave, sweeping, looking for others' commits. No page's event stream is
// opened, since how often that looks depends on when who was woken; nor are the
// files that pages refer to fetched. Reads of the tenant outside transactions
// are left out (see tenantRead).
func TestWork(t *testing.T) {
	golden, err := readWork(goldenWork)
	if err != nil && !*update {
		t.Fatal(err)
	}
	now := make(workTable)
	for _, database := range databasesAtHand() {
		t.Run(engine(database), func(t *testing.T) {
			w := newWorkplace(t, database)
			for _, v := range flows {
				t.Run(v.name, func(t *testing.T) { now.set(engine(database), v.name, w.count(t, v)) })
			}
			if t.Failed() {
				t.Fatal("nothing to compare")
			}
			if *update {
				return
			}
			for _, difference := range golden.differences(now, engine(database)) {
				t.Error(difference)
			}
		})
	}
	if *update && !t.Failed() {
		for _, row := range golden {
			if _, measured := now[workKey{row.database, flows[0].name}]; !measured {
				now[row.workKey] = row
			}
		}
		if err := os.WriteFile(goldenWork, now.text(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// databasesAtHand are those a test can use, as the bench names them.
func databasesAtHand() []string {
	all := []string{"sqlite"}
	if dsn := os.Getenv("TEST_POSTGRES"); dsn != "" {
		all = append(all, dsn)
	}
	return all
}

// Work is what a flow cost, by column of the table.
type work [numColumns]int

const (
	inTx = iota
	outside
	commits
	rows
	hashes
	signatures
	byteCount
	numColumns
)

var workColumns = [numColumns]string{"in tx", "outside", "commits", "rows", "hashes", "signatures", "bytes"}

const workHeading = `# What each flow costs, as TestWork in internal/bench counts it (go test ./internal/bench -run TestWork -update):
# statements inside transactions and outside, commits, rows written, password hashes,
# signatures made by the tenant's keys, and bytes of the answers' bodies (compared within 10 %).
# A flow is all that browser, application and phone ask of the server, tokens fetched by the application included.
# Left out: event streams, files that pages refer to, work in the background, and the read of the tenant, which is
# remembered for a quarter of a second.

`

type workKey struct{ database, flow string }

type workRow struct {
	workKey
	work
}

type workTable map[workKey]workRow

func (t workTable) set(database, flow string, w work) {
	k := workKey{database, flow}
	t[k] = workRow{k, w}
}

// text is the table as it is kept.
func (t workTable) text() []byte {
	var b bytes.Buffer
	b.WriteString(workHeading)
	out := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	fmt.Fprintln(out, "database\tflow\t"+strings.Join(workColumns[:], "\t"))
	for _, database := range []string{"SQLite", "PostgreSQL"} {
		for _, v := range flows {
			row, ok := t[workKey{database, v.name}]
			if !ok {
				continue
			}
			fmt.Fprintf(out, "%s\t%s", database, v.name)
			for _, n := range row.work {
				fmt.Fprintf(out, "\t%d", n)
			}
			fmt.Fprintln(out)
		}
	}
	out.Flush()
	return b.Bytes()
}

// readWork reads the table. Its cells stand at least two spaces apart.
func readWork(file string) (workTable, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	t := make(workTable)
	for line := range strings.Lines(string(text)) {
		cells := strings.FieldsFunc(strings.ReplaceAll(strings.TrimSpace(line), "  ", "\t"), func(r rune) bool { return r == '\t' })
		if len(cells) == 0 || strings.HasPrefix(cells[0], "#") || cells[0] == "database" {
			continue
		}
		if len(cells) != 2+int(numColumns) {
			return nil, fmt.Errorf("%s: %d cells in %q", file, len(cells), line)
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		var w work
		for i := range w {
			if w[i], err = strconv.Atoi(cells[2+i]); err != nil {
				return nil, fmt.Errorf("%s: %q: %w", file, line, err)
			}
		}
		t.set(cells[0], cells[1], w)
	}
	return t, nil
}

// differences says what costs something else now than it did.
func (t workTable) differences(now workTable, database string) (all []string) {
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for _, v := range flows {
		was, known := t[workKey{database, v.name}]
		if !known {
			say("%s, %s: not in %s; -update adds it", database, v.name, goldenWork)
			continue
		}
		for i, n := range now[was.workKey].work {
			if i == byteCount && 10*max(n-was.work[i], was.work[i]-n) <= was.work[i] || n == was.work[i] {
				continue
			}
			say("%s, %s: %s: golden %d, now %d", database, v.name, workColumns[i], was.work[i], n)
		}
	}
	for k := range t {
		if k.database == database && !slices.ContainsFunc(flows, func(v flow) bool { return v.name == k.flow }) {
			say("%s, %s: in %s, but there is no such flow", database, k.flow, goldenWork)
		}
	}
	return all
}

// The table says which flow and which column differ, lets bytes be 10 % off and
// nothing else, and reads what it wrote.
func TestWorkTable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "work.txt")
	was := make(workTable)
	for _, v := range flows {
		was.set("SQLite", v.name, work{52, 26, 7, 12, 1, 1, 1000})
	}
	if err := os.WriteFile(file, was.text(), 0o644); err != nil {
		t.Fatal(err)
	}
	read, err := readWork(file)
	if err != nil || len(read) != len(flows) {
		t.Fatalf("read %v, %v", read, err)
	}
	now := make(workTable)
	for i, v := range flows {
		w := work{52, 26, 7, 12, 1, 1, 1000}
		switch i {
		case 1:
			w[outside]++
		case 2:
			w[commits]--
		case 3:
			w[byteCount] = 1100
		case 4:
			w[byteCount] = 899
		}
		now.set("SQLite", v.name, w)
	}
	want := []string{
		"SQLite, " + flows[1].name + ": outside: golden 26, now 27",
		"SQLite, " + flows[2].name + ": commits: golden 7, now 6",
		"SQLite, " + flows[4].name + ": bytes: golden 1000, now 899",
	}
	if got := read.differences(now, "SQLite"); !slices.Equal(got, want) {
		t.Errorf("differences %q, want %q", got, want)
	}
	if got := read.differences(now, "PostgreSQL"); len(got) != len(flows) {
		t.Errorf("of a database that was never measured: %q", got)
	}
}

// A workCounter counts the work of requests. Flows come one after the other.
type workCounter struct {
	mu       sync.Mutex
	idle     sync.Cond
	underWay int
	now      work
}

func newWorkCounter() *workCounter {
	c := new(workCounter)
	c.idle.L = &c.mu
	return c
}

type ofFlow struct{}

// tenantRead is the end of a read that is not counted: a tenant is remembered for
// a quarter of a second, so how often it is read depends on how fast the machine
// is at the moment.
const tenantRead = "FROM tenants WHERE slug = $1 AND removed_at IS NULL"

func (c *workCounter) observer() server.Observer {
	add := func(ctx context.Context, column, n int) {
		if ctx.Value(ofFlow{}) == nil {
			return // the background's
		}
		c.mu.Lock()
		c.now[column] += n
		c.mu.Unlock()
	}
	return server.Observer{
		Request: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				c.enter(1)
				defer c.enter(-1)
				ctx := context.WithValue(r.Context(), ofFlow{}, true)
				next.ServeHTTP(countedResponse{w, func(n int) { add(ctx, byteCount, n) }}, r.WithContext(ctx))
			})
		},
		Statement: func(ctx context.Context, s store.Statement) {
			switch {
			case s.Query == "COMMIT" && s.Err == nil:
				add(ctx, commits, 1)
			case s.Query == "BEGIN" || s.Query == "COMMIT" || s.Query == "ROLLBACK":
			case s.InTx:
				add(ctx, inTx, 1)
			case strings.HasSuffix(s.Query, tenantRead):
			default:
				add(ctx, outside, 1)
			}
			add(ctx, rows, int(s.Rows))
		},
		Hash:      func(ctx context.Context) { add(ctx, hashes, 1) },
		Signature: func(ctx context.Context) { add(ctx, signatures, 1) },
	}
}

func (c *workCounter) enter(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.underWay += n; c.underWay == 0 {
		c.idle.Broadcast()
	}
}

// take returns what was counted since the last time, once no request is under
// way: an answer may be read before its handler is done.
func (c *workCounter) take() work {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.underWay > 0 {
		c.idle.Wait()
	}
	w := c.now
	c.now = work{}
	return w
}

// A countedResponse tells of the bytes of a body.
type countedResponse struct {
	http.ResponseWriter
	wrote func(n int)
}

func (w countedResponse) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.wrote(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (w countedResponse) Unwrap() http.ResponseWriter { return w.ResponseWriter }
