// Package outreach is the channel by which a sales engagement tool, or any integration, registers an outreach: something that was
// sent to a person and waits for an answer. It becomes an outbound message on the person's thread. What sends is a program whose
// author reads answers, so that a mistake is told and not kept. The contract for callers is shared/docs/outreach.md.
package outreach

import (
	"net/http"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/jsontext"
	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"
	"signalbox/shared/webhook"
)

// Provider is the channel's name in paths and events.
const Provider = "outreach"

// Messages is the only kind of request: the last part of the path.
const Messages = "messages"

// Channel is the outreach API. Its zero value is ready.
type Channel struct{}

// Describe implements adapter.Channel. Callers are told to repeat a request after these statuses and no other.
func (*Channel) Describe() adapter.Description {
	return adapter.Description{
		Provider: Provider,
		Responses: map[string]webhook.Response{
			Messages: {Status: http.StatusAccepted, ContentType: contentType, Body: []byte(`{"status":"accepted"}`)},
		},
		Redelivery: adapter.RedeliveryPolicy{On: []int{
			http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
			http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		}},
	}
}

// Verify implements adapter.Channel: requests are signed by Standard Webhooks with an account's token as the secret. A copy of a
// request that comes again while its signature is valid has the id of the first, and no effect.
func (*Channel) Verify(r webhook.Request, tokens secret.Versions) error {
	if r.Received.IsZero() {
		r.Received = time.Now()
	}
	return standardwebhooks.Verify(r.Header, r.Body, r.Received, tokens)
}

// Parse implements adapter.Channel: one request is one event. An error wraps an *InvalidError.
func (*Channel) Parse(w adapter.Webhook) ([]adapter.Parsed, error) {
	if len(w.Body) > maxBody {
		return nil, invalid(CodeLarge, Problem{Path: whole, Code: canonical.ProblemLength, Reason: wantSmall})
	}
	body, err := jsontext.Parse(w.Body, maxDepth)
	if err != nil || body[0] != '{' {
		return nil, invalid(CodeSyntax, Problem{Path: whole, Code: codeSyntax, Reason: wantJSON})
	}
	f := form{received: w.Received}
	o := f.outreach(readObject(body))
	if len(f.problems) > 0 {
		return nil, invalid(CodeInvalid, f.problems...)
	}
	parsed, err := o.parsed()
	if err != nil {
		return nil, err
	}
	return []adapter.Parsed{parsed}, nil
}

// invalid is a fault of this one request.
func invalid(code string, problems ...Problem) error {
	return fault.New(fault.Permanent, code, &InvalidError{problems})
}
