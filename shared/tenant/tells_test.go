package tenant_test

import (
	"strings"
	"testing"

	"signalbox/shared/store/memstore"
	"signalbox/shared/tenant"
)

// TestALinesProviderIsToldIfItsAccountSaysWhere, and of an account of several tenants that is refused, for nobody would tell it.
func TestALinesProviderIsToldIfItsAccountSaysWhere(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{"it says where": "https://accounts.example.net", "it does not": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, s, box := demo(t), memstore.New(), newBox()
			f.Accounts[0].ConsentURL = address
			publish(t, s, box, f)
			d := directory(s, box)
			account, err := d.Account(t.Context(), f.Accounts[0].ID)
			if err != nil || account.ConsentURL != address {
				t.Errorf("%q, %v", account.ConsentURL, err)
			}
			got, err := d.Tenant(t.Context(), "demo")
			if err != nil {
				t.Fatal(err)
			}
			_, lines, err := tenant.NewBindings(s).Policy(t.Context(), "demo")
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range got.Lines {
				want := address != "" && line.AccountID == account.ID
				if line.Tells != want || (lines[line.ID].Tells == account.ID) != want {
					t.Errorf("%s tells: %t, %q; want %t", line.ID, line.Tells, lines[line.ID].Tells, want)
				}
			}
		})
	}
	shared := agency("acme")
	shared.Account.ConsentURL = "https://accounts.example.net"
	box := newBox()
	if _, err := tenant.PlanAccount(t.Context(), memstore.New(), box, peppers, shared); err == nil || !strings.Contains(err.Error(), "consentUrl") {
		t.Errorf("of an account of several tenants: %v", err)
	}
}
