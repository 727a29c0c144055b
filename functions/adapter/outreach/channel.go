// Package outreach is the channel by which a sales engagement tool, or any integration, registers an outreach: something that was
// sent to a person and waits for an answer. It becomes an outbound message on the person's thread. What sends is a program whose
// author reads answers, so that a mistake is told and not kept. The contract for callers is shared/docs/outreach.md.
package outreach

import (
	"net/http"

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

// Describe implements adapter.Channel.
func (*Channel) Describe() adapter.Description {
	return adapter.Description{
		Provider: Provider,
		Responses: map[string]webhook.Response{
			Messages: {Status: http.StatusAccepted, ContentType: contentType, Body: []byte(`{"status":"accepted"}`)},
		},
		Redelivery: adapter.RepeatedByPrograms(),
	}
}

// Decode implements adapter.Channel: the signature is made over the body as it stands.
func (*Channel) Decode(w adapter.Webhook) adapter.Content { return content{w} }

type content struct{ adapter.Webhook }

// Verify implements adapter.Content: requests are signed by Standard Webhooks with an account's token as the secret. A copy of a
// request that comes again while its signature is valid has the id of the first, and no effect.
func (c content) Verify(tokens secret.Versions) error {
	return standardwebhooks.Verify(c.Header, c.Body, c.Received, tokens)
}

// Parse implements adapter.Content: one request is one event. An error wraps an *canonical.ValidationError.
func (c content) Parse() ([]adapter.Parsed, error) {
	if len(c.Body) > maxBody {
		return nil, invalid(CodeLarge, canonical.Problem{Path: whole, Code: canonical.ProblemLength, Reason: wantSmall})
	}
	body, err := jsontext.Parse(c.Body, maxDepth)
	if err != nil || body[0] != '{' {
		return nil, invalid(CodeSyntax, canonical.Problem{Path: whole, Code: codeSyntax, Reason: wantJSON})
	}
	f := form{received: c.Received}
	o := f.outreach(body)
	if len(f.problems) > 0 {
		return nil, invalid(CodeInvalid, f.problems...)
	}
	return []adapter.Parsed{o.parsed()}, nil
}

// invalid is a fault of this one request.
func invalid(code string, problems ...canonical.Problem) error {
	return fault.New(fault.Permanent, code, &canonical.ValidationError{Problems: problems})
}
