package templates

import (
	"time"

	"github.com/latchkey-id/latchkey/locales"
)

// Remember is the check box beside a second factor: whether to remember this
// device. Field: remember.
type Remember struct {
	Days    int
	Checked bool
}

// MeDevices lists the remembered devices, on which no second factor is asked
// for. Fields: device, of a button that forgets that one. Buttons: forget-all.
type MeDevices struct {
	Name    string
	Devices []MeDevice // the newest comes first
}

func (MeDevices) template() string { return "me_devices.html" }
func (MeDevices) heading() Text    { return Text{Key: "devices.heading"} }

// A MeDevice is one of them.
type MeDevice struct {
	ID       string
	Browser  string // and system, in words; may be empty
	IP       string // from where it was last used
	Since    time.Time
	LastUsed time.Time
	Until    time.Time // if it is not used until then
	Here     bool      // the browser that shows the page
}

// DeviceRemembered tells that a device asks for no second factor for a while.
type DeviceRemembered struct {
	Name   string
	Until  time.Time
	Origin Origin
}

// DeviceStolen tells that a copy of a remembered device was used.
type DeviceStolen struct {
	Name   string
	Device string // name of the browser when last used; may be empty
	Origin Origin // of the copy
}

// DevicesForgotten tells that remembered devices were forgotten.
type DevicesForgotten struct {
	Name    string
	Devices int64
	Origin  Origin
}

// Kind implements Mail.
func (DeviceRemembered) Kind() string { return "device-remembered" }

func (m DeviceRemembered) draft(l locales.Printer) mailDraft {
	return mailDraft{
		Subject:   Text{Key: "mail.device.subject"},
		Preview:   Text{"mail.device.preview", []any{"until", l.When(m.Until)}},
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: []Text{{Key: "mail.device.text"}},
		Facts:     m.Origin.facts(l),
		Warning:   Text{Key: "mail.device.notyou"},
	}
}

// Kind implements Mail.
func (DeviceStolen) Kind() string { return "device-stolen" }

func (m DeviceStolen) draft(l locales.Printer) mailDraft {
	facts := m.Origin.facts(l)
	if m.Device != "" {
		facts = append([]fact{{Text{Key: "mail.device.which"}, m.Device}}, facts...)
	}
	return mailDraft{
		Subject:   Text{Key: "mail.device.stolen.subject"},
		Preview:   Text{Key: "mail.device.stolen.preview"},
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: []Text{{Key: "mail.device.stolen.text"}},
		Facts:     facts,
		Warning:   Text{Key: "mail.device.stolen.notyou"},
	}
}

// Kind implements Mail.
func (DevicesForgotten) Kind() string { return "devices-forgotten" }

func (m DevicesForgotten) draft(l locales.Printer) mailDraft {
	return mailDraft{
		Subject:   Text{Key: "mail.device.forgotten.subject"},
		Preview:   Text{"mail.device.forgotten.preview", []any{"n", m.Devices}},
		Greeting:  Text{"mail.greeting", []any{"name", m.Name}},
		Sentences: []Text{{Key: "mail.device.forgotten.text"}},
		Facts:     m.Origin.facts(l),
		Warning:   Text{Key: "mail.device.forgotten.notyou"},
	}
}
