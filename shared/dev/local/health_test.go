package local_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/functions/connector/health"
	"signalbox/shared/aws/awsstack"
	"signalbox/shared/aws/sigv4"
	"signalbox/shared/dev/local"
	"signalbox/shared/operations/operate"
	"signalbox/shared/store"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestOperatorsAreToldHowCRMsAre with unmodified binaries, what their roles allow, and the operators' own client.
func TestOperatorsAreToldHowCRMsAre(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes, and waits until a minute is over")
	}
	w := newWorld(t, 0, local.Options{Signed: sigv4.CheckEmulated})
	ctx := t.Context()
	stack, err := awsstack.Open(ctx, operate.LocalStack, w.AWS)
	if err != nil {
		t.Fatal(err)
	}
	kinds := slices.Sorted(maps.Keys(w.CRMs))
	unsigned := func(context.Context, *http.Request) error { return nil }
	for request, want := range map[string]int{
		kinds[0] + "/health": http.StatusOK, kinds[0] + "/metrics": http.StatusOK, "nobodys/health": http.StatusNotFound, kinds[0] + "/health?minutes=0": http.StatusBadRequest,
	} {
		if status, body := w.told(ctx, stack.Sign, request); status != want {
			t.Errorf("%s: %d %s", request, status, body)
		}
		if status, body := w.told(ctx, unsigned, request); status != http.StatusForbidden || string(body) != `{"message":"Forbidden"}` {
			t.Errorf("%s, unsigned: %d %s", request, status, body)
		}
	}

	w.send(ctx)
	w.rest(ctx)
	<-time.After(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute)))
	w.send(ctx) // whoever works again writes what the last minute was like
	w.rest(ctx)
	for _, kind := range kinds {
		var report, again health.Report
		_, body := w.told(ctx, stack.Sign, kind+"/health")
		if err := json.Unmarshal(body, &report); err != nil || len(report.Bindings) != 1 || report.Bindings[0].Tenant != "demo" || report.Bindings[0].Rows["ok"] == 0 ||
			report.Bindings[0].Lag.Count != 1 || len(report.Versions) == 0 || len(report.Queues) != 2 || report.Bindings[0].Gate != nil {
			t.Errorf("%s: %v, %s", kind, err, body)
		}
		w.Recycle()
		_, body = w.told(ctx, stack.Sign, kind+"/health")
		if err := json.Unmarshal(body, &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(report.Bindings, again.Bindings, cmpopts.IgnoreUnexported(health.Binding{})); diff != "" {
			t.Errorf("another process tells (-one +other): %s", diff)
		}
	}

	closure := store.Record{
		Key: store.Key{Partition: "gates:" + kinds[0], Sort: "acme/second"}, Data: []byte(`{"kind":"blocked","code":"a_code","advice":"Mend it.","since":"2026-11-27T22:01:02Z"}`),
	}
	if err := w.Table("StateTable").Note(ctx, closure, store.Record{Key: store.Key{Partition: "acme/gate/second", Sort: "2"}, Number: 121}); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	variables := map[string]string{"ENDPOINT": w.AWS}
	root, err := local.Root()
	if err != nil {
		t.Fatal(err)
	}
	failed := operate.Command(ctx, &out, root, "health", func(name string) string { return variables[name] }, func(context.Context, string, string) (operate.Stack, error) {
		return operate.Stack{Outputs: stack.Outputs, Sign: stack.Sign}, nil
	})
	if failed == nil || operate.ExitStatus(failed) != 1 {
		t.Errorf("%v: %s", failed, &out)
	}
	for _, want := range append(kinds, "acme  ", "closed since 2026-11-27 22:01 UTC", "121", "a_code: Mend it.", "demo  ", "open") {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in %s", want, &out)
		}
	}
	if refused := w.Refused(); len(refused) > 0 {
		t.Errorf("roles do not allow %v", refused)
	}
}

// told asks how a CRM is, with a request that sign signs.
func (w *world) told(ctx context.Context, sign func(context.Context, *http.Request) error, path string) (status int, body []byte) {
	w.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.Gateway+health.Path+path, http.NoBody)
	if err != nil {
		w.Fatal(err)
	}
	if err := sign(ctx, request); err != nil {
		w.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err = io.ReadAll(response.Body); err != nil {
		w.Fatal(err)
	}
	return response.StatusCode, body
}
