package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"golang.org/x/crypto/argon2"
)

// A Machine is what the machine can do at best, where nothing else is done.
type Machine struct {
	CPU   string `json:"cpu"`
	Cores int    `json:"cores"`
	Go    string `json:"go"`

	HashPerSecond float64 `json:"hash_per_second"` // password hashes on all cores at once
	HashMS        float64 `json:"hash_cpu_ms"`     // CPU of one of them
	RSAMS         float64 `json:"rsa_cpu_ms"`      // CPU of an RSA-2048 signature
	XMLMS         float64 `json:"xml_cpu_ms"`      // CPU of a complete XML signature: canonical form, digest, RSA-2048
	ES256MS       float64 `json:"es256_cpu_ms"`    // CPU of an ES256 signature
	FsyncMS       float64 `json:"fsync_ms"`        // of 4 KiB, where the database is
}

// A yardstick is something that scenarios are compared with.
type yardstick struct {
	name  string
	cores int
	do    func() error
}

// yardsticks are the expensive parts of logins, each alone: they are what the
// server's own code calls, with nothing around it.
type yardsticks struct{ hash, rsa, xml, es256 yardstick }

func newYardsticks() (y yardsticks, err error) {
	salt := make([]byte, 16)
	digest := sha256.Sum256(salt)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return y, err
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return y, err
	}
	y.hash = yardstick{"argon2id on all cores", runtime.NumCPU(), func() error {
		argon2.IDKey([]byte(password), salt, 2, 19<<10, 1, 32) // as package directory does
		return nil
	}}
	y.rsa = yardstick{"RSA-2048 signature", 1, func() error {
		_, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
		return err
	}}
	y.es256 = yardstick{"ES256 signature", 1, func() error {
		_, _, err := ecdsa.Sign(rand.Reader, curve, digest[:])
		return err
	}}
	y.xml = yardstick{name: "complete XML signature", cores: 1}
	y.xml.do, err = xmlSigner(key)
	return y, err
}

// machine says what the machine does at best, where nothing else is done.
func (y yardsticks) machine(dir string, o options) (Machine, error) {
	m := Machine{CPU: processor(), Cores: runtime.NumCPU(), Go: runtime.Version()}
	d := time.Second
	if o.quick {
		d = 50 * time.Millisecond
	}
	for _, of := range []struct {
		yardstick
		perSecond, cpuMS *float64
	}{
		{y.hash, &m.HashPerSecond, &m.HashMS},
		{y.rsa, new(float64), &m.RSAMS},
		{y.xml, new(float64), &m.XMLMS},
		{y.es256, new(float64), &m.ES256MS},
	} {
		var err error
		if *of.perSecond, *of.cpuMS, err = of.rate(d); err != nil {
			return m, err
		}
	}
	var err error
	m.FsyncMS, err = fsync(dir, d)
	return m, err
}

// rate does it over and over on its cores, and returns how often a second and
// what CPU each took.
func (y yardstick) rate(d time.Duration) (perSecond, cpuMS float64, err error) {
	before, err := cpu("self")
	if err != nil {
		return 0, 0, err
	}
	var times atomic.Int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	began := time.Now()
	for range y.cores {
		wg.Go(func() {
			for once := false; !once || time.Since(began) < d; once = true {
				if failed := y.do(); failed != nil {
					mu.Lock()
					defer mu.Unlock()
					err = errors.Join(err, failed)
					return
				}
				times.Add(1)
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	after, err2 := cpu("self")
	if err := errors.Join(err, err2); err != nil {
		return 0, 0, err
	}
	n := float64(times.Load())
	return n / took.Seconds(), milliseconds(after-before) / n, nil
}

// typical is an assertion as large as ours are for somebody with five
// attributes.
const typical = `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_q5mhwmgu3n6w6v5v2gkzlq2zbbdtqfma6j5pbyy3ucs7hxj4n2na" Version="2.0" IssueInstant="2026-01-02T03:04:05Z"><saml:Issuer>https://login.example.org/t/bench/saml/metadata</saml:Issuer><saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent" NameQualifier="https://login.example.org/t/bench/saml/metadata" SPNameQualifier="https://app.example.org/saml/metadata">usr_q5mhwmgu3n6w6v5v2gkzlq2zbb</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData InResponseTo="id-2d3f4a5b6c7d8e9f" NotOnOrAfter="2026-01-02T03:09:05Z" Recipient="https://app.example.org/saml/acs"/></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="2026-01-02T03:03:05Z" NotOnOrAfter="2026-01-02T03:09:05Z"><saml:AudienceRestriction><saml:Audience>https://app.example.org/saml/metadata</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="2026-01-02T03:04:05Z" SessionIndex="_q5mhwmgu3n6w6v5v2gkzlq2zbbdtqfma6j5pbyy3ucs7hxj4n2na" SessionNotOnOrAfter="2026-01-02T15:04:05Z"><saml:AuthnContext><saml:AuthnContextClassRef>https://refeds.org/profile/mfa</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement><saml:Attribute FriendlyName="uid" Name="urn:oid:0.9.2342.19200300.100.1.1" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:uri"><saml:AttributeValue>user000001</saml:AttributeValue></saml:Attribute><saml:Attribute FriendlyName="mail" Name="urn:oid:0.9.2342.19200300.100.1.3" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:uri"><saml:AttributeValue>user000001@example.org</saml:AttributeValue></saml:Attribute><saml:Attribute FriendlyName="displayName" Name="urn:oid:2.16.840.1.113730.3.1.241" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:uri"><saml:AttributeValue>Somebody user000001</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion>`

// xmlSigner makes complete enveloped signatures, as idp/saml makes them.
func xmlSigner(key *rsa.PrivateKey) (func() error, error) {
	der, err := selfSigned(key)
	if err != nil {
		return nil, err
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromString(typical); err != nil {
		return nil, err
	}
	ctx, err := dsig.NewSigningContext(key, [][]byte{der})
	if err != nil {
		return nil, err
	}
	ctx.Prefix = dsig.DefaultPrefix
	ctx.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	return func() error {
		_, err := ctx.ConstructSignature(doc.Root(), true)
		return err
	}, ctx.SetSignatureMethod(dsig.RSASHA256SignatureMethod)
}

// selfSigned is a certificate of a key, in DER.
func selfSigned(key crypto.Signer) ([]byte, error) {
	certificate := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, NotAfter: time.Now().AddDate(1, 0, 0)}
	return x509.CreateCertificate(rand.Reader, &certificate, &certificate, key.Public(), key)
}

// fsync is how long it takes until 4 KiB more of a file are safe: no commit is
// faster.
func fsync(dir string, d time.Duration) (ms float64, err error) {
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	perSecond, _, err := yardstick{"fsync", 1, func() error {
		_, err := f.Write(make([]byte, 4<<10))
		return errors.Join(err, f.Sync())
	}}.rate(d)
	return 1000 / perSecond, err
}

// processor is what the processor calls itself.
func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
