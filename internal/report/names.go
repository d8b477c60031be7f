package report

import (
	"context"

	"github.com/latchkey-id/latchkey/internal/store"
)

// names finds what ids are called, and remembers some of them: a report names
// the same few applications, and often the same people, over and over.
type names struct {
	r      store.Reader
	tenant string
	known  map[string]string // names by id
}

// maxNames is how many names are remembered.
const maxNames = 10_000

func newNames(r store.Reader, tenant string) *names {
	return &names{r: r, tenant: tenant, known: make(map[string]string)}
}

// of returns what an id is called: the id itself where that was removed.

func (n *names) of(id string, find func() (string, error)) string {
	if id == "" {
		return ""
	}
	name, ok := n.known[id]
	if ok {
		return name
	}
	name, err := find()
	if err != nil || name == "" {
		name = id // removed
	}
	if len(n.known) >= maxNames {
		clear(n.known)
	}
	n.known[id] = name
	return name
}

func (n *names) user(ctx context.Context, id string) string {
	return n.of(id, func() (string, error) {
		u, err := n.r.Users().Get(ctx, n.tenant, id)
		return u.Name, err
	})
}

func (n *names) application(ctx context.Context, id string) string {
	return n.of(id, func() (string, error) {
		a, err := n.r.Applications().Get(ctx, n.tenant, id)
		return a.Name, err
	})
}

func (n *names) serial(ctx context.Context, id string) string {
	return n.of(id, func() (string, error) {
		a, err := n.r.Authenticators().Get(ctx, n.tenant, id)
		return a.Serial, err
	})
}
