package tenant_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/keyring/memkeys"
	"signalbox/shared/secret"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"

	"github.com/google/go-cmp/cmp"
)

// peppers are of one platform.
var peppers = tenant.NewPeppers(platform{"local use only"}, "pepper")

func newBox() *keyring.Box { return keyring.NewBox(memkeys.New(), rand.NewChaCha8([32]byte{})) }

func directory(s tenant.Records, box tenant.Opener) *tenant.Directory {
	return tenant.NewDirectory(s, box, slog.New(slog.DiscardHandler), telemetry.NewMeter(io.Discard, telemetry.Identity{}))
}

func publish(t *testing.T, s tenant.Store, box tenant.Box, f tenant.File) tenant.Outcome {
	t.Helper()
	o, err := tenant.Publish(t.Context(), s, box, peppers, f)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func other(t *testing.T) tenant.File {
	t.Helper()
	f := demo(t)
	f.Tenant.ID, f.Accounts[0].ID, f.Accounts[0].ProviderAccount = "other", "other-twilio", "AC000000000000000000000000000other"
	f.Accounts = append(f.Accounts, signed("other-sales", otherKey, ""))
	for i := range f.Lines {
		f.Lines[i].Account = "other-twilio"
	}
	f.Lines[0].Address, f.Lines[1].Address = "+15550000001", "rcs:other_agent"
	return f
}

// large has more lines than one transaction takes.
func large(t *testing.T, lines int, prefix string) tenant.File {
	t.Helper()
	f := demo(t)
	f.Lines = nil
	for i := range lines {
		f.Lines = append(f.Lines, tenant.LineContent{
			ID: fmt.Sprintf("line-%03d", i), Account: "demo-twilio", Address: fmt.Sprintf("%s%03d", prefix, i), Channels: []canonical.Channel{canonical.SMS},
		})
	}
	return f
}

func TestWhatWasPublishedIsFound(t *testing.T) {
	t.Parallel()
	s, box := memstore.New(), newBox()
	if o := publish(t, s, box, demo(t)); o.Version != 1 || len(o.Changes) == 0 {
		t.Errorf("the first publication answers %+v", o)
	}
	d := directory(s, box)
	account, err := d.Account(t.Context(), "demo-twilio")
	if err != nil {
		t.Fatal(err)
	}
	wantAccount := tenant.Account{
		ID: "demo-twilio", TenantID: "demo", Provider: "twilio", ProviderAccount: "AC00000000000000000000000000000de0",
		AuthTokens:      secret.Versions{"local-use-only-twilio-auth-token", "local-use-only-previous-twilio-auth-token"},
		HandshakeTokens: secret.Versions{"local-use-only-twilio-auth-token", "local-use-only-previous-twilio-auth-token"},
		APIToken:        "local-use-only-twilio-auth-token",
	}
	if diff := cmp.Diff(wantAccount, account); diff != "" {
		t.Error(diff)
	}
	for address, want := range map[string]string{
		"+15557654321": "demo-number", "whatsapp:+15557654321": "demo-number", "rcs:acme_demo_agent": "demo-agent", "rcs:acme": "", "acme_demo_agent": "",
	} {
		line, err := d.Line(t.Context(), "demo-twilio", address, "")
		if line.ID != want || errors.Is(err, tenant.ErrUnknown) != (want == "") {
			t.Errorf("%s is line %q (%v), want %q", address, line.ID, err, want)
		}
	}
	got, err := d.Tenant(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	crm, ok := got.CRM("hubspot")
	if !ok || crm.Token != "local-use-only-hubspot-token" || crm.BaseURL != "http://127.0.0.1:8092" || got.Version != 1 || got.Region != "US" {
		t.Errorf("the tenant is %+v", got)
	}
}

func TestNoCredentialIsWrittenOrToldInTheClear(t *testing.T) {
	t.Parallel()
	s, box := memstore.New(), newBox()
	o := publish(t, s, box, demo(t))
	changed := demo(t)
	changed.Accounts[0].AuthToken = "hunter2"
	changed.Tenant.CRMs[0].Settings = json.RawMessage(strings.Replace(string(changed.Tenant.CRMs[0].Settings), `"msg_source"`, `"hunter2"`, 1))
	plan, err := tenant.Plan(t.Context(), s, box, peppers, changed)
	if err != nil {
		t.Fatal(err)
	}
	want := []tenant.Change{
		{Path: "accounts[demo-twilio].authToken", Kind: "changed"}, {Path: "tenant.crms[hubspot].settings.properties.source", Kind: "changed"},
	}
	if diff := cmp.Diff(want, plan.Changes); diff != "" {
		t.Error(diff)
	}
	var all bytes.Buffer
	fmt.Fprintf(&all, "%+v %#v %v", o, plan, changed.Accounts)
	for _, partition := range []string{"demo/config", "account/demo-twilio", "line/twilio", "tenants"} {
		page, _, err := s.List(t.Context(), store.Range{Partition: partition})
		if err != nil || len(page) == 0 {
			t.Fatalf("%s holds %d records: %v", partition, len(page), err)
		}
		for _, r := range page {
			all.Write(r.Data)
		}
	}
	for _, told := range []string{"local-use-only-", "hunter2"} {
		if strings.Contains(all.String(), told) {
			t.Errorf("%q is told", told)
		}
	}
}

func TestPublish(t *testing.T) {
	t.Parallel()
	type want struct {
		version int
		problem string
	}
	tests := map[string]struct {
		change func(*tenant.File)
		want   want
	}{
		"the same file changes nothing":             {func(*tenant.File) {}, want{1, ""}},
		"blanks in the settings change nothing":     {func(f *tenant.File) { f.Tenant.CRMs[0].Settings = append(f.Tenant.CRMs[0].Settings, ' ', '\n') }, want{1, ""}},
		"another name is another version":           {func(f *tenant.File) { f.Tenant.Name = "Acme" }, want{2, ""}},
		"another order of rules is another version": {func(f *tenant.File) { r := f.Tenant.Rules.Rules; r[0], r[1] = r[1], r[0] }, want{2, ""}},
		"a line less is another version":            {func(f *tenant.File) { f.Lines = f.Lines[:1] }, want{2, ""}},
		"another tenant's address is refused":       {func(f *tenant.File) { f.Lines[1].Address = "rcs:other_agent" }, want{1, "lines[1].address belongs to another tenant, which has to give it up first"}},
		"another tenant's number behind a channel's prefix is refused": {func(f *tenant.File) {
			f.Lines[1].Address, f.Lines[1].Channels = "whatsapp:+15550000001", []canonical.Channel{canonical.WhatsApp}
		}, want{1, "lines[1].address belongs to another tenant, which has to give it up first"}},
		"a number of one's own behind a channel's prefix is another line": {func(f *tenant.File) {
			f.Lines[1].Address, f.Lines[1].Channels = "whatsapp:+15557654321", []canonical.Channel{canonical.WhatsApp}
		}, want{2, ""}},
		"another tenant's account is refused":                 {func(f *tenant.File) { f.Accounts[0].ID = "other-twilio"; f.Lines = nil }, want{1, "accounts[0].id belongs to another tenant, which has to give it up first"}},
		"another tenant's account at its provider is refused": {func(f *tenant.File) { f.Accounts[0].ProviderAccount = "AC000000000000000000000000000other" }, want{1, "accounts[0].providerAccount belongs to another tenant, which has to give it up first"}},
		"a name of ours that another tenant has given an account is its own": {func(f *tenant.File) {
			f.Accounts = append(f.Accounts, signed("demo-sales", ownKey, ""))
		}, want{2, ""}},
		"another tenant's signing key is refused": {func(f *tenant.File) {
			f.Accounts = append(f.Accounts, signed("demo-sales", otherKey, ""))
		}, want{1, "accounts[1].authToken signs for an account of another tenant: make a new one for this account"}},
		"also as the previous one": {func(f *tenant.File) {
			f.Accounts = append(f.Accounts, signed("demo-sales", ownKey, otherKey))
		}, want{1, "accounts[1].previousAuthToken signs for an account of another tenant: make a new one for this account"}},
		"a public key of an earlier account": {func(f *tenant.File) {
			f.Accounts = append(f.Accounts, signed("demo-sales", publicKey, ""), signed("demo-more", publicKey, ""))
		}, want{1, "accounts[2].authToken is that of an earlier account"}},
		"another spelling of it is the same key": {func(f *tenant.File) {
			f.Accounts = append(f.Accounts, signed("demo-sales", otherKeySpelled, ""))
		}, want{1, "accounts[1].authToken signs for an account of another tenant: make a new one for this account"}},
		"with zero bytes behind it, it is the same key": {func(f *tenant.File) {
			f.Accounts = append(f.Accounts, signed("demo-sales", otherKeyLonger, ""))
		}, want{1, "accounts[1].authToken signs for an account of another tenant: make a new one for this account"}},
		"and so it is for two accounts of one tenant": {func(f *tenant.File) {
			f.Accounts = append(f.Accounts, signed("demo-sales", otherKey, ""), signed("demo-mail", otherKeyLonger, ""))
		}, want{1, "accounts[2].authToken is that of an earlier account"}},
		"the previous key of an account of one's own is refused": {func(f *tenant.File) {
			f.Accounts = append(f.Accounts, signed("demo-sales", ownKey, ""), signed("demo-mail", newKey, ownKey))
		}, want{1, "accounts[2].previousAuthToken is that of an earlier account"}},
		"a file that is invalid is refused":           {func(f *tenant.File) { f.Lines[1].ID = f.Lines[0].ID }, want{1, "lines[1].id is the id of an earlier line"}},
		"a file with invalid rules is refused as all": {func(f *tenant.File) { f.Tenant.Rules.Rules[0].ID = "" }, want{1, "tenant.rules.rules[0].id is not 1 to 63 lower-case letters, digits and hyphens, a letter first"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, box := memstore.New(), newBox()
			publish(t, s, box, other(t))
			publish(t, s, box, demo(t))
			before := records(t, s)
			f := demo(t)
			tt.change(&f)
			plan, planned := tenant.Plan(t.Context(), s, box, peppers, f)
			if diff := cmp.Diff(before, records(t, s)); diff != "" {
				t.Fatalf("a plan writes: %s", diff)
			}
			got, err := tenant.Publish(t.Context(), s, box, peppers, f)
			if (planned == nil) != (err == nil) || plan.Version != got.Version || !cmp.Equal(plan.Changes, got.Changes) {
				t.Errorf("planned %+v, %v; published %+v, %v", plan, planned, got, err)
			}
			problem := ""
			if refused, ok := errors.AsType[*tenant.InvalidError](err); ok {
				problem = refused.Problems[0].Path + " " + refused.Problems[0].Reason
			} else if err != nil {
				t.Fatal(err)
			}
			if problem != tt.want.problem {
				t.Errorf("refused because %q, want %q", problem, tt.want.problem)
			}
			held, err := directory(s, box).Tenant(t.Context(), "demo")
			if err != nil || held.Version != tt.want.version {
				t.Errorf("version %d is in force (%v), want %d", held.Version, err, tt.want.version)
			}
			if written := !cmp.Equal(before, records(t, s)); written != (tt.want.version == 2) {
				t.Errorf("written: %t", written)
			}
		})
	}
}

// records returns the versions of all records, by key.
func records(t *testing.T, s *memstore.Store) map[store.Key]int64 {
	t.Helper()
	all := map[store.Key]int64{}
	for _, partition := range []string{"demo/config", "other/config", "account/demo-twilio", "account/other-twilio", "line/twilio", "tenants"} {
		page, _, err := s.List(t.Context(), store.Range{Partition: partition})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page {
			all[r.Key] = r.Version
		}
	}
	return all
}

func TestAnAddressThatWasGivenUpMayBeTaken(t *testing.T) {
	t.Parallel()
	s, box := memstore.New(), newBox()
	publish(t, s, box, demo(t))
	f := demo(t)
	f.Lines = f.Lines[:1]
	publish(t, s, box, f)
	taker := other(t)
	taker.Lines[1].Address = "rcs:acme_demo_agent"
	publish(t, s, box, taker)
}

// TestACrashLeavesTheLastGoodConfiguration ends a publication at each of its writes, before and after its effect, small
// enough for one transaction and too large for it, and then publishes again.
func TestACrashLeavesTheLastGoodConfiguration(t *testing.T) {
	t.Parallel()
	for name, files := range map[string][2]func(t *testing.T) tenant.File{
		"in one transaction": {func(t *testing.T) tenant.File { return demo(t) }, func(t *testing.T) tenant.File {
			f := demo(t)
			f.Tenant.Name, f.Lines[1].Address = "Second", "rcs:second_agent"
			return f
		}},
		"in several": {
			func(t *testing.T) tenant.File { return large(t, 60, "+15550001") },
			func(t *testing.T) tenant.File {
				f := large(t, 70, "+15550002")
				f.Tenant.Name = "Second"
				return f
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, effect := range []memstore.Fault{memstore.Before, memstore.After} {
				for step := 1; ; step++ {
					if step > 20 {
						t.Fatal("a publication has no end")
					}
					if crashAt(t, files[0](t), files[1](t), effect, step) {
						break
					}
				}
			}
		})
	}
}

// crashAt reports whether the publication of second had fewer writes than step.
func crashAt(t *testing.T, first, second tenant.File, effect memstore.Fault, step int) bool {
	t.Helper()
	writes, crashing := 0, false
	s := memstore.New(memstore.Faulty(func(c memstore.Call) memstore.Fault {
		if c.Operation != memstore.Write || !crashing {
			return memstore.None
		}
		if writes++; writes >= step {
			return effect
		}
		return memstore.None
	}))
	box := newBox()
	publish(t, s, box, first)
	crashing = true
	_, err := tenant.Publish(t.Context(), s, box, peppers, second)
	crashing = false
	d := directory(s, box)
	held, failed := d.Tenant(t.Context(), "demo")
	if failed != nil {
		t.Fatal(failed)
	}
	want := first
	if held.Version == 2 {
		want = second
	}
	if held.Name != want.Tenant.Name {
		t.Errorf("step %d: version %d is called %q", step, held.Version, held.Name)
	}
	for _, l := range want.Lines {
		if line, err := d.Line(t.Context(), "demo-twilio", l.Address, ""); err != nil || line.ID != l.ID {
			t.Fatalf("step %d: version %d is not whole: %v", step, held.Version, err)
		}
		sum := sha256.Sum256([]byte(l.Address))
		claims, err := s.Get(t.Context(), store.Key{Partition: "line/twilio", Sort: hex.EncodeToString(sum[:])})
		if err != nil || claims[0].Version == 0 {
			t.Fatalf("step %d: an address in force may be taken by another tenant: %v", step, err)
		}
	}
	publish(t, s, box, second)
	page, _, listed := s.List(t.Context(), store.Range{Partition: "line/twilio"})
	if listed != nil || len(page) != len(second.Lines) {
		t.Errorf("step %d: %d addresses are claimed after the next publication, want %d", step, len(page), len(second.Lines))
	}
	return err == nil
}

func TestTwoPublicationsAtOnceDoNotMix(t *testing.T) {
	t.Parallel()
	box, inner := newBox(), memstore.New()
	publish(t, inner, box, demo(t))
	raced := false
	racing := &hooked{Store: inner, before: func() {
		if !raced {
			raced = true
			f := demo(t)
			f.Tenant.Name = "Winner"
			publish(t, inner, box, f)
		}
	}}
	f := demo(t)
	f.Tenant.Name = "Loser"
	_, err := tenant.Publish(t.Context(), racing, box, peppers, f)
	if sorted := fault.Of(err); sorted == nil || sorted.Code != "configuration_contended" || sorted.Kind != fault.Retryable {
		t.Errorf("the loser is told %v", err)
	}
	if held, err := directory(inner, box).Tenant(t.Context(), "demo"); err != nil || held.Name != "Winner" {
		t.Errorf("%q is in force: %v", held.Name, err)
	}
}

// hooked calls before ahead of every write.
type hooked struct {
	tenant.Store
	before func()
}

func (h *hooked) Write(ctx context.Context, changes ...store.Change) ([]store.Record, error) {
	h.before()
	return h.Store.Write(ctx, changes...)
}
