package tenant_test

import (
	"errors"
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/store/memstore"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// TestAFileSaysHowConsentIsRead holds what functions see of it, and what stands in for what it leaves out.
func TestAFileSaysHowConsentIsRead(t *testing.T) {
	t.Parallel()
	defaults := consent.DefaultPolicy()
	defaults.Brands = map[string]string{"demo-number": "", "demo-agent": ""}
	brands := consent.Policy{
		Scope: consent.ScopeBrand, Families: [][]canonical.Channel{{canonical.SMS, canonical.WhatsApp}}, RevokeAll: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
		Brands: map[string]string{"demo-number": "acme", "demo-agent": "other"},
	}
	for name, c := range map[string]struct {
		change func(*tenant.File)
		want   consent.Policy
		with   []canonical.Channel // that SMS is closed together with
	}{
		"nothing": {func(*tenant.File) {}, defaults, []canonical.Channel{canonical.RCS, canonical.SMS}},
		"everything": {func(f *tenant.File) {
			f.Tenant.Consent = &tenant.ConsentContent{Scope: "brand", Families: brands.Families, RevokeAll: "2026-12-01"}
			f.Lines[0].Brand, f.Lines[1].Brand = "acme", "other"
			f.Lines[0].Answers = tenant.Answers{Stop: tenant.Us}
		}, brands, []canonical.Channel{canonical.SMS, canonical.WhatsApp}},
		"all channels apart": {func(f *tenant.File) { f.Tenant.Consent = &tenant.ConsentContent{Families: [][]canonical.Channel{}} }, consent.Policy{
			Scope: consent.ScopeTenant, Families: [][]canonical.Channel{}, RevokeAll: defaults.RevokeAll, Brands: defaults.Brands,
		}, []canonical.Channel{canonical.SMS}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := demo(t)
			c.change(&f)
			s := memstore.New()
			box := newBox()
			publish(t, s, box, f)
			got, err := directory(s, box).Tenant(t.Context(), "demo")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got.Consent); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.with, got.ClosedWith(canonical.SMS)); diff != "" {
				t.Error(diff)
			}
			if got.Answers["demo-number"] != f.Lines[0].Answers {
				t.Errorf("answers %+v", got.Answers)
			}
			policy, lines, err := tenant.NewBindings(s).Policy(t.Context(), "demo")
			if err != nil || len(lines) != len(f.Lines) {
				t.Fatal(lines, err)
			}
			if diff := cmp.Diff(c.want, policy); diff != "" {
				t.Error(diff)
			}
			if _, _, err := tenant.NewBindings(s).Policy(t.Context(), "acme"); !errors.Is(err, tenant.ErrUnknown) {
				t.Error(err)
			}
		})
	}
}
