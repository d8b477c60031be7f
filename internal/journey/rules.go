package journey

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// Rules are the tenant's documents that journeys go by, as they stand now.
type Rules struct {
	policy.Documents // on which the ways to confirm depend
	AccessVersion    int64
	Templates        policy.Templates
	Limits           policy.Limits
	Devices          policy.Devices
	Contexts         policy.Contexts
	Passwords        policy.Passwords
	PIN              policy.ServerPIN
}

// rules reads a tenant's rules as they stand now. A document that cannot be
// read is an error, and an error refuses the login: policy fails closed.
func (e *Engine) rules(ctx context.Context, r store.Reader, tenant string) (Rules, error) {
	all, err := r.Policies().All(ctx, tenant)
	if err != nil {
		return Rules{}, err
	}
	rules, err := e.decoded.of(tenant, all)
	if err != nil {
		return Rules{}, fmt.Errorf("journey: policy of %s: %w", tenant, err)
	}
	return rules, nil
}

// decodedRules keeps what a tenant's documents said when they were last
// decoded. The documents themselves are read for every page and every step; as
// long as they are the same to the byte, they say the same. Decoding them anew
// each time would be an eighth of all a login costs beside its password hash.
type decodedRules struct {
	sync.Mutex
	tenants map[string]decodedOnce
}

type decodedOnce struct {
	from  map[policy.Kind]store.Policy
	rules Rules // shared by all who read it: nobody writes to it
}

func (d *decodedRules) of(tenant string, all map[policy.Kind]store.Policy) (Rules, error) {
	d.Lock()
	kept, ok := d.tenants[tenant]
	d.Unlock()
	if ok && maps.EqualFunc(kept.from, all, samePolicy) {
		return kept.rules, nil
	}
	rules, err := decode(all)
	if err != nil {
		return Rules{}, err
	}
	d.Lock()
	defer d.Unlock()
	if d.tenants == nil {
		d.tenants = map[string]decodedOnce{}
	}
	d.tenants[tenant] = decodedOnce{from: all, rules: rules}
	return rules, nil
}

func samePolicy(a, b store.Policy) bool {
	return a.Version == b.Version && bytes.Equal(a.Document, b.Document)
}

// decode reads a tenant's documents.
func decode(all map[policy.Kind]store.Policy) (Rules, error) {
	rules := Rules{AccessVersion: all[policy.KindAccess].Version}
	err := errors.Join(
		readPolicy(all, &rules.Access),
		readPolicy(all, &rules.Push),
		readPolicy(all, &rules.SelfProvisioning),
		readPolicy(all, &rules.Platforms),
		readPolicy(all, &rules.Template),
		readPolicy(all, &rules.Templates),
		readPolicy(all, &rules.Lockout),
		readPolicy(all, &rules.Limits),
		readPolicy(all, &rules.Devices),
		readPolicy(all, &rules.Contexts),
		readPolicy(all, &rules.Credentials),
		readPolicy(all, &rules.Passwords),
		readPolicy(all, &rules.PIN),
	)
	rules.Platforms, rules.SelfProvisioning = rules.Credentials.Restrict(rules.Platforms, rules.SelfProvisioning)
	return rules, err
}

func readPolicy[D policy.Document](all map[policy.Kind]store.Policy, to *D) (err error) {
	*to, err = policy.Read[D](all[(*to).Kind()].Document)
	return err
}
