package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"

	"github.com/latchkey-id/latchkey/internal/authenticator"
	"github.com/latchkey-id/latchkey/internal/identity"
	"github.com/latchkey-id/latchkey/internal/policy"
	"github.com/latchkey-id/latchkey/internal/store"
)

// secondTenant is the same server with another tenant and a user of that.
func (h *appServer) secondTenant(t *testing.T, slug, name, user string) *appServer {
	t.Helper()
	other := *h
	tenant := identity.Tenant{ID: identity.NewID(identity.TenantID), Slug: slug, Name: name}
	other.who.Tenant = tenant.ID
	other.user = identity.User{Tenant: tenant.ID, ID: identity.NewID(identity.UserID), Name: user}
	other.tx(t, func(tx *store.Tx) error {
		return errors.Join(tx.Tenants().Add(t.Context(), tenant), tx.Users().Add(t.Context(), other.user),
			tx.Applications().Add(t.Context(), identity.Application{Tenant: tenant.ID, ID: appPayroll, Name: "Payroll",
				Protocol: identity.SAML, Identifier: "https://payroll.example.org", Config: []byte(`{}`)}))
	})
	return &other
}

// One app holds accounts of two tenants: each is notified and answers by itself, a
// notification of one leaves the other's alone, and what was used last comes
// first when the app is next opened.
func TestAppHoldsTwoTenants(t *testing.T) {
	t.Parallel()
	h := startApp(t)
	b, hospital := h.enrolledWithNotifications(t)
	shipping := h.secondTenant(t, "fjord", "Fjord Shipping", "aberg")
	shipping.enrolled(t, b, nil)
	b.Await("two accounts", `document.querySelectorAll(".account .otp").length === 2`)
	second, err := evaluate[string](b, `document.querySelectorAll(".account")[1].dataset.authenticator`)
	if err != nil {
		t.Fatal(err)
	}
	b.dismiss()
	b.deliverUntilShown(h.base, pushMessage{title: "Payroll of the hospital", kind: "request", authenticator: hospital}.String(), 1)
	b.deliverUntilShown(h.base, pushMessage{title: "Payroll of the shipping", kind: "request", authenticator: second}.String(), 2)
	b.dismiss()

	request := shipping.ask(t, policy.NoPresence)
	b.See(`#sheet form .pair`)
	if got := b.Text(`#sheet`); !strings.Contains(got, "Fjord Shipping") {
		t.Errorf("asks %q", got)
	}
	b.Click(submit)
	b.Await("the outcome", seen(done))
	if got := shipping.outcome(t, request); got != store.PushApproved {
		t.Errorf("outcome %q, want approved", got)
	}
	b.Reload()
	b.Await("what was used last first", fmt.Sprintf(`document.querySelector(".account")?.dataset.authenticator === %q`, second))

	// The one is revoked; the other does not notice.
	h.change(t, func(ctx context.Context, tx *store.Tx, a identity.Authenticator) error {
		return authenticator.Revoke(ctx, tx, a, "lost")
	})
	b.Reload()
	b.Await("one left in use", fmt.Sprintf(`document.querySelectorAll(".account .notice.bad").length === 1 &&
		document.querySelector('.account[data-authenticator=%q] .otp') !== null`, second))
}

// What has to do with notifications, and a list of two accounts, looked at as
// pages are, in light, dark and from right to left.
func TestAppStatesOfNotifications(t *testing.T) {
	t.Parallel()
	needAxe(t)
	for _, lang := range inspected {
		t.Run(lang, func(t *testing.T) {
			t.Parallel() // each waits for a push service that never answers
			h := startApp(t)
			b := open(t, startChromium(t), Profile{Lang: lang, Width: 390})
			b.permit("notifications", browser.PermissionSettingPrompt)
			h.enrolled(t, b, nil)
			h.secondTenant(t, "fjord", "Fjord Shipping", "aberg@fjord.example").enrolled(t, b, nil)
			b.See(`main > .panel .pair`)
			b.inspectFirst("app-offer-" + lang)
			b.Click(`main > .panel .pair .plain`)
			b.Await("the offer gone", `document.querySelector("main > .panel") === null`)
			b.inspectFirst("app-two-" + lang)
			b.permit("notifications", browser.PermissionSettingGranted)
			b.Reload()
			b.Click(settings)
			b.See(testButton)
			b.inspectFirst("app-notify-" + lang)
			b.Click(testButton)
			b.See(step("subscription", "failed")) // no push service is to be had here
			b.inspectFirst("app-test-" + lang)
		})
	}
}
