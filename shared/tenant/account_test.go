package tenant_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// agency returns the file of an account that some tenants may have lines of.
func agency(tenants ...string) tenant.AccountFile {
	return tenant.AccountFile{
		Account: tenant.AccountContent[secret.Value]{
			ID: "agency-twilio", Provider: "twilio", ProviderAccount: "AC000000000000000000000000000agency", AuthToken: "local-use-only-agency-token",
		},
		Owner: "agency", Tenants: tenants,
	}
}

// guest returns a tenant's file with lines of the agency's account alone.
func guest(t *testing.T, id string, addresses ...string) tenant.File {
	t.Helper()
	f := demo(t)
	f.Tenant.ID, f.Accounts, f.Lines = id, nil, nil
	for _, address := range addresses {
		channels := []canonical.Channel{canonical.SMS, canonical.WhatsApp}
		if strings.HasPrefix(address, "rcs:") {
			channels = []canonical.Channel{canonical.RCS}
		}
		f.Lines = append(f.Lines, tenant.LineContent{
			ID: id + "-" + strings.NewReplacer("+", "", ":", "-").Replace(address), Account: "agency-twilio", Address: address, Channels: channels,
		})
	}
	return f
}

func publishAccount(t *testing.T, s tenant.Store, box tenant.Box, f tenant.AccountFile) tenant.Outcome {
	t.Helper()
	o, err := tenant.PublishAccount(t.Context(), s, box, peppers, f)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// reason returns why a file was refused, "" if it was not.
func reason(t *testing.T, err error) string {
	t.Helper()
	if refused, ok := errors.AsType[*tenant.InvalidError](err); ok {
		return refused.Problems[0].Path + " " + refused.Problems[0].Reason
	}
	if err != nil {
		t.Fatal(err)
	}
	return ""
}

func TestALineOfASharedAccountIsFoundByItsAddress(t *testing.T) {
	t.Parallel()
	s, box := memstore.New(), newBox()
	publishAccount(t, s, box, agency("acme", "globex"))
	publish(t, s, box, guest(t, "acme", "+15550001111"))
	publish(t, s, box, guest(t, "globex", "+15550002222", "rcs:globex_agent"))
	d := directory(s, box)
	account, err := d.Account(t.Context(), "agency-twilio")
	if err != nil {
		t.Fatal(err)
	}
	want := tenant.Account{
		ID: "agency-twilio", TenantID: "agency", Provider: "twilio", ProviderAccount: "AC000000000000000000000000000agency",
		AuthTokens: secret.Versions{"local-use-only-agency-token"}, HandshakeTokens: secret.Versions{"local-use-only-agency-token"}, APIToken: "local-use-only-agency-token",
	}
	if diff := cmp.Diff(want, account); diff != "" {
		t.Error(diff)
	}
	for address, owner := range map[string]string{
		"+15550001111": "acme", "+15550002222": "globex", "whatsapp:+15550002222": "globex", "rcs:globex_agent": "globex",
		"+15550003333": "", "rcs:acme": "", "+15557654321": "",
	} {
		line, err := d.Line(t.Context(), "agency-twilio", address, "")
		if line.TenantID != owner || errors.Is(err, tenant.ErrUnknown) != (owner == "") {
			t.Errorf("%s is of %q (%v), want %q", address, line.TenantID, err, owner)
		}
	}
	for r := range s.All() {
		if strings.Contains(string(r.Data), "local-use-only") {
			t.Errorf("%s/%s holds a credential in the clear", r.Partition, r.Sort)
		}
	}
}

// TestALineOfATenantsOwnAccountIsNotASharedOnes: an address belongs to one account, whoever asks.
func TestALineOfATenantsOwnAccountIsNotASharedOnes(t *testing.T) {
	t.Parallel()
	s, box := memstore.New(), newBox()
	publishAccount(t, s, box, agency("demo"))
	publish(t, s, box, demo(t))
	if line, err := directory(s, box).Line(t.Context(), "agency-twilio", "+15557654321", ""); !errors.Is(err, tenant.ErrUnknown) {
		t.Errorf("%+v, %v", line, err)
	}
}

func TestWhoMayHaveLinesOfASharedAccount(t *testing.T) {
	t.Parallel()
	const (
		noAccount = "lines[0].account is not the id of an account in this file, nor of one with a file of its own that names this tenant"
		taken     = "belongs to another tenant, which has to give it up first"
	)
	own := func(t *testing.T) tenant.File { // the account in the tenant's own file
		f := guest(t, "acme", "+15550001111")
		f.Accounts = []tenant.AccountContent[secret.Value]{agency().Account}
		return f
	}
	type step struct {
		file any
		want string
	}
	for name, steps := range map[string]func(t *testing.T) []step{
		"a tenant that is named": func(t *testing.T) []step {
			return []step{{agency("acme"), ""}, {guest(t, "acme", "+15550001111"), ""}}
		},
		"a tenant that is not named": func(t *testing.T) []step {
			return []step{{agency("acme"), ""}, {guest(t, "globex", "+15550001111"), noAccount}}
		},
		"an account that is not there": func(t *testing.T) []step { return []step{{guest(t, "acme", "+15550001111"), noAccount}} },
		"another tenant's own account": func(t *testing.T) []step {
			return []step{{own(t), ""}, {guest(t, "globex", "+15550002222"), noAccount}}
		},
		"an address that another tenant has": func(t *testing.T) []step {
			return []step{{agency("acme", "globex"), ""}, {guest(t, "acme", "+15550001111"), ""}, {guest(t, "globex", "+15550001111"), "lines[0].address " + taken}}
		},
		"one address at two accounts of one provider": func(t *testing.T) []step {
			f := demo(t)
			f.Lines = append(f.Lines, guest(t, "demo", f.Lines[0].Address).Lines...)
			return []step{{agency("demo"), ""}, {f, "lines[2].address is that of an earlier line at the same provider"}}
		},
		"a tenant that has lines is not taken off": func(t *testing.T) []step {
			return []step{
				{agency("acme", "globex"), ""},
				{guest(t, "acme", "+15550001111"), ""},
				{agency("globex"), "tenants does not name acme, which has lines of this account: take those out of its file first"},
				{guest(t, "acme"), ""},
				{agency("globex"), ""},
				{guest(t, "acme", "+15550001111"), noAccount},
			}
		},
		"an account that a tenant's own file has": func(t *testing.T) []step {
			return []step{{own(t), ""}, {agency("acme", "globex"), "account.id belongs to the file of another tenant than the owner, which has to give it up first"}}
		},
		"an account that has a file of its own": func(t *testing.T) []step {
			return []step{{agency("acme"), ""}, {own(t), "accounts[0].id is the id of an account with a file of its own: take the account out of this file"}}
		},
		"the owner's own file gives it to one of its own": func(t *testing.T) []step {
			f, left := agency("acme", "globex"), agency("globex")
			f.Owner, left.Owner = "acme", "acme"
			return []step{
				{own(t), ""},
				{left, "tenants does not name acme, which has lines of this account: take those out of its file first"},
				{f, ""},
				{own(t), "accounts[0].id is the id of an account with a file of its own: take the account out of this file"},
				{guest(t, "globex", "+15550002222"), ""},
				{guest(t, "acme", "+15550001111"), ""},
				{f, ""},
			}
		},
		"a provider's account that another tenant has": func(t *testing.T) []step {
			f := own(t)
			f.Accounts[0].ID, f.Lines[0].Account = "acme-twilio", "acme-twilio"
			return []step{{f, ""}, {agency("globex"), "account.providerAccount " + taken}}
		},
		"and the other way around": func(t *testing.T) []step {
			f := own(t)
			f.Accounts[0].ID, f.Lines[0].Account = "acme-twilio", "acme-twilio"
			return []step{{agency("globex"), ""}, {f, "accounts[0].providerAccount " + taken}}
		},
		"another provider under the id": func(t *testing.T) []step {
			f := agency("acme")
			f.Account.Provider = "other"
			return []step{{agency("acme"), ""}, {f, "account.provider is another provider than that of the account in force: give the new account an id of its own"}}
		},
		"another owner, and another account at the provider": func(t *testing.T) []step {
			f, other := agency("acme"), agency("globex")
			f.Owner, f.Account.ProviderAccount = "another", "AC000000000000000000000000000second"
			other.Account.ID = "other-twilio"
			return []step{{agency("acme"), ""}, {f, ""}, {other, ""}}
		},
		"a token with a line break": func(*testing.T) []step {
			f := agency("acme")
			f.Account.AuthToken = "a\nb"
			return []step{{f, "account.authToken is not 1 to 4096 printable ASCII characters without blanks"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, box := memstore.New(), newBox()
			for i, step := range steps(t) {
				var planned, err error
				var plan, got tenant.Outcome
				switch f := step.file.(type) {
				case tenant.File:
					plan, planned = tenant.Plan(t.Context(), s, box, peppers, f)
					got, err = tenant.Publish(t.Context(), s, box, peppers, f)
				case tenant.AccountFile:
					plan, planned = tenant.PlanAccount(t.Context(), s, box, peppers, f)
					got, err = tenant.PublishAccount(t.Context(), s, box, peppers, f)
				}
				if told := reason(t, err); told != step.want || reason(t, planned) != told {
					t.Fatalf("step %d: refused because %q, planned %v; want %q", i, told, planned, step.want)
				}
				if diff := cmp.Diff(plan, got); diff != "" {
					t.Errorf("step %d: -planned +published: %s", i, diff)
				}
			}
			for r := range s.All() { // a claim is one account's or one tenant's
				if strings.Contains(string(r.Data), `"tenant":`) && strings.Contains(string(r.Data), `"account":"`) && !strings.Contains(string(r.Data), `"content"`) {
					t.Errorf("%s/%s is of two: %s", r.Partition, r.Sort, r.Data)
				}
			}
		})
	}
}

// TestASharedAccountChangesByItsFile: what is not told of a credential is that it is another one, and an unchanged file changes nothing.
func TestASharedAccountChangesByItsFile(t *testing.T) {
	t.Parallel()
	s, box := memstore.New(), newBox()
	if o := publishAccount(t, s, box, agency("acme")); o.Version != 1 || len(o.Changes) != 6 {
		t.Errorf("the first is %+v", o)
	}
	if o := publishAccount(t, s, box, agency("acme")); o.Version != 1 || len(o.Changes) != 0 {
		t.Errorf("the same is %+v", o)
	}
	f := agency("acme", "globex")
	f.Account.AuthToken, f.Account.PreviousAuthToken = "local-use-only-newer-token", f.Account.AuthToken
	want := tenant.Outcome{Version: 2, Changes: []tenant.Change{
		{Path: "account.authToken", Kind: "changed"},
		{Path: "account.previousAuthToken", Kind: "added"},
		{Path: "tenants", Kind: "changed", Before: "[acme]", After: "[acme globex]"},
	}}
	if diff := cmp.Diff(want, publishAccount(t, s, box, f)); diff != "" {
		t.Error(diff)
	}
	account, err := directory(s, box).Account(t.Context(), "agency-twilio")
	if diff := cmp.Diff(secret.Versions{"local-use-only-newer-token", "local-use-only-agency-token"}, account.AuthTokens); diff != "" || err != nil {
		t.Error(err, diff)
	}
	users, providers, err := tenant.Used(t.Context(), s)
	if diff := cmp.Diff(map[string][]string{"twilio": {"agency"}}, providers); diff != "" || err != nil || len(users) > 0 {
		t.Error(err, users, diff)
	}
}

// TestATenantIsNotTakenOffWhileItTakesALine: whoever of the two is second is refused, or tries again.
func TestATenantIsNotTakenOffWhileItTakesALine(t *testing.T) {
	t.Parallel()
	box := newBox()
	contended := func(err error) bool {
		sorted := fault.Of(err)
		return sorted != nil && sorted.Code == "configuration_contended" && sorted.Kind == fault.Retryable
	}
	inner := memstore.New()
	publishAccount(t, inner, box, agency("acme"))
	racing := &hooked{Store: inner, before: func() { publishAccount(t, inner, box, agency()) }}
	if _, err := tenant.Publish(t.Context(), racing, box, peppers, guest(t, "acme", "+15550001111")); !contended(err) {
		t.Errorf("a line of an account that was just closed: %v", err)
	}
	inner = memstore.New()
	publishAccount(t, inner, box, agency("acme"))
	racing = &hooked{Store: inner, before: func() { publish(t, inner, box, guest(t, "acme", "+15550001111")) }}
	if _, err := tenant.PublishAccount(t.Context(), racing, box, peppers, agency()); !contended(err) {
		t.Errorf("an account of which a line was just taken: %v", err)
	}
	if line, err := directory(inner, box).Line(t.Context(), "agency-twilio", "+15550001111", ""); err != nil || line.TenantID != "acme" {
		t.Errorf("%+v, %v", line, err)
	}
}

// TestASharedAccountIsReadOnce and its lines, and both again when a line is not there: one read each in half a minute.
func TestASharedAccountIsReadOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slowStore{Store: memstore.New()}
		box := s.box()
		publishAccount(t, s.Store, box, agency("acme", "globex"))
		publish(t, s.Store, box, guest(t, "acme", "+15550001111"))
		d := directory(s, box)
		look := func(address, want string, reads int64) {
			t.Helper()
			before := s.reads.Load()
			line, err := d.Line(t.Context(), "agency-twilio", address, "")
			if line.TenantID != want || (want == "") != errors.Is(err, tenant.ErrUnknown) {
				t.Errorf("%s is of %q: %v", address, line.TenantID, err)
			}
			if got := s.reads.Load() - before; got != reads {
				t.Errorf("%s: %d reads, want %d", address, got, reads)
			}
		}
		look("+15550001111", "acme", 3) // the account, whose the line is, the tenant
		look("+15550001111", "acme", 0)
		look("+15550002222", "", 1)
		look("+15550002222", "", 0)
		publish(t, s.Store, box, guest(t, "acme"))
		publish(t, s.Store, box, guest(t, "globex", "+15550001111", "+15550002222"))
		time.Sleep(30 * time.Second)
		look("+15550002222", "globex", 2) // the account is held
		look("+15550001111", "acme", 0)   // a change of a line that is there is in force within five minutes
		time.Sleep(5 * time.Minute)
		look("+15550001111", "globex", 3)
		s.err = fault.New(fault.Retryable, "store_failed", nil)
		if _, err := d.Line(t.Context(), "agency-twilio", "+15550003333", ""); err == nil || errors.Is(err, tenant.ErrUnknown) {
			t.Errorf("got %v, want the store's error", err)
		}
		look("+15550001111", "globex", 0)
	})
}

// TestAnAccountsRecordThatCannotBeReadIsTold and nothing of it is anybody's.
func TestAnAccountsRecordThatCannotBeReadIsTold(t *testing.T) {
	t.Parallel()
	s, box := memstore.New(), newBox()
	publishAccount(t, s, box, agency("acme"))
	for r := range s.All() {
		if r.Partition == "account/agency-twilio" {
			r.Data = []byte(`{"shared":{"format":9}}`)
			if _, err := s.Write(t.Context(), store.Change{Record: r}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := directory(s, box).Account(t.Context(), "agency-twilio"); fault.Of(err).Code != tenant.CodeInvalid {
		t.Errorf("%v", err)
	}
	if _, _, err := tenant.Used(t.Context(), s); err == nil {
		t.Error("what it uses is guessed")
	}
	if _, err := tenant.PublishAccount(t.Context(), s, box, peppers, agency("acme")); fault.Of(err) == nil || fault.Of(err).Code != tenant.CodeInvalid {
		t.Errorf("what a later release wrote is written over: %v", err)
	}
	if _, err := tenant.Publish(t.Context(), s, box, peppers, guest(t, "acme", "+15550001111")); !strings.HasPrefix(reason(t, err), "lines[0].account is not ") {
		t.Errorf("%v", err)
	}
}

// TestAnAccountWhoseCredentialsAreLostIsMendedByItsFile, and is the same account still.
func TestAnAccountWhoseCredentialsAreLostIsMendedByItsFile(t *testing.T) {
	t.Parallel()
	s, box := memstore.New(), newBox()
	publishAccount(t, s, box, agency("acme"))
	publish(t, s, box, guest(t, "acme", "+15550001111"))
	for r := range s.All() {
		if r.Partition == "account/agency-twilio" {
			r.Data = regexp.MustCompile(`"authToken":"[^"]*"`).ReplaceAll(r.Data, []byte(`"authToken":"AAAA"`))
			if _, err := s.Write(t.Context(), store.Change{Record: r}); err != nil {
				t.Fatal(err)
			}
		}
	}
	other := agency("acme")
	other.Account.Provider = "other"
	if _, err := tenant.PublishAccount(t.Context(), s, box, peppers, other); !strings.HasPrefix(reason(t, err), "account.provider ") {
		t.Errorf("another provider: %v", err)
	}
	if o := publishAccount(t, s, box, agency("acme")); o.Version != 2 || len(o.Changes) != 1 {
		t.Errorf("%+v", o)
	}
	d := directory(s, box)
	if account, err := d.Account(t.Context(), "agency-twilio"); err != nil || account.AuthTokens[0] != "local-use-only-agency-token" {
		t.Errorf("%v", err)
	}
	if line, err := d.Line(t.Context(), "agency-twilio", "+15550001111", ""); err != nil || line.TenantID != "acme" {
		t.Errorf("%+v, %v", line, err)
	}
}

// TestTheAccountsOfAProvider: those in tenants' files and those with files of their own, with where they may be asked.
func TestTheAccountsOfAProvider(t *testing.T) {
	t.Parallel()
	s, box := memstore.New(), newBox()
	shared, own := agency("acme"), demo(t)
	shared.Account.APIURL = "https://api.example.net"
	publishAccount(t, s, box, shared)
	publish(t, s, box, own)
	accounts, err := directory(s, box).Accounts(t.Context(), s, "twilio")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, a := range accounts {
		found = append(found, strings.TrimSpace(a.ID+" "+a.TenantID+" "+a.APIURL))
	}
	if want := []string{"agency-twilio agency https://api.example.net", "demo-twilio demo"}; !slices.Equal(found, want) {
		t.Errorf("%q, want %q", found, want)
	}
	if none, err := directory(s, box).Accounts(t.Context(), s, "nobody"); err != nil || len(none) > 0 {
		t.Errorf("%v, %v", none, err)
	}
}
