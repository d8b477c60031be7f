package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/latchkey-id/latchkey/internal/admin"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/oidcclient"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/samlsp"
	"github.com/latchkey-id/latchkey/internal/store"
)

// The demo's tenant.
const (
	slug         = "demo"
	organisation = "Example Hospital"
	helpContact  = "help@hospital.example"
)

// seedPrincipal is the principal of the seed.
var seedPrincipal = identity.Principal{Kind: identity.CommandLine, Name: "latchkey demo"}

// seed fills a new tenant, by the same functions that operators use, and
// records in the state that it is done.
func (d *Demo) seed(ctx context.Context, dir *directory.Directory) error {
	t := d.tenant
	who := seedPrincipal
	who.Tenant = t.ID
	var outside identity.Group
	for _, name := range groups {
		g, err := dir.AddGroup(ctx, who, t.ID, name)
		if err != nil {
			return err
		}
		if name == guests {
			outside = g
		}
	}
	for _, p := range people {
		u, err := dir.AddUser(ctx, who, t.ID, directory.NewUser{Name: p.name, DisplayName: p.display, Mail: p.mail(),
			Password: p.password, Groups: []string{p.group}})
		if err != nil {
			return fmt.Errorf("demo: %s: %w", p.name, err)
		}
		if p.authenticator {
			if err := d.addAuthenticator(ctx, who, u); err != nil {
				return fmt.Errorf("demo: %s: %w", p.name, err)
			}
		}
	}
	_, err := admin.SetPolicy(ctx, d.site.DB, who, t.ID, policy.KindSelfProvisioning, func(present policy.Document) (policy.Document, error) {
		p, ok := present.(policy.SelfProvisioning)
		if !ok {
			return nil, fmt.Errorf("demo: a policy that is a %T", present)
		}
		p.Target, p.Groups = policy.TargetExcept, []string{outside.ID}
		return p, nil
	})
	if err != nil {
		return err
	}
	if err := d.register(ctx, who); err != nil {
		return err
	}
	d.state.Seeded = true
	return d.state.write(d.dir)
}

// addAuthenticator gives a user an authenticator with a known seed, so that a
// page, or oathtool, can show its passcodes.
func (d *Demo) addAuthenticator(ctx context.Context, who identity.Principal, u identity.User) error {
	template, err := json.Marshal(policy.DefaultTemplate())
	if err != nil {
		return err
	}
	return d.site.DB.InTx(ctx, who, func(tx *store.Tx) error {
		a := identity.Authenticator{Tenant: u.Tenant, ID: identity.NewID(identity.AuthenticatorID), Serial: "DEMO-" + u.Name,
			Kind: identity.TOTP, Name: u.DisplayName, Seed: d.state.Seeds[u.Name], Digits: 6, Step: int64(period),
			Template: template, ActivatedAt: tx.Now()}
		if err := tx.Authenticators().Add(ctx, a, u.ID); err != nil {
			return err
		}
		if err := tx.Users().SetEnrolled(ctx, u.Tenant, u.ID); err != nil {
			return err
		}
		return tx.Event(ctx, audit.Event{Tenant: u.Tenant, Kind: audit.EnrollFinished, User: u.ID, Authenticator: a.ID,
			Reason: "demo", Data: map[string]string{"serial": a.Serial}})
	})
}

// Names of the two applications, the same in every language.
const (
	payrollName = "Payroll"
	wikiName    = "Wiki"
)

// register registers the two applications.
func (d *Demo) register(ctx context.Context, who identity.Principal) error {
	metadata, err := d.payroll.metadata()
	if err != nil {
		return fmt.Errorf("demo: service provider's metadata: %w", err)
	}
	payroll, err := samlsp.ApplicationFromMetadata(metadata, payrollName)
	if err != nil {
		return err
	}
	payroll.Home = d.address(payrollPath)
	wiki, secret, err := oidcclient.New(wikiName, oidcclient.Options{ClientID: d.state.ClientID, Home: d.address(wikiPath),
		RedirectURIs: []string{d.address(callbackPath)}, PostLogoutURIs: []string{d.address(signedOutPath)}})
	if err != nil {
		return err
	}
	d.state.ClientSecret, d.wiki.clientSecret = secret, secret
	for _, app := range []identity.Application{payroll, wiki} {
		if _, err := admin.AddApplication(ctx, d.site.DB, who, d.tenant.ID, app); err != nil {
			return err
		}
	}
	return nil
}

// A user is the present state of one of the demo's people.
type user struct {
	Name          string `json:"name"`
	Display       string `json:"-"`
	Group         string `json:"-"`
	Password      string `json:"password"`
	Mail          string `json:"mail"`
	Authenticator bool   `json:"authenticator"`  // has one
	Target        bool   `json:"target"`         // may enrol one
	Seed          string `json:"seed,omitempty"` // of the authenticator that the demo added, in base32
}

// users returns the people of the demo who have not been deleted.
func (d *Demo) users(ctx context.Context) ([]user, error) {
	var all []user
	for _, p := range people {
		u, err := d.site.DB.Users().ByName(ctx, d.tenant.ID, p.name)
		if errors.Is(err, identity.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		held, err := store.Collect(d.site.DB.Authenticators().OfUser(ctx, d.tenant.ID, u.ID))
		if err != nil {
			return nil, err
		}
		all = append(all, user{Name: u.Name, Display: u.DisplayName, Group: p.group, Password: p.password, Mail: u.Mail,
			Authenticator: policy.CountEnrolled(held, nil) > 0, Target: p.target(), Seed: d.seedOf(u.Name)})
	}
	return all, nil
}

// address is the absolute address of a path.
func (d *Demo) address(path string) string { return d.site.Base.JoinPath(path).String() }
