package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"signalbox/functions/adapter"
	"signalbox/shared/aws/lambdahttp"
	"signalbox/shared/canonical"
	"signalbox/shared/deadletter"
	"signalbox/shared/dev/local/gateway"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/keyring/keyringtest"
	"signalbox/shared/keyring/memkeys"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/secret"
	"signalbox/shared/secret/memsecret"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"

	"github.com/google/go-cmp/cmp"
)

// several is a channel whose webhooks are lists of the addresses that their events came to.
type several struct{}

func (several) Describe() adapter.Description {
	return adapter.Description{Provider: "several", Responses: map[string]webhook.Response{"events": {Status: http.StatusAccepted}}}
}

func (several) Decode(w adapter.Webhook) adapter.Content { return addresses{w} }

type addresses struct{ adapter.Webhook }

func (a addresses) Verify(tokens secret.Versions) error {
	if a.Header.Get("Authorization") != string(tokens[0]) {
		return fault.New(fault.Rejected, "token_wrong", nil)
	}
	return nil
}

func (a addresses) Parse() (all []adapter.Parsed, err error) {
	for i, address := range strings.Fields(string(a.Body)) {
		all = append(all, adapter.Parsed{
			Event: canonical.Event{
				Channel: canonical.SMS, Direction: canonical.Inbound, Sender: canonical.Participant{Phone: "+15552010001"}, Message: &canonical.Message{Text: "Hello"},
			},
			Kind: "message", Key: fmt.Sprint(i), Addresses: []string{address}, Person: "+15552010001", Side: address,
		})
	}
	return all, nil
}

// TestOneWebhookOfTwoTenantsEndsInTwoTenants from the gateway to the queue, by the files that name who has which line: ids, threads and
// keys are each tenant's own. What came to nobody's address is the account's owner's.
func TestOneWebhookOfTwoTenantsEndsInTwoTenants(t *testing.T) {
	t.Parallel()
	box, peppers := keyring.NewBox(memkeys.New(), rand.NewChaCha8([32]byte{})), tenant.NewPeppers(memsecret.New(map[string]secret.Versions{"pepper": {"local use only"}}), "pepper")
	config, state, spool := memstore.New(), memstore.New(), memstore.New()
	account := tenant.AccountFile{
		Account: tenant.AccountContent[secret.Value]{ID: "agency", Provider: "several", ProviderAccount: "agency", AuthToken: "local-use-only"},
		Owner:   "owner", Tenants: []string{"acme", "globex", "initech"},
	}
	if _, err := tenant.PublishAccount(t.Context(), config, box, peppers, account); err != nil {
		t.Fatal(err)
	}
	for id, address := range map[string]string{"acme": "+15550001111", "globex": "+15550002222"} {
		f := tenant.File{
			Tenant: tenant.About[secret.Value]{ID: id, Name: id, Region: "US"},
			Lines:  []tenant.LineContent{{ID: "ours", Account: "agency", Address: address, Channels: []canonical.Channel{canonical.SMS}}},
		}
		if _, err := tenant.Publish(t.Context(), config, box, peppers, f); err != nil {
			t.Fatal(err)
		}
	}
	ring, all := keyringtest.New(), memqueue.New(memqueue.Options{Name: "events.fifo"})
	logger, meter := slog.New(slog.DiscardHandler), telemetry.NewMeter(io.Discard, telemetry.Identity{})
	receive := lambdahttp.Handler(adapter.New(ring, adapter.Parts{
		Channel: several{}, Directory: tenant.NewDirectory(config, box, logger, meter), Peppers: peppers, Sinks: adapter.Sinks(all, adapter.NewSpool(spool)),
		DeadLetters: adapter.NewDeadLetters(ring, spool, state, "1"), Logger: logger, Meter: meter,
	}).Receive)
	server := httptest.NewServer(gateway.New(quiet(), gateway.Target{
		Method: "POST", Path: "/v1/accounts/{account}/several/{kind}", Timeout: time.Second,
		Invoke: func(ctx context.Context, event []byte, _ string) ([]byte, bool, error) {
			var in events.APIGatewayV2HTTPRequest
			if err := json.Unmarshal(event, &in); err != nil {
				return nil, false, err
			}
			out, err := receive(ctx, in)
			if err != nil {
				return nil, false, err
			}
			answer, err := json.Marshal(out)
			return answer, true, err
		},
	}))
	defer server.Close()
	body := "+15550001111 +15550002222 +15550003333 +15550001111"
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/accounts/agency/several/events", bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "local-use-only")
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if _ = response.Body.Close(); response.StatusCode != http.StatusAccepted {
		t.Fatalf("answered %d", response.StatusCode)
	}
	got, threads := map[string]int{}, map[string]string{}
	for m := range all.All() {
		plain, unsealed, err := envelope.Open(t.Context(), ring, m.Body)
		if err != nil || unsealed {
			t.Fatalf("not sealed: %t, %v", unsealed, err)
		}
		var e canonical.Event
		if err := json.Unmarshal(plain, &e); err != nil {
			t.Fatal(err)
		}
		got[e.TenantID+" "+e.LineID+" "+e.AccountID]++
		threads[string(e.ThreadID)] = e.TenantID
	}
	if diff := cmp.Diff(map[string]int{"acme ours agency": 2, "globex ours agency": 1}, got); diff != "" || len(threads) != 2 {
		t.Errorf("threads %v; -want +got: %s", threads, diff)
	}
	letters := map[string]string{}
	for r := range state.All() {
		if letter, ok := deadletter.Read(r); ok && strings.HasPrefix(r.Sort, "dead/") {
			letters[letter.Tenant] = letter.Code
		}
	}
	if diff := cmp.Diff(map[string]string{"owner": adapter.CodeUnowned}, letters); diff != "" {
		t.Error(diff)
	}
}
