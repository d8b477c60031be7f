package main

import (
	"context"
	"net/netip"
	"reflect"
	"time"

	"github.com/latchkey-id/latchkey/internal/policy"
)

// limitFlags are what can be changed of the limits. A flag that was not given
// changes nothing.
type limitFlags struct {
	MailCodesPerUser          *int64         `placeholder:"N" help:"Codes mailed to a user in an hour; 1 to 20."`
	MailCodesPerAddress       *int64         `placeholder:"N" help:"Codes asked for from an address in an hour, without a proved password; 1 to 1000."`
	MailCodesPerAddressProved *int64         `placeholder:"N" help:"Those after a proved password; 1 to 10000."`
	MailCodeResend            *time.Duration `placeholder:"TIME" help:"Between two codes of a login; 10s to 10m."`
	MailCodeLife              *time.Duration `placeholder:"TIME" help:"For how long a code works; 1m to 10m."`
	MailCodeTries             *int64         `placeholder:"N" help:"Wrong tries after which a new code is needed; 1 to 10."`
	ActivationLife            *time.Duration `placeholder:"TIME" help:"For how long an activation works; 5m to 1h."`
	JourneyLife               *time.Duration `placeholder:"TIME" help:"For how long a login can go on; 5m to 1h."`
	SessionIdle               *time.Duration `placeholder:"TIME" help:"After which an unused session ends; 1m to 24h."`
	SessionLife               *time.Duration `placeholder:"TIME" help:"After which any session ends; 5m to 720h."`
	PasswordTriesPerAddress   *int64         `placeholder:"N" help:"Wrong passwords, and wrong passcodes, from an address in five minutes, of anybody; 10 to 100000."`
	ExemptNetwork             []netip.Prefix `placeholder:"NETWORK" help:"Network whose addresses are not counted by address, such as 192.0.2.0/24. Repeatable; replaces those there are."`
	NoExemptNetworks          bool           `help:"No network is exempt."`
}

func (f limitFlags) any() bool { return !reflect.ValueOf(f).IsZero() }

type policySetLimits struct {
	documentArg
	limitFlags `embed:""`
}

func (policySetLimits) Help() string {
	return byFlags + "\n\nExample:\n\n    latchkey policy set limits --session-idle 30m --session-life 10h"
}

// Run changes how often, and for how long.
func (c *policySetLimits) Run(ctx context.Context, s *shell) error {
	return s.setPolicy(ctx, policySetting{kind: policy.KindLimits, file: c.File, yes: c.Yes, change: c.change, flags: c.limitFlags.any()})
}

func (f limitFlags) change(present policy.Document) (policy.Document, error) {
	l := present.(policy.Limits)
	overwrite(&l.MailCodesPerUser, f.MailCodesPerUser)
	overwrite(&l.MailCodesPerAddress, f.MailCodesPerAddress)
	overwrite(&l.MailCodesPerAddressProved, f.MailCodesPerAddressProved)
	overwrite(&l.MailCodeResend, seconds(f.MailCodeResend))
	overwrite(&l.MailCodeLifetime, seconds(f.MailCodeLife))
	overwrite(&l.MailCodeAttempts, f.MailCodeTries)
	overwrite(&l.ActivationLifetime, seconds(f.ActivationLife))
	overwrite(&l.JourneyLifetime, seconds(f.JourneyLife))
	overwrite(&l.SessionIdle, seconds(f.SessionIdle))
	overwrite(&l.SessionLifetime, seconds(f.SessionLife))
	overwrite(&l.PasswordAttemptsPerAddress, f.PasswordTriesPerAddress)
	if f.NoExemptNetworks {
		l.ExemptNetworks = nil
	}
	if len(f.ExemptNetwork) > 0 {
		l.ExemptNetworks = f.ExemptNetwork
	}
	return l, nil
}

type policySetDevices struct {
	documentArg
	Days     *int64 `placeholder:"N" help:"Days from the login that remembered a device; 1 to 365."`
	IdleDays *int64 `placeholder:"N" help:"Days after which an unused device is forgotten; 1 to 365."`
}

func (policySetDevices) Help() string {
	return byFlags + " Devices that are remembered already keep their time.\n\nExample:\n\n    latchkey policy set devices --days 30 --idle-days 14"
}

// Run changes for how long a device is remembered.
func (c *policySetDevices) Run(ctx context.Context, s *shell) error {
	return s.setPolicy(ctx, policySetting{kind: policy.KindDevices, file: c.File, yes: c.Yes, change: c.change, flags: c.Days != nil || c.IdleDays != nil})
}

func (c *policySetDevices) change(present policy.Document) (policy.Document, error) {
	d := present.(policy.Devices)
	overwrite(&d.Days, c.Days)
	overwrite(&d.IdleDays, c.IdleDays)
	return d, nil
}
