package local_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"signalbox/functions/console"
	"signalbox/shared/dev/local"
	"signalbox/shared/dev/samples"
)

// apply applies the file of a tenant or an account, and returns why it is refused.
func (w *world) apply(ctx context.Context, file map[string]any) (reasons []string) {
	w.Helper()
	var result console.Result
	if err := json.Unmarshal(w.invoke(ctx, "ApplyTenant", map[string]any{"action": "apply", "file": file}), &result); err != nil {
		w.Fatal(err)
	}
	for _, p := range result.Problems {
		reasons = append(reasons, p.Path+" "+p.Reason)
	}
	return reasons
}

// events returns the tenants of stored events, and how many each has.
func (w *world) events() map[string]int {
	counts := map[string]int{}
	for r := range w.Table("StateTable").All() {
		if tenant, _, isEvent := strings.Cut(r.Partition, "/event/"); isEvent && r.Sort == "event" {
			counts[tenant]++
		}
	}
	return counts
}

// TestTwoTenantsOfOneAccount: signed requests to one account's address end in the tenant that has the line, and so do the events of one
// request. The account was its owner's alone, whose messages go on.
func TestTwoTenantsOfOneAccount(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	w := newWorld(t, 0, local.Options{})
	ctx := t.Context()
	read := func() (file, tenant map[string]any, accounts []any) {
		file, err := w.Tenant()
		if err != nil {
			t.Fatal(err)
		}
		tenant, _ = file["tenant"].(map[string]any)
		accounts, _ = file["accounts"].([]any)
		return file, tenant, accounts
	}
	own, _, accounts := read()
	guest, who, _ := read()
	who["id"] = "guest"
	crms, _ := who["crms"].([]any)
	crm, _ := crms[0].(map[string]any)
	local.Unbind(guest, func(name string) bool { return name == crm["name"] })
	guest["accounts"] = []any{}
	lines, _ := guest["lines"].([]any)
	line := func(n int, id string) map[string]any {
		like, _ := lines[n].(map[string]any)
		like = maps.Clone(like)
		like["id"], like["address"] = id, "+15557650001"
		return like
	}
	guest["lines"] = []any{line(0, "guest-number"), line(3, "guest-door")}
	shared := func(account any) map[string]any {
		return map[string]any{"account": account, "owner": "demo", "tenants": []any{"demo", "guest"}}
	}
	like, _ := lines[3].(map[string]any)
	behind := slices.IndexFunc(accounts, func(a any) bool { own, _ := a.(map[string]any); return own["id"] == like["account"] })
	account, door := shared(accounts[0]), shared(accounts[behind])

	const stranger = "lines[0].account is not the id of an account in this file, nor of one with a file of its own that names this tenant"
	if got := w.apply(ctx, guest); len(got) == 0 || got[0] != stranger {
		t.Fatalf("a line of another tenant's account: %q", got)
	}
	for _, file := range []map[string]any{account, door} {
		if got := w.apply(ctx, file); got != nil {
			t.Fatalf("the account: %q", got)
		}
	}
	own["accounts"] = slices.Concat(accounts[1:behind], accounts[behind+1:])
	for who, file := range map[string]map[string]any{"the owner": own, "the guest": guest} {
		if got := w.apply(ctx, file); got != nil {
			t.Fatalf("%s: %q", who, got)
		}
	}
	to := func(address string) samples.Sample {
		s := w.sample()
		s.Form[3][1] = address
		return s
	}
	w.deliver(ctx, to("+15557654321"))
	w.deliver(ctx, to("+15557650001"))
	w.deliver(ctx, to("+15557650001"))
	batch := w.event()
	told := strings.ReplaceAll(string(batch.JSON), "evt", "other")
	batch.JSON = json.RawMessage(`[` + string(batch.JSON) + `,` + strings.ReplaceAll(told, "+15557654321", "+15557650001") + `]`)
	w.deliver(ctx, batch)
	w.rest(ctx)
	if got := w.events(); got["demo"] != 2 || got["guest"] != 3 || len(got) != 2 {
		t.Errorf("events by tenant: %v", got)
	}
	first, _ := crms[0].(map[string]any)
	for crm, about := range w.Simulated {
		want := 2
		if crm == first["name"] {
			want = 5
		}
		if records, err := w.client.Records(ctx, crm, about.Messages); err != nil || len(records) != want {
			t.Errorf("%s holds %d messages, want %d: %v", crm, len(records), want, err)
		}
	}
	account["tenants"] = []any{"demo"}
	if got := w.apply(ctx, account); len(got) != 1 || !strings.HasPrefix(got[0], "tenants does not name guest") {
		t.Errorf("a tenant with a line is taken off: %q", got)
	}
}
