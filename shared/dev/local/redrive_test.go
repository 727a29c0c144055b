package local_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"signalbox/shared/aws/awsstack"
	"signalbox/shared/dev/local"
	"signalbox/shared/dev/local/cloud/dynamodb"
	"signalbox/shared/operations/operate"
	"signalbox/shared/redrive"
)

// redrive runs make redrive against the local cloud and returns what it prints.
func (w *world) redrive(ctx context.Context, variables map[string]string) string {
	w.Helper()
	variables["TENANT"], variables["BY"], variables["REASON"] = "demo", "ops", "ticket 7"
	choice, err := operate.NewChoice(func(name string) string { return variables[name] })
	if err != nil {
		w.Fatal(err)
	}
	stack, err := awsstack.Open(ctx, operate.LocalStack, w.AWS)
	if err != nil {
		w.Fatal(err)
	}
	var out strings.Builder
	if err := choice.Run(ctx, &out, stack.Invoke); err != nil {
		w.Errorf("%v: %v\n%s", variables, err, &out)
	}
	return out.String()
}

// simulator asks a CRM's simulator for a change.
func (w *world) simulator(ctx context.Context, method, url, body string) {
	w.Helper()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.Fatal(err)
	}
	if _ = response.Body.Close(); response.StatusCode != http.StatusNoContent {
		w.Fatalf("%s %s: %s", method, url, response.Status)
	}
}

// TestRedriveAndReplay is make redrive with unmodified binaries: what HubSpot refused, what came to a number that was nobody's,
// and a replay of everything.
func TestRedriveAndReplay(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	w := newWorld(t, 0, local.Options{})
	ctx := t.Context()
	refusals := `{"match":"/crm","status":400,"count":3,"body":{"status":"error","category":"VALIDATION_ERROR"}}`
	w.simulator(ctx, http.MethodPost, w.CRMs["hubspot"]+"/_simulator/faults", refusals)
	w.send(ctx)
	w.rest(ctx)
	if plan := w.redrive(ctx, map[string]string{"ACTION": "plan"}); !strings.HasPrefix(plan, "ready      deliver-hubspot") {
		t.Fatalf("the plan is %s", plan)
	}
	w.simulator(ctx, http.MethodDelete, w.CRMs["hubspot"]+"/_simulator", "")
	if out := w.redrive(ctx, map[string]string{"STAGE": "deliver-hubspot"}); !strings.HasSuffix(out, "redrive: 1 redriven\n") {
		t.Errorf("redrive: %s", out)
	}
	w.rest(ctx)
	if !w.once(ctx) {
		t.Error("what was redriven is not in every CRM once")
	}

	lost := w.sample()
	w.sent = append(w.sent, lost)
	for i := range lost.Form {
		if lost.Form[i][0] == "To" {
			lost.Form[i][1] = "+15550009999"
		}
	}
	if status, err := w.client.Send(ctx, lost); err != nil || status != http.StatusOK {
		t.Fatal(status, err)
	}
	w.addLine(ctx, "+15550009999")
	if out := w.redrive(ctx, map[string]string{}); !strings.HasSuffix(out, "generation 1\nredrive: 1 redriven\n") {
		t.Errorf("redrive: %s", out)
	}
	w.rest(ctx)
	if !w.once(ctx) {
		t.Error("the webhook that was parsed again is not in every CRM once")
	}

	before := w.held(ctx)
	if out := w.redrive(ctx, map[string]string{"ACTION": "replay"}); !strings.HasSuffix(out, "replay: 2 redriven\n") {
		t.Errorf("replay: %s", out)
	}
	w.rest(ctx)
	if added := difference(before, w.held(ctx)); len(added) > 0 {
		t.Errorf("a replay left %v", added)
	}
	if out := w.redrive(ctx, map[string]string{"ACTION": "plan"}); out != "plan: nothing\n" {
		t.Errorf("left: %s", out)
	}
	stack, err := awsstack.Open(ctx, operate.LocalStack, w.AWS)
	if err != nil {
		t.Fatal(err)
	}
	for _, action := range []string{"plan", "redrive", "replay"} {
		variables := map[string]string{"ACTION": action, "TENANT": "demmo", "BY": "ops", "REASON": "ticket 7"}
		choice, err := operate.NewChoice(func(name string) string { return variables[name] })
		if err == nil {
			err = choice.Run(ctx, io.Discard, stack.Invoke)
		}
		if err == nil || !strings.Contains(err.Error(), "there is no tenant demmo in this deployment") {
			t.Errorf("%s of a tenant that is not: %v", action, err)
		}
	}
	log, err := os.ReadFile(w.LogPath)
	if err != nil || !strings.Contains(string(log), `"reason":"ticket 7"`) {
		t.Errorf("%v: the log does not say why", err)
	}
}

// addLine gives the demo tenant another address.
func (w *world) addLine(ctx context.Context, address string) {
	w.Helper()
	file, err := w.Tenant()
	if err != nil {
		w.Fatal(err)
	}
	lines, _ := file["lines"].([]any)
	for _, one := range lines {
		line, _ := one.(map[string]any)
		if line["address"] != "+15557654321" || line["account"] != "demo-twilio" {
			continue
		}
		added := maps.Clone(line)
		added["id"], added["address"] = "added", address
		file["lines"] = append(lines, added)
	}
	w.invoke(ctx, "ApplyTenant", map[string]any{"action": "apply", "file": file})
}

// TestTheLocalStackIsDescribed asks for the outputs as make smoke does.
func TestTheLocalStackIsDescribed(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	w := newWorld(t, 0, local.Options{})
	stack, err := awsstack.Open(t.Context(), operate.LocalStack, w.AWS)
	if err != nil {
		t.Fatal(err)
	}
	outputs, err := stack.Outputs(t.Context())
	if err != nil || outputs["GatewayUrl"] != w.Gateway || outputs["PublicBaseUrl"] != w.PublicBaseURL {
		t.Errorf("outputs %v, %v", outputs, err)
	}
	stack.Name = "other"
	if _, err := stack.Outputs(t.Context()); err == nil || !strings.Contains(err.Error(), "no stack other") {
		t.Errorf("another stack: %v", err)
	}
	kept := operate.Kept{Stack: "other", Resources: []operate.Resource{{Kind: operate.KindSecret, Name: "other/pepper"}}}
	if err := operate.Remove(t.Context(), io.Discard, kept, "", stack); err == nil || !strings.Contains(err.Error(), "make run has no stack to recover or remove") {
		t.Errorf("its removal: %v", err)
	}
}

// TestWhatAPassingFaultMadeADeadLetterComesBack by the request of the schedule, with unmodified binaries and what their roles allow.
func TestWhatAPassingFaultMadeADeadLetterComesBack(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	// The tenant's key cannot be read at any of the attempts that the first call for it is. Others read at the same time.
	const attempts = 3
	var reads atomic.Int64
	w := newWorld(t, 0, local.Options{Hooks: local.Hooks{Tables: func(c dynamodb.Call) dynamodb.Fault {
		if strings.Contains(c.Operation, "Get") && bytes.Contains(c.Request, []byte(`"demo/keys"`)) && reads.Add(1) <= attempts {
			return dynamodb.Before
		}
		return dynamodb.None
	}}})
	ctx := t.Context()
	w.send(ctx)
	if left := w.redrive(ctx, map[string]string{"ACTION": "plan"}); !strings.HasSuffix(left, " store_failed\nplan: 1 ready\n") {
		t.Fatalf("the plan is %s", left)
	}
	w.invoke(ctx, "twilioReparse", redrive.Common{Action: redrive.Again})
	w.rest(ctx)
	if !w.once(ctx) {
		t.Error("the webhook that was parsed again is not in every CRM once")
	}
	if out := w.redrive(ctx, map[string]string{"ACTION": "plan"}); out != "plan: nothing\n" {
		t.Errorf("left: %s", out)
	}
}
