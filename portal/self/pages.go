package self

// pages is the table of all pages, in the order of the navigation. A page that
// stands Under another has a card there.
func (p *Portal) pages() []Page {
	return []Page{
		{Show: p.overview},
		{Name: "authenticators", Items: true, Show: p.authenticators, Act: p.changeAuthenticator},
		{Name: "security", Leads: true, Show: p.subjects},
		{Name: "sessions", Show: p.sessions, Act: p.endSessions},
		{Name: "add", Under: "authenticators", Fresh: true, Show: p.add, Act: p.beginAdding},
		{Name: "recovery-codes", Under: "security", Fresh: true, Show: p.recoveryCodes, Act: p.makeRecoveryCodes},
		{Name: "password", Under: "security", Fresh: true, Where: true, Show: p.password, Act: p.changePassword},
		{Name: "passkeys", Under: "security", Fresh: true, Show: p.passkeys, Act: p.addPasskey},
		{Name: "history", Under: "sessions", Show: p.history},
		{Name: "devices", Under: "sessions", Show: p.devices, Act: p.forgetDevices},
	}
}

// page finds the page of a name.
func (p *Portal) page(name string) (Page, bool) {
	for _, page := range p.pages() {
		if page.Name == name {
			return page, true
		}
	}
	return Page{}, false
}

// Names lists the pages by name, for who sends people to them: to one of these,
// and to no other address (T-LOG-21).
func (p *Portal) Names() []string {
	var names []string
	for _, page := range p.pages() {
		names = append(names, page.Name)
	}
	return names
}
