package local_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signalbox/shared/aws/awsstack"
	"signalbox/shared/dev/local"
	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/samples"
	"signalbox/shared/operations/operate"
	"signalbox/shared/redrive"
	"signalbox/shared/store"
)

// backfill runs make backfill against the local cloud and returns what it prints.
func (w *world) backfill(ctx context.Context, variables map[string]string) string {
	w.Helper()
	variables["ACCOUNT"], variables["BY"], variables["REASON"] = "demo-twilio", "ops", "ticket 8"
	stack, err := awsstack.Open(ctx, operate.LocalStack, w.AWS)
	if err != nil {
		w.Fatal(err)
	}
	var out strings.Builder
	if err := operate.Backfill(ctx, &out, func(name string) string { return variables[name] }, []string{"edge", "twilio"}, stack.Invoke); err != nil {
		w.Errorf("%v: %v\n%s", variables, err, &out)
	}
	return out.String()
}

// listed makes a line of the demo tenant whose messages of a day are one activity, and an API that may be asked for what was said. It returns how many
// requests that had.
func (w *world) listed(ctx context.Context, line string, said []samples.Said) (requests *atomic.Int64) {
	w.Helper()
	lister, ok := plugins.Channels()["twilio"].(samples.Lister)
	if !ok {
		w.Fatal("its provider cannot be asked")
	}
	api, token := lister.Lists(accountSid, said)
	requests = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		api.ServeHTTP(rw, r)
	}))
	w.Cleanup(server.Close)
	file, err := w.Tenant()
	if err != nil {
		w.Fatal(err)
	}
	accounts, _ := file["accounts"].([]any)
	for _, one := range accounts {
		if account, _ := one.(map[string]any); account["id"] == "demo-twilio" {
			account["apiUrl"], account["apiToken"] = server.URL, token
		}
	}
	lines, _ := file["lines"].([]any)
	file["lines"] = append(lines, map[string]any{
		"id": "fetched", "account": "demo-twilio", "address": line, "channels": []string{"sms"},
		"timeline": map[string]any{"granularity": "day", "window": "1s", "conversations": true},
	})
	if reasons := w.apply(ctx, file); len(reasons) > 0 {
		w.Fatal(reasons)
	}
	return requests
}

// accountSid is what the provider calls the demo tenant's account.
const accountSid = "AC00000000000000000000000000000de0"

// texts returns what each CRM's activities say that say some of these, each as the order in which it says them.
func (w *world) texts(ctx context.Context, words ...string) map[string][]string {
	w.Helper()
	all := map[string][]string{}
	for crm := range w.CRMs {
		shows := w.Simulated[crm].Sessions
		records, err := w.client.Records(ctx, crm, shows.Object)
		if err != nil {
			w.Fatal(err)
		}
		for _, r := range records {
			text := r.Properties[shows.Text]
			said := slices.DeleteFunc(slices.Clone(words), func(word string) bool { return !strings.Contains(text, word) })
			slices.SortFunc(said, func(a, b string) int { return strings.Index(text, a) - strings.Index(text, b) })
			if len(said) > 0 {
				for _, word := range said {
					if strings.Count(text, word) > 1 {
						w.Errorf("%s says %q more than once", crm, word)
					}
				}
				all[crm] = append(all[crm], strings.Join(said, " "))
			}
		}
		slices.Sort(all[crm])
	}
	return all
}

// TestWhatACutTookIsFetched: some messages of two people come, some do not, and all are at the provider. After the schedule's look, or a backfill,
// which the function's roles allow, every CRM says everything once and in the order in which it was said.
func TestWhatACutTookIsFetched(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	for name, fetch := range map[string]func(ctx context.Context, w *world){
		"by the schedule": func(ctx context.Context, w *world) {
			w.invoke(ctx, "twilioReparse", redrive.Common{Action: redrive.Again})
		},
		"by a command": func(ctx context.Context, w *world) {
			from := time.Now().UTC().Add(-2 * time.Hour)
			if out := w.backfill(ctx, map[string]string{"FROM": from.Format(time.RFC3339)}); !strings.Contains(out, "6 found, 4 had not come, 1 are") {
				w.Errorf("it prints %s", out)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 0, local.Options{})
			ctx := t.Context()
			const line = "+15557650001"
			start := time.Now().UTC().Add(-50 * time.Minute).Truncate(time.Second)
			var all []samples.Said
			for i, one := range []struct{ from, to, text string }{
				{"+15552019001", line, "alpha"},
				{"+15552019002", line, "other"},
				{"+15552019001", line, "bravo"},
				{"+15552019001", line, "charlie"},
				{"+15552019001", line, "delta"},
				{"+15552019001", "+15550000000", "elsewhere"},
			} {
				all = append(all, samples.Said{ID: fmt.Sprintf("SM%032d", i), From: one.from, To: one.to, Text: one.text, At: start.Add(time.Duration(i) * time.Minute)})
			}
			requests := w.listed(ctx, line, all)
			came := all[4]
			w.deliver(ctx, samples.Sample{Name: came.ID, Path: "/v1/accounts/demo-twilio/twilio/messages", Form: [][2]string{
				{"MessageSid", came.ID}, {"AccountSid", accountSid}, {"From", came.From}, {"To", came.To}, {"Body", came.Text}, {"NumMedia", "0"},
			}})
			w.rest(ctx)
			fetch(ctx, w)
			w.rest(ctx)
			for crm, got := range w.texts(ctx, "alpha", "bravo", "charlie", "delta", "other", "elsewhere") {
				if want := []string{"alpha bravo charlie delta", "other"}; !slices.Equal(got, want) {
					t.Errorf("%s says %q, want %q", crm, got, want)
				}
			}
			before, asked := w.held(ctx), requests.Load()
			w.backfill(ctx, map[string]string{"FROM": start.Add(-time.Hour).Format(time.RFC3339)})
			w.rest(ctx)
			if added := difference(before, w.held(ctx)); len(added) > 0 || requests.Load() == asked {
				t.Errorf("another backfill left %v after %d requests", added, requests.Load()-asked)
			}
			if n := w.count(ctx, "StateTable", store.Range{Partition: "demo-twilio/backfill"}); n == 0 {
				t.Error("no progress is kept")
			}
		})
	}
}
