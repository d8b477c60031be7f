package main

import "context"

// A rig is an installation with a running server, and what the load needs of it.
type rig struct {
	*installation
	*process
	second  *process // of the same database, where a scenario has two
	relying relying  // an application's server, as all begin
}

// A scenario is something people do all day.
type scenario struct {
	name, title string
	atOnce      int // browsers, where that is not the run's to say
	// browser makes one that does it over and over, with whatever must have
	// happened before.
	browser func(ctx context.Context, r *rig) (act, error)
	// beside is the part of it that nothing makes faster; measured in between,
	// as what a machine has to give changes from minute to minute.
	beside func(yardsticks) yardstick
	// whole is a scenario that is no browser's doing over and over.
	whole func(ctx context.Context, r *rig, o options, s scenario) (Row, error)
	// nodes is of what needs a second server beside the first, which SQLite has not.
	nodes bool
	// here is of what the bench does itself, with the packages it was built from:
	// nothing of two servers can be compared by it.
	here bool
	// moment is of what times a moment of something longer: its rate and CPU say
	// nothing, and there is nothing to warm up with.
	moment bool
}

func hash(y yardsticks) yardstick         { return y.hash }
func xmlSignature(y yardsticks) yardstick { return y.xml }

// scenarios lists them in the order in which they run. Hashes leave memory
// behind, so the logins without one come first.
var scenarios = []scenario{
	{name: "passcode", title: "Fresh login, passcode alone", browser: passcodeAlone},
	{name: "fresh", title: "Fresh login, password and passcode", beside: hash, browser: fresh},
	{name: "crowd", title: "Fresh login, 64 at once", atOnce: 64, beside: hash, browser: fresh},
	{name: "silent", title: "Silent sign-on, OpenID Connect", browser: silent},
	{name: "saml", title: "Sign-on with a live session, SAML", beside: xmlSignature, browser: silentSAML},
	{name: "refresh", title: "Refresh", browser: refresh},
	{name: "push", title: "From approval to the browser's going on", atOnce: 2, moment: true, browser: push},
	{name: "nodes", title: "The same, the approval at another node", atOnce: 2, moment: true, nodes: true, browser: across},
	{name: "flood", title: "Single sign-on while wrong passwords are typed", whole: flood},
	{name: "waiting", title: "All requests waiting, answered in a minute", whole: waiting},
	{name: "names", title: "Answers to a user's name and to nobody's", whole: naming, here: true},
	{name: "check", title: "A passcode checked against 5 authenticators", whole: checking, here: true},
	{name: "expiry", title: "The daily look at 200,000 authenticators", whole: expiring, here: true},
	{name: "import", title: "Import of 10,000 tokens, in batches", whole: importing, here: true},
}

func scenarioNames() []string {
	var names []string
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return names
}

// fresh is a login of somebody in a browser that has never been here.
func fresh(_ context.Context, r *rig) (act, error) { return loginTo(r, r.both), nil }

// passcodeAlone is the same where no password is asked for.
func passcodeAlone(_ context.Context, r *rig) (act, error) { return loginTo(r, r.passing), nil }

func loginTo(r *rig, app party) act {
	b, rp := newBrowser(r.config.BaseURL), r.relyingOf(app)
	return timed(func() error {
		p, done, err := r.crowd.next()
		if err != nil {
			return err
		}
		defer done()
		clear(b.cookies)
		_, err = rp.signIn(b, p, "openid")
		return err
	})
}

// silent is a login in a browser that has a session: no page is shown.
func silent(_ context.Context, r *rig) (act, error) {
	b, rp, p, _, err := r.signedIn("openid")
	return timed(func() error {
		_, err := rp.signIn(b, p, "openid")
		return err
	}), err
}

// silentSAML is the same by SAML.
func silentSAML(ctx context.Context, r *rig) (act, error) {
	b, _, p, _, err := r.signedIn("openid")
	if err != nil {
		return nil, err
	}
	sp, err := newServiceProvider(ctx, r.saml, r.config.BaseURL)
	return timed(func() error { return sp.signIn(b, p) }), err
}

// refresh is an application that asks for new tokens.
func refresh(_ context.Context, r *rig) (act, error) {
	_, rp, p, got, err := r.signedIn("openid offline_access")
	token := got.Refresh
	return timed(func() error {
		got, err := rp.refresh(token, p)
		token = got.Refresh
		return err
	}), err
}

// relyingOf is a server of an application, with a connection of its own.
func (r *rig) relyingOf(app party) *relying {
	rp := r.relying
	rp.party = app
	return &rp
}

// signIn takes a browser through a login to the application and back.
func (r *relying) signIn(b *browser, p *person, scope string) (tokens, error) {
	path, ticket := r.request(scope)
	at, err := b.open(path)
	if err != nil {
		return tokens{}, err
	}
	if at, err = b.login(at, p); err != nil {
		return tokens{}, err
	}
	return r.redeem(at.leads, ticket, p)
}

// signedIn is a browser with a session, and the application it was for.
func (r *rig) signedIn(scope string) (*browser, *relying, *person, tokens, error) {
	b, rp := newBrowser(r.config.BaseURL), r.relyingOf(r.both)
	p, done, err := r.crowd.next()
	if err != nil {
		return nil, nil, nil, tokens{}, err
	}
	defer done()
	got, err := rp.signIn(b, p, scope)
	return b, rp, p, got, err
}
