package doctor

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

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

// address requests the server's own metadata at its public address. If there is a proxy, the
// certificate and the answer are therefore those that users get.
func (d *Doctor) address(ctx context.Context, c *report) error {
	base, err := d.Config.Base()
	if err != nil {
		return nil // reported by the check of the configuration
	}
	path, issuer := "/authenticator/", ""
	if d.databaseReady(ctx) {
		tenants, err := store.Collect(d.Database.Tenants().All(ctx))
		if err != nil {
			return err
		}
		if len(tenants) > 0 {
			issuer = base.String() + "/t/" + tenants[0].Slug
			path = "/t/" + tenants[0].Slug + "/.well-known/openid-configuration"
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base.String()+path, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: d.Roots, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		c.error(unreachable(base, err))
		return nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return err
	}
	var said struct {
		Issuer string `json:"issuer"`
	}
	const elsewhere = "look at what answers there: the proxy's target, or DNS"
	switch {
	case res.StatusCode != http.StatusOK:
		c.error(fmt.Sprintf("%s answers %s", base, res.Status), elsewhere)
	case issuer != "" && (json.Unmarshal(body, &said) != nil || said.Issuer != issuer):
		c.error(fmt.Sprintf("what answers at %s is not this server, or one with another base_url: its issuer is %q", base, said.Issuer), elsewhere)
	default:
		c.ok("%s answers, and is this server", base)
	}
	if res.TLS != nil && len(res.TLS.PeerCertificates) > 0 {
		end := res.TLS.PeerCertificates[0].NotAfter
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

// authenticatorAddress requests the web authenticator at its separate address, if there is one.
func (d *Doctor) authenticatorAddress(ctx context.Context, c *report) error {
	own, err := d.Config.Authenticator()
	if err != nil || d.Config.AuthenticatorURL == "" {
		return nil // reported by the check of the configuration
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, own.String()+"/authenticator/", nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: d.Roots, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		c.error(unreachable(own, err))
		return nil
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusPermanentRedirect:
		c.error(fmt.Sprintf("the web authenticator's address, %s, leads back to itself: what stands before the server does not tell which host was asked for", own),
			"have the proxy pass the Host header on as it came")
	case res.StatusCode != http.StatusOK || !strings.Contains(res.Header.Get("Content-Security-Policy"), "trusted-types"):
		c.error(fmt.Sprintf("there is no web authenticator at %s: it answers %s", own, res.Status), "look at what answers there: the proxy's target, DNS, or authenticator_url")
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
