package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"signalbox/functions/adapter"
	"signalbox/shared/aws/lambdahttp"
	"signalbox/shared/dev/local/gateway"
	"signalbox/shared/keyring/keyringtest"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"

	"github.com/google/go-cmp/cmp"
)

// nobody is a directory without accounts.
type nobody struct{ adapter.Directory }

func (nobody) Account(context.Context, string) (tenant.Account, error) {
	return tenant.Account{}, tenant.ErrUnknown
}

// served is a channel of which only the address is asked.
type served struct{ adapter.Channel }

func (served) Describe() adapter.Description {
	return adapter.Description{Provider: "served", Responses: map[string]webhook.Response{"messages": {}}}
}

// TestUnknownAccountsLookLikeUnknownRoutes is what told the two apart: the function answered 404 in other bytes than API Gateway.
func TestUnknownAccountsLookLikeUnknownRoutes(t *testing.T) {
	receive := lambdahttp.Handler(adapter.New(keyringtest.New(), adapter.Parts{
		Channel: served{}, Directory: nobody{}, Logger: slog.New(slog.DiscardHandler), Meter: telemetry.NewMeter(io.Discard, telemetry.Identity{}),
	}).Receive)
	reached := 0
	g := gateway.New(quiet(), gateway.Target{
		Method: "POST", Path: "/v1/accounts/{account}/served/{kind}", Timeout: time.Second,
		Invoke: func(ctx context.Context, event []byte, _ string) ([]byte, bool, error) {
			reached++
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
	})
	server := httptest.NewServer(g)
	defer server.Close()
	var first map[string]string
	for _, path := range []string{
		"/", "/v1/accounts/nobody/unheard-of/messages", "/v1/accounts/nobody/served/messages", "/v1/accounts/nobody/served/unheard-of",
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+path, bytes.NewReader([]byte("a=1")))
		if err != nil {
			t.Fatal(err)
		}
		response, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{"status": response.Status, "body": string(body)}
		for name := range response.Header {
			got[name] = response.Header.Get(name)
		}
		delete(got, "Date")
		if len(got["Apigw-Requestid"]) == 0 {
			t.Errorf("%s: no request id", path)
		}
		delete(got, "Apigw-Requestid")
		if first == nil {
			first = got
		}
		if diff := cmp.Diff(first, got); diff != "" {
			t.Errorf("%s: -unknown route +this:\n%s", path, diff)
		}
	}
	if reached != 2 {
		t.Errorf("the function was reached %d times, want twice", reached)
	}
}
