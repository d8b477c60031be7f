package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/mail"
	"github.com/latchkey-id/latchkey/internal/server"
	"github.com/latchkey-id/latchkey/internal/store"
)

// maxMailWait is how long a mail may wait before it is reported.
const maxMailWait = 15 * time.Minute

func (d *Doctor) mail(ctx context.Context, c *report) error {
	if d.Config.ValidateMail() == nil {
		if err := d.mailServer(ctx, c); err != nil {
			return err
		}
	}
	if !d.databaseReady(ctx) {
		return nil
	}
	outbox, err := d.Database.Outbox().State(ctx, d.Now().Add(-24*time.Hour))
	if err != nil {
		return err
	}
	if outbox.Waiting > 0 && d.Now().Sub(outbox.Oldest) > maxMailWait {
		c.warning(fmt.Sprintf("%d waiting in the outbox, the oldest for %s", outbox.Waiting, ago(d.Now().Sub(outbox.Oldest))),
			"they are tried again by themselves once the server runs and the way is free; the server's log says why not")
	} else {
		c.ok("%d waiting in the outbox", outbox.Waiting)
	}
	if outbox.GivenUp > 0 {
		c.warning(fmt.Sprintf("%d given up within a day", outbox.GivenUp), "latchkey audit list --kind mail.failed")
	}
	return nil
}

func (d *Doctor) mailServer(ctx context.Context, c *report) error {
	sender, err := server.Sender(d.Config)
	if err != nil {
		return err
	}
	switch sender := sender.(type) {
	case nil:
		c.warning("no way for mails is configured: nobody can set up an authenticator by themselves", "set host and from below [mail]; then latchkey smtp test ADDRESS")
	case mail.SMTP:
		sender.Roots = d.Roots
		way := ""
		err := sender.Probe(ctx, func(stage mail.Stage, how string) { way += fmt.Sprintf("; %s: %s", stage, how) })
		var fault *mail.Fault
		switch {
		case errors.As(err, &fault):
			c.error("mails do not leave ("+string(fault.Stage)+"): "+fault.Err.Error(), fault.Hint)
		case err != nil:
			return err
		default:
			c.ok("%s takes us%s", d.Config.Mail.Host, way)
		}
	default:
		c.warning("mails become files in "+d.Config.Path(d.Config.Mail.Folder)+" and are sent to nobody", "that is for development: set host instead of folder below [mail]")
	}
	return nil
}

// Time before the expiry of a certificate.
const (
	tlsWarning = 21 * 24 * time.Hour
	tlsError   = 3 * 24 * time.Hour
)

// maxAnswer is the maximum number of bytes of an answer that are read.
const maxAnswer = 1 << 20

// An answer is what came from an address.
type answer struct {
	status      int
	text        string // the status with its name
	header      http.Header
	body        []byte
	certificate *x509.Certificate // nil for plain http
}

// get requests an address as a browser does: through the proxy, if there is one, and with the
// certificate that users get. It follows no redirect.
func (d *Doctor) get(ctx context.Context, address string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return answer{}, err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: d.Roots, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	a := answer{status: res.StatusCode, text: res.Status, header: res.Header}
	if res.TLS != nil && len(res.TLS.PeerCertificates) > 0 {
		a.certificate = res.TLS.PeerCertificates[0]
	}
	a.body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return a, err
}

// A proven says whether this installation answers at an address.
type proven int

const (
	isOurs    proven = iota
	isAnother        // somebody else's server, or a copy of this installation
	isUnknown        // the database cannot be asked
)

// prove challenges whoever answers at an address: only who has this database and its keys knows the
// answer. Another Latchkey that calls itself the same does not.
func (d *Doctor) prove(ctx context.Context, base *url.URL) (proven, answer, error) {
	challenge := identity.NewSecret()
	a, err := d.get(ctx, base.String()+server.ProofPath+"?challenge="+challenge)
	if err != nil {
		return isUnknown, a, err
	}
	if !d.databaseReady(ctx) {
		return isUnknown, a, nil
	}
	var p store.InstallationProof
	if a.status != http.StatusOK || json.Unmarshal(a.body, &p) != nil {
		return isAnother, a, nil
	}
	ours, err := d.Database.Installation().Proves(ctx, challenge, p)
	if err != nil || !ours {
		return isAnother, a, nil
	}
	return isOurs, a, nil
}

// elsewhere is what to do if another server answers.
const elsewhere = "look at what answers there: the proxy's target, DNS, or a server of an older release"

// address looks at who answers at the public address, and at the certificate there.
func (d *Doctor) address(ctx context.Context, c *report) error {
	base, err := d.Config.Base()
	if err != nil {
		return nil // reported by the check of the configuration
	}
	who, a, err := d.prove(ctx, base)
	if err != nil {
		c.error(unreachable(base, err))
		return nil
	}
	switch who {
	case isUnknown:
		c.warning(fmt.Sprintf("%s answers (%s); whether that is this server cannot be told without its database", base, a.text), "mend the database first")
	case isAnother:
		c.error(fmt.Sprintf("what answers at %s (%s) is not this server: it does not know what only this installation knows", base, a.text), elsewhere)
	default:
		if err := d.issuer(ctx, c, base); err != nil {
			return err
		}
	}
	if a.certificate != nil {
		end := a.certificate.NotAfter
		left := end.Sub(d.Now())
		level := OK
		if left < tlsWarning {
			level = Warning
		}
		if left < tlsError {
			level = Error
		}
		c.atLevel(level, fmt.Sprintf("its certificate is good for %s, until %s", ago(left), end.UTC().Format(time.DateOnly)),
			"renew it: afterwards no browser comes in. A new file in tls_cert is read by itself")
	}
	return nil
}

// issuer looks whether this installation calls itself by the address at which it was found: a node
// can have another base_url than the folder that is examined.
func (d *Doctor) issuer(ctx context.Context, c *report, base *url.URL) error {
	tenants, err := store.Collect(d.Database.Tenants().All(ctx))
	if err != nil {
		return err
	}
	if len(tenants) > 0 {
		issuer := base.String() + "/t/" + tenants[0].Slug
		a, err := d.get(ctx, issuer+"/.well-known/openid-configuration")
		if err != nil {
			return err
		}
		var said struct {
			Issuer string `json:"issuer"`
		}
		if a.status != http.StatusOK || json.Unmarshal(a.body, &said) != nil || said.Issuer != issuer {
			c.error(fmt.Sprintf("%s is this server, but with another base_url: it answers %s, and its issuer is %q", base, a.text, said.Issuer),
				"have the same base_url in the configuration of every node, and start it again")
			return nil
		}
	}
	c.ok("%s answers, and is this server", base)
	return nil
}

// authenticatorAddress looks at who answers at the separate address of the web authenticator, if
// there is one.
func (d *Doctor) authenticatorAddress(ctx context.Context, c *report) error {
	own, err := d.Config.Authenticator()
	if err != nil || d.Config.AuthenticatorURL == "" {
		return nil // reported by the check of the configuration
	}
	a, err := d.get(ctx, own.String()+"/authenticator/")
	if err != nil {
		c.error(unreachable(own, err))
		return nil
	}
	switch {
	case a.status == http.StatusPermanentRedirect:
		c.error(fmt.Sprintf("the web authenticator's address, %s, leads back to itself: what stands before the server does not tell which host was asked for", own),
			"have the proxy pass the Host header on as it came")
		return nil
	case a.status != http.StatusOK || !strings.Contains(a.header.Get("Content-Security-Policy"), "trusted-types"):
		c.error(fmt.Sprintf("there is no web authenticator at %s: it answers %s", own, a.text), "look at what answers there: the proxy's target, DNS, or authenticator_url")
		return nil
	}
	who, _, err := d.prove(ctx, own)
	if err != nil {
		return err
	}
	switch who {
	case isUnknown:
		c.warning(fmt.Sprintf("there is a web authenticator at %s; whether it is this server's cannot be told without its database", own), "mend the database first")
	case isAnother:
		c.error(fmt.Sprintf("the web authenticator at %s is not this server's", own), elsewhere)
	default:
		c.ok("the web authenticator is at %s", own)
	}
	return nil
}

// unreachable says why a base address does not answer, and what to do.
func unreachable(base *url.URL, err error) (text, do string) {
	text = fmt.Sprintf("nobody answers at %s: %v", base, err)
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		return fmt.Sprintf("the certificate at %s is refused: %v", base, certificate.Err), "renew it, or add the missing part of its chain to tls_cert: browsers refuse it too"
	case errors.As(err, &dns):
		return text, "enter the name in DNS, or look at base_url"
	}
	return text, "start the server (latchkey serve); if it runs, look at listen, the proxy and the firewall"
}
