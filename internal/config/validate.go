package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/latchkey-id/latchkey/internal/identity"
)

// A Problem is one thing wrong with a configuration.
type Problem struct {
	Key  string // for example "mail.port", or the variable that set it; empty means the whole file
	Line int    // in latchkey.toml; 0 if unknown
	Text string
}

func (p Problem) Error() string {
	text := p.Text
	if p.Key != "" {
		text = p.Key + " " + text
	}
	if p.Line > 0 {
		return fmt.Sprintf("%s, line %d: %s", File, p.Line, text)
	}
	return text
}

// unknown returns the problem of an unknown key or variable. near is the nearest known one.
func unknown(key string, line int, near string) Problem {
	p := Problem{Key: key, Line: line, Text: "is not known"}
	if near != "" {
		p.Text += "; did you mean " + near + "?"
	}
	return p
}

// Problems is everything that is wrong.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

func (ps *Problems) add(key, text string) { *ps = append(*ps, Problem{Key: key, Text: text}) }

// Validate returns, as [Problems], everything that would prevent a server from running with c. It
// reads the files that c names, but opens neither a port nor the database.
func (c Config) Validate() error {
	var ps Problems
	base, err := c.Base()
	if err != nil {
		ps.add("base_url", err.Error())
	}
	switch own, err := c.Authenticator(); {
	case c.AuthenticatorURL == "" || base == nil:
	case err != nil:
		ps.add("authenticator_url", err.Error())
	case own.Host == base.Host:
		ps.add("authenticator_url", "must be another host than base_url, or empty")
	case own.Scheme != base.Scheme:
		ps.add("authenticator_url", "must begin with "+base.Scheme+"://, as base_url does: both are the same server")
	}
	if base != nil && !isAddress(c.Listen) {
		ps.add("listen", `must be an address and a port, such as ":8443"`)
	}
	if c.MetricsListen != "" && !isAddress(c.MetricsListen) {
		ps.add("metrics_listen", `must be an address and a port, such as "localhost:9090"`)
	}
	if _, err := c.Proxies(); err != nil {
		ps.add("trusted_proxies", err.Error())
	}
	if c.ForwardedHeader != XForwardedFor && c.ForwardedHeader != Forwarded {
		ps.add("forwarded_header", `must be "`+XForwardedFor+`" or "`+Forwarded+`"`)
	}
	if _, err := c.ClockSkew(); err != nil {
		ps.add("saml_clock_skew", err.Error())
	}
	if _, err := c.Outgoing(); err != nil {
		ps.add("outgoing_allow", err.Error())
	}
	if c.BreachedPasswords != "" {
		if info, err := os.Stat(c.Path(c.BreachedPasswords)); err != nil || info.IsDir() {
			ps.add("breached_passwords", "is no file that can be read: "+c.Path(c.BreachedPasswords))
		}
	}
	switch {
	case (c.TLSCert == "") != (c.TLSKey == ""):
		ps.add("tls_cert", "and tls_key go together")
	case c.TLSCert != "":
		if _, err := tls.LoadX509KeyPair(c.Path(c.TLSCert), c.Path(c.TLSKey)); err != nil {
			ps.add("tls_cert", "cannot be used: "+err.Error())
		}
		if base != nil && base.Scheme == "http" {
			ps.add("tls_cert", "is for a base_url that begins with https://")
		}
	case base != nil && base.Scheme == "https" && len(c.TrustedProxies) == 0:
		ps.add("base_url", "is https: set tls_cert and tls_key, or name the proxy that ends TLS in trusted_proxies")
	}
	if _, err := c.DelayStop(); err != nil {
		ps.add("stop_delay", err.Error())
	}
	if _, err := c.WaitForDatabase(); err != nil {
		ps.add("database_wait", err.Error())
	}
	if c.DatabaseTimeout < 1 || c.DatabaseTimeout > 60 {
		ps.add("database_timeout", "must be from 1 to 60")
	}
	if _, err := c.Keys(); err != nil {
		ps.add("keys_file", "cannot be used: "+err.Error())
	}
	c.validateMail(&ps)
	if _, err := c.PushContact(); err != nil && base != nil {
		ps.add("push.contact", err.Error())
	}
	if _, err := c.PushServices(); err != nil {
		ps.add("push.services", err.Error())
	}
	return c.located(ps).err()
}

// ValidateMail is Validate for the table [mail] only.
func (c Config) ValidateMail() error {
	var ps Problems
	c.validateMail(&ps)
	return c.located(ps).err()
}

// located adds to each problem where its value was set.
func (c Config) located(ps Problems) Problems {
	for i, p := range ps {
		ps[i].Line = c.lines[p.Key]
		for _, name := range []string{Variable(p.Key), Variable(p.Key) + "_FILE"} {
			if slices.Contains(c.variables, name) {
				ps[i].Key, ps[i].Line = name, 0
			}
		}
	}
	return ps
}

func (c Config) validateMail(ps *Problems) {
	m := c.Mail
	if m.Host != "" && m.Folder != "" {
		ps.add("mail.folder", "and mail.host exclude one another")
	}
	if m.Host == "" && m.Folder == "" {
		return
	}
	if _, err := identity.ParseMailAddress(m.From); err != nil {
		ps.add("mail.from", "must be the address mails come from, such as login@example.org")
	}
	if m.Port < 1 || m.Port > 65535 {
		ps.add("mail.port", "must be from 1 to 65535")
	}
	switch m.TLS {
	case StartTLS, TLS:
	case NoTLS:
		if m.Host != "" && m.Host != "localhost" && !net.ParseIP(m.Host).IsLoopback() {
			ps.add("mail.tls", `can be "none" for a server on this machine alone: codes would travel in clear`)
		}
	default:
		ps.add("mail.tls", `must be "starttls", "tls" or "none"`)
	}
	if (m.User == "") != (m.PasswordFile == "") {
		ps.add("mail.user", "and mail.password_file go together")
	}
	if _, err := m.Password(c); err != nil {
		ps.add("mail.password_file", "cannot be used: "+err.Error())
	}
}

func isAddress(listen string) bool {
	_, port, err := net.SplitHostPort(listen)
	n, notNumber := strconv.Atoi(port)
	return err == nil && notNumber == nil && n >= 0 && n <= 65535
}

// JoinProblems returns the problems of [Load] and of [Config.Validate] as one error. If one of the
// errors is of another type, it returns that one.
func JoinProblems(errs ...error) error {
	var all Problems
	for _, err := range errs {
		problems, ok := errors.AsType[Problems](err)
		if err != nil && !ok {
			return err
		}
		all = append(all, problems...)
	}
	return all.err()
}
