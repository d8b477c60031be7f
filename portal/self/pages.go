package self

// pages is the table of all pages, in the order of the navigation. A page with
// a Parent is linked from there.
func (p *Portal) pages() []Page {
	return []Page{
		{Show: p.overview},
		{Name: "authenticators", HasItems: true, Show: p.authenticators, Submit: p.changeAuthenticator, State: p.stateOfAuthenticators},
		{Name: "security", MenuOnly: true, Show: p.menu},
		{Name: "sessions", Show: p.sessions, Submit: p.endSessions, State: p.stateOfSessions},
		{Name: "add", Parent: "authenticators", FreshFactor: true, Show: p.add, Submit: p.beginAdding},
		{Name: "pin", Parent: "authenticators", HasItems: true, ItemsOnly: true, FreshFactor: true, Show: p.pin, Submit: p.changePIN},
		{Name: "recovery-codes", Parent: "security", FreshFactor: true, Show: p.recoveryCodes, Submit: p.makeRecoveryCodes, State: p.stateOfRecoveryCodes},
		{Name: "password", Parent: "security", FreshFactor: true, IfHasFactor: true, Show: p.password, Submit: p.changePassword, State: p.stateOfPassword},
		{Name: "passkeys", Parent: "security", FreshFactor: true, Show: p.passkeys, Submit: p.addPasskey, State: p.stateOfPasskeys},
		{Name: "history", Parent: "sessions", Show: p.history},
		{Name: "devices", Parent: "sessions", Show: p.devices, Submit: p.forgetDevices, State: p.stateOfDevices},
	}
}

// page finds a page by name.
func (p *Portal) page(name string) (Page, bool) {
	for _, page := range p.pages() {
		if page.Name == name {
			return page, true
		}
	}
	return Page{}, false
}

// Names lists the names of all pages. People may be redirected to one of them,
// and to no other address (T-LOG-21).
func (p *Portal) Names() []string {
	var names []string
	for _, page := range p.pages() {
		names = append(names, page.Name)
	}
	return names
}
