package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/outbound"
	"github.com/latchkey-id/latchkey/internal/store"
)

// commonPushHosts are push services that are checked although nobody is subscribed yet: Chromium's,
// Firefox's and Safari's. Services with many hosts, such as Edge's, are checked if they are in use.
var commonPushHosts = []string{"fcm.googleapis.com", "updates.push.services.mozilla.com", "web.push.apple.com"}

// pushTimeout is the maximum time for a push service to answer.
const pushTimeout = 5 * time.Second

// maxPushHosts is the maximum number of push services in use that are checked.
const maxPushHosts = 20

func (d *Doctor) pushServices(ctx context.Context, c *report) error {
	if services, err := d.Config.PushServices(); err == nil && len(services) == 0 {
		c.ok("none are used: apps show a request when they are opened")
		return nil
	}
	d.contact(c)
	hosts := slices.Clone(d.PushHosts)
	if d.PushHosts == nil {
		hosts = slices.Clone(commonPushHosts)
	}
	for _, host := range d.Config.Push.Services {
		if !strings.HasPrefix(host, "*") {
			hosts = append(hosts, host)
		}
	}
	if d.databaseReady(ctx) {
		if err := d.pushKey(ctx, c); err != nil {
			return err
		}
		used, err := store.Collect(d.Database.Subscriptions().Hosts(ctx))
		if err != nil {
			return err
		}
		for _, h := range used[:min(len(used), maxPushHosts)] {
			hosts = append(hosts, h.Host)
			if h.Failing > 0 {
				c.warning(fmt.Sprintf("%s did not take the last notification of %d of %d browsers", h.Host, h.Failing, h.Subscriptions),
					"the server's log says why, by \"notification not sent\"; their people see requests when they open the app")
			}
		}
	}
	slices.Sort(hosts)
	return d.reachPushServices(ctx, c, slices.Compact(hosts))
}

// contact checks the contact address for push services. Apple refuses all messages of senders whose
// contact address cannot be reached.
func (d *Doctor) contact(c *report) {
	contact, err := d.Config.PushContact()
	if err != nil {
		return // reported by the check of the configuration
	}
	host := contact[strings.LastIndexAny(contact, "@/:")+1:]
	if u, err := url.Parse(contact); err == nil && u.Scheme == "https" {
		host = u.Hostname()
	}
	if !strings.Contains(host, ".") || slices.ContainsFunc([]string{".localhost", ".local", ".invalid", ".test", ".internal"}, func(end string) bool { return strings.HasSuffix(host, end) }) {
		c.warning("push services are given "+contact+" to write to, which Apple's refuses: iPhones and Macs are not notified", "set contact below [push] to an address that others can reach")
		return
	}
	c.ok("push services may write to %s", contact)
}

func (d *Doctor) pushKey(ctx context.Context, c *report) error {
	_, made, err := d.Database.VAPID().Public(ctx)
	if errors.Is(err, identity.NotFound) {
		c.warning("there is no key for Web Push yet", "start the server (latchkey serve), which makes it")
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := d.Database.VAPID().Key(ctx); err != nil {
		c.error("the key of Web Push cannot be opened, so no browser is notified: "+err.Error(), "put back the keys file that belongs to this database")
		return nil
	}
	c.ok("the key of Web Push is %s old; it stays for ever, since browsers subscribed with it", ago(d.Now().Sub(made)))
	return nil
}

// reachPushServices sends a request to each push service, in the same way as notifications.
func (d *Doctor) reachPushServices(ctx context.Context, c *report, hosts []string) error {
	allowed, err := d.Config.Outgoing()
	if err != nil {
		return nil // reported by the check of the configuration
	}
	client := outbound.NewWithRoots(allowed, d.Roots)
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	failures := make([]error, len(hosts))
	var asking sync.WaitGroup
	for i, host := range hosts {
		asking.Go(func() {
			r, err := http.NewRequestWithContext(ctx, http.MethodHead, "https://"+host+"/", nil)
			if err == nil {
				_, err = client.Do(r, maxAnswer)
			}
			failures[i] = err
		})
	}
	asking.Wait()
	reached := 0
	for i, host := range hosts {
		if failures[i] == nil {
			reached++
			continue
		}
		c.warning(fmt.Sprintf("%s is not reached: %v; browsers there are not notified, and show requests when the app is opened", host, failures[i]),
			"let this machine call it by https, directly and not by a proxy; a push service in your own network goes into outgoing_allow too")
	}
	if reached > 0 {
		c.ok("%d of %d push services answer", reached, len(hosts))
	}
	return nil
}
