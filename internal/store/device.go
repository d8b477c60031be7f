package store

import (
	"context"
	"database/sql"
	"encoding/base32"
	"errors"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/identity"
)

// deviceGrace is how long the previous secret is still accepted from the same
// browser: two tabs that sign in at once both send it, and if a response is lost, the
// browser still has it.
//
// An attacker gains nothing by it. Whoever sends the secret has the password and all
// cookies of that browser, and gets the same new secret as the owner. From then on
// two have it: the first to use it again replaces it, and a minute later the use of
// the old one by the other is detected.
const deviceGrace = time.Minute

const deviceColumns = `tenant_id, id, user_id, browser, agent, ip, created_at, used_at, idle, expires_at, forgotten_at`

func deviceFields(d *identity.RememberedDevice, idle *int64) []any {
	return []any{&d.Tenant, &d.ID, &d.User, &d.Browser, &d.Agent, &d.IP, nullTime{&d.CreatedAt}, nullTime{&d.UsedAt}, idle,
		nullTime{&d.ExpiresAt}, nullTime{&d.ForgottenAt}}
}

func scanDevice(row scanner) (d identity.RememberedDevice, err error) {
	var idle int64
	err = row.Scan(deviceFields(&d, &idle)...)
	d.Idle = time.Duration(idle) * time.Second
	return d, err
}

// Devices reads and writes remembered devices.
type Devices struct {
	DeviceReads
	tx *Tx
}

// Devices returns the view; what it writes is part of the transaction.
func (tx *Tx) Devices() Devices { return Devices{tx.Reader.Devices(), tx} }

// DeviceReads are the reads of [Devices].
type DeviceReads struct{ r Reader }

// Devices returns the view for reading.
func (r Reader) Devices() DeviceReads { return DeviceReads{r} }

// Get returns a remembered device, even if it no longer counts.
func (v DeviceReads) Get(ctx context.Context, tenant, id string) (identity.RememberedDevice, error) {
	d, err := scanDevice(v.r.q.QueryRowContext(ctx, `SELECT `+deviceColumns+` FROM remembered_devices WHERE tenant_id = $1 AND id = $2`, tenant, id))
	if err != nil {
		return d, notFound("remembered device "+id, err)
	}
	return d, nil
}

// OfUser yields a user's remembered devices that count, newest first.
func (v DeviceReads) OfUser(ctx context.Context, tenant, user string) iter.Seq2[identity.RememberedDevice, error] {
	return list(ctx, v.r, "remembered devices of "+user, scanDevice, `
		SELECT `+deviceColumns+` FROM remembered_devices
		WHERE tenant_id = $1 AND user_id = $2 AND forgotten_at IS NULL AND expires_at > $3 AND used_at + idle > $3
		ORDER BY created_at DESC, id`, tenant, user, at(v.r.now()))
}

// A DeviceCookie is the value of the cookie of a remembered device: its id, and a
// secret of 256 bits.
type DeviceCookie struct{ ID, Secret string }

// String returns the value of the cookie.
func (c DeviceCookie) String() string { return c.ID + "." + c.Secret }

// ParseDeviceCookie parses the value of a cookie. It reports false for what cannot be
// one of ours, so that garbage never reaches a query.
func ParseDeviceCookie(value string) (DeviceCookie, bool) {
	id, secret, ok := strings.Cut(value, ".")
	return DeviceCookie{id, secret}, ok && identity.IsID(identity.DeviceID, id) && identity.IsSecret(secret)
}

// Remember writes a new remembered device and returns its cookie. A browser has one
// cookie: what was remembered for it before is forgotten.
func (v Devices) Remember(ctx context.Context, d identity.RememberedDevice) (DeviceCookie, error) {
	c := DeviceCookie{ID: d.ID, Secret: identity.NewSecret()}
	before, err := Collect(list(ctx, v.tx.Reader, "devices of the browser", scanDevice, `
		UPDATE remembered_devices SET forgotten_at = $3 WHERE tenant_id = $1 AND browser = $2 AND forgotten_at IS NULL
		RETURNING `+deviceColumns, d.Tenant, d.Browser, at(v.tx.now())))
	if err != nil {
		return c, err
	}
	for _, old := range before {
		if err := v.recordForgotten(ctx, old.Tenant, old.User, []string{old.ID}, "remembered anew"); err != nil {
			return c, err
		}
	}
	_, err = v.tx.exec(ctx, "remember device", `
		INSERT INTO remembered_devices (tenant_id, id, user_id, browser, secret_hash, agent, ip, created_at, used_at, idle, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10)`,
		d.Tenant, d.ID, d.User, d.Browser, Hash(c.Secret), d.Agent, d.IP, at(v.tx.now()), int64(d.Idle/time.Second), at(d.ExpiresAt))
	return c, err
}

// A DeviceUse is a sign-in by a browser that sent the cookie of a remembered device.
type DeviceUse struct {
	Tenant, User, Browser string
	Agent, IP             string
	Cookie                DeviceCookie
	ProvedAfter           time.Time // the earliest time at which the second factor may have been given; zero is any
}

// A DeviceResult is the result of a [DeviceUse].
type DeviceResult struct {
	Device identity.RememberedDevice
	Counts bool
	Cookie DeviceCookie // to be set; zero for none
	Stolen bool         // the secret was replaced long ago: two browsers have had it, and the device must be forgotten
}

// Use uses a remembered device, once with each secret. The secret is replaced in the
// same transaction, and the comparison is part of the UPDATE, so that the second use
// of a secret is detected. A device of another user or browser, or one that has ended
// or is too old for ProvedAfter, does not count.
func (v Devices) Use(ctx context.Context, u DeviceUse) (DeviceResult, error) {
	next, err := v.tx.nextSecret(u)
	if err != nil {
		return DeviceResult{}, err
	}
	now, given := v.tx.now(), Hash(u.Cookie.Secret)
	used, err := Collect(list(ctx, v.tx.Reader, "use device", scanDevice, `
		UPDATE remembered_devices SET secret_hash = $6, replaced_hash = $5, replaced_at = $7, used_at = $7, agent = $9, ip = $10
		WHERE tenant_id = $1 AND id = $2 AND user_id = $3 AND browser = $4 AND secret_hash = $5
			AND forgotten_at IS NULL AND expires_at > $7 AND used_at + idle > $7 AND created_at >= $8
		RETURNING `+deviceColumns,
		u.Tenant, u.Cookie.ID, u.User, u.Browser, given, Hash(next), now.Unix(), u.ProvedAfter.Unix(), u.Agent, u.IP))
	if err != nil {
		return DeviceResult{}, err
	}
	if len(used) == 1 {
		return DeviceResult{Device: used[0], Counts: true, Cookie: DeviceCookie{u.Cookie.ID, next}}, nil
	}
	return v.explain(ctx, u, given, next)
}

// explain returns the result for a cookie that could not be used.
func (v Devices) explain(ctx context.Context, u DeviceUse, given, next string) (DeviceResult, error) {
	var d DeviceResult
	var idle int64
	var current, replaced string
	var replacedAt time.Time
	err := v.tx.q.QueryRowContext(ctx, `
		SELECT `+deviceColumns+`, secret_hash, replaced_hash, replaced_at FROM remembered_devices WHERE tenant_id = $1 AND id = $2`,
		u.Tenant, u.Cookie.ID).Scan(append(deviceFields(&d.Device, &idle), &current, &replaced, nullTime{&replacedAt})...)
	if errors.Is(err, sql.ErrNoRows) {
		return DeviceResult{}, nil
	}
	if err != nil {
		return DeviceResult{}, notFound("remembered device "+u.Cookie.ID, err)
	}
	d.Device.Idle = time.Duration(idle) * time.Second
	now := v.tx.now()
	switch {
	case d.Device.User != u.User || !d.Device.ValidAt(now) || given == current:
		// The device is of another user, or over; or the secret is right, and the
		// browser is another or the device too old.
	case given == replaced && now.Before(replacedAt.Add(deviceGrace)) && d.Device.Browser == u.Browser:
		d.Counts = !d.Device.CreatedAt.Before(u.ProvedAfter)
		if d.Counts && Hash(next) == current {
			d.Cookie = DeviceCookie{u.Cookie.ID, next}
		}
	default:
		d.Stolen = true
	}
	return d, nil
}

// nextSecret returns the successor of a secret. It is derived from it by a key of
// ours, so that two tabs get the same one in whichever order their responses arrive;
// nobody else can derive it.
func (tx *Tx) nextSecret(u DeviceUse) (string, error) {
	mac, _, err := tx.MAC(u.Cookie.Secret, "remembered device", u.Tenant, u.Cookie.ID)
	if err != nil {
		return "", err
	}
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac)), nil
}

// ForgetAll forgets all remembered devices of a user, with an event, and returns how
// many there were. why is the reason in the event.
func (v Devices) ForgetAll(ctx context.Context, tenant, user, why string) (int64, error) {
	return v.forget(ctx, tenant, user, "", why)
}

// Forget forgets a remembered device of a user, with an event, and reports whether it
// was remembered.
func (v Devices) Forget(ctx context.Context, tenant, user, id, why string) (bool, error) {
	n, err := v.forget(ctx, tenant, user, id, why)
	return n > 0, err
}

func (v Devices) forget(ctx context.Context, tenant, user, id, why string) (int64, error) {
	forgotten, err := Collect(list(ctx, v.tx.Reader, "forget devices of "+user, scanID, `
		UPDATE remembered_devices SET forgotten_at = $4
		WHERE tenant_id = $1 AND user_id = $2 AND ($3 = '' OR id = $3) AND forgotten_at IS NULL RETURNING id`,
		tenant, user, id, at(v.tx.now())))
	if err != nil || len(forgotten) == 0 {
		return 0, err
	}
	return int64(len(forgotten)), v.recordForgotten(ctx, tenant, user, forgotten, why)
}

func (v Devices) recordForgotten(ctx context.Context, tenant, user string, ids []string, why string) error {
	return v.tx.Event(ctx, audit.Event{Tenant: tenant, Kind: audit.DeviceForgotten, User: user, Reason: why,
		Data: map[string]string{"devices": strings.Join(ids, " "), "count": strconv.Itoa(len(ids))}})
}
