package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/pskc"
	"github.com/latchkey-id/latchkey/internal/store"
)

// imported are the tokens of an import, and of one that only shows that it works.
const (
	imported      = 10_000
	importedQuick = 200
)

// importing is a PSKC file of tokens imported beside the running server, from the
// bytes of the file on. What is timed one by one are its batches: while one is
// written on SQLite, nobody else writes.
func importing(ctx context.Context, r *rig, o options, s scenario) (Row, error) {
	row := Row{Scenario: s.name, Title: s.title, Browsers: 1}
	n := imported
	if o.quick {
		n = importedQuick
	}
	file := tokenFile(n)
	if err := r.forgetPeak(); err != nil {
		return row, err
	}
	keys, err := r.config.Keys()
	if err != nil {
		return row, err
	}
	db, err := store.Open(ctx, store.Options{Source: r.config.Source(), Keys: keys})
	if err != nil {
		return row, err
	}
	var m reading
	var used spent
	err = errors.Join(r.spend(&used, func() {
		began := time.Now()
		last := began
		tokens, problem := pskc.ReadPSKC(file, nil)
		if problem == nil {
			tokens, _, problem = authenticator.Importable(ctx, db, r.tenant.ID, tokens)
		}
		if problem == nil {
			last = time.Now()
			who := identity.Principal{Tenant: r.tenant.ID, Kind: identity.CommandLine, Name: "bench"}
			_, problem = authenticator.Import(ctx, db, who, r.tenant.ID, tokens, func(int) {
				m.each = append(m.each, time.Since(last))
				last = time.Now()
			})
		}
		if m.took = time.Since(began); problem != nil {
			m.failed++
			m.errors = append(m.errors, problem.Error())
		}
	}), db.Close())
	if err != nil {
		return row, err
	}
	slices.Sort(m.each)
	row.note(m)
	row.times(m)
	row.rates(m, used)
	row.TookSeconds = m.took.Seconds()
	_, row.PeakMiB, err = r.memory()
	return row, err
}

// tokenFile is a PSKC file of n tokens, each with a seed of its own.
func tokenFile(n int) []byte {
	var b strings.Builder
	b.WriteString(`<KeyContainer Version="1.0" xmlns="urn:ietf:params:xml:ns:keyprov:pskc">`)
	for i := range n {
		fmt.Fprintf(&b, `<KeyPackage><DeviceInfo><Manufacturer>Bench</Manufacturer><SerialNo>B%06d</SerialNo></DeviceInfo>
<Key Id="B%06d" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:hotp"><AlgorithmParameters><ResponseFormat Length="6" Encoding="DECIMAL"/></AlgorithmParameters>
<Data><Secret><PlainValue>%s</PlainValue></Secret><Counter><PlainValue>0</PlainValue></Counter></Data></Key></KeyPackage>
`, i, i, base64.StdEncoding.EncodeToString(otp.NewSecret(otp.SHA1)))
	}
	b.WriteString(`</KeyContainer>`)
	return []byte(b.String())
}
