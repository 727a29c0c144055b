// Package edge is the door for canonical events: a program of the tenant's, or of a partner, tells what happened on a channel that has no
// adapter here, by signed requests. What it leaves out has a default, and what it gets wrong it is told, event by event. The contract for
// integrators is README.md, and events/schema/v2/door.json.
package edge

import (
	"net/http"
	"strconv"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/edge/session"
	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/jsontext"
	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"
	"signalbox/shared/webhook"
)

// Provider is the channel's name in paths and events.
const Provider = "edge"

// The kinds of requests: the last part of the path.
const (
	Events  = "events"
	Replies = "replies" // what was sent to the visitor whose page asks
)

// Channel is the door. Its zero value is ready.
type Channel struct{}

// Describe implements adapter.Channel.
func (*Channel) Describe() adapter.Description {
	return adapter.Description{
		Provider: Provider,
		Responses: map[string]webhook.Response{
			Events:  {Status: http.StatusAccepted, ContentType: mediaJSON, Body: []byte(`{"status":"accepted"}`)},
			Replies: {Status: http.StatusOK},
		},
		Redelivery: adapter.RepeatedByPrograms(),
		Polled:     Replies,
		Keeps:      []string{headerSession},
		KeepsBut:   standardwebhooks.HeaderSignature, // a program's, whose Authorization may read as a session
	}
}

// Decode implements adapter.Channel: the signature is made over the body as it stands.
func (*Channel) Decode(w adapter.Webhook) adapter.Content { return &content{Webhook: w} }

// content is one request.
type content struct {
	adapter.Webhook
	batch   bool
	visitor *session.Claims // whose page it is, nil for a program
	unnamed bool            // a page's that just came without an id of its own; of one that is parsed again none is kept, and none is needed
	refused error           // why a page's is not let in
	news    int64           // the number after which a visitor asks for replies
	places  []place         // of the events that Parse returned
	room    [1]place
}

// place is where an event stands in the body, by its path, and which member of it our side is.
type place struct{ event, ours string }

// Verify implements adapter.Content: a program signs requests by Standard Webhooks, with an account's tokens as the keys, and a page has a
// session that was minted with one of them.
func (c *content) Verify(tokens secret.Versions) error {
	if c.fromPage() {
		return c.verifySession(tokens)
	}
	return standardwebhooks.Verify(c.Header, c.Body, c.Received, tokens)
}

// RequestID implements adapter.Answerer: it is part of what is signed. That of a page is one visitor's alone; a dot is in no program's.
func (c *content) RequestID() string {
	id := c.Header.Get(standardwebhooks.HeaderID)
	if c.visitor == nil {
		return id
	}
	return "visitor." + strconv.Itoa(len(c.visitor.Visitor)) + "." + c.visitor.Visitor + "." + id
}

// Parse implements adapter.Content. What is wrong with one event is its Parsed.Err, and wraps a *canonical.ValidationError.
func (c *content) Parse() ([]adapter.Parsed, error) {
	if c.fromPage() {
		if err := c.readSession(); err != nil {
			return nil, err
		}
	}
	if c.unnamed { // all of a visitor's would be one request
		return nil, invalid(CodeUnnamed, canonical.Problem{Path: whole, Code: canonical.ProblemRequired, Reason: wantName})
	}
	f, ok := formOf(c.Header)
	if !ok || f.cloud && c.visitor != nil {
		return nil, invalid(CodeMedia, canonical.Problem{Path: whole, Code: canonical.ProblemType, Reason: wantMedia})
	}
	body, err := jsontext.Parse(c.Body, maxDepth)
	if err != nil {
		return nil, invalid(CodeSyntax, canonical.Problem{Path: whole, Code: canonical.ProblemFormat, Reason: wantJSON})
	}
	c.batch = f.batch || f.either && body[0] == '['
	c.places = c.room[:0]
	if !c.batch {
		parsed := []adapter.Parsed{c.read(whole, body, f.cloud, nil)}
		return parsed, c.refused
	}
	if body[0] != '[' {
		return nil, invalid(CodeSyntax, canonical.Problem{Path: whole, Code: canonical.ProblemType, Reason: wantArray})
	}
	return c.readAll(body, f.cloud)
}

// readAll reads a batch.
func (c *content) readAll(body jsontext.Value, cloud bool) ([]adapter.Parsed, error) {
	var all []adapter.Parsed
	keys := map[string]bool{}
	for v := range body.Elements() {
		if len(all) == maxBatch {
			return nil, invalid(CodeBatch, canonical.Problem{Path: whole, Code: canonical.ProblemLength, Reason: wantBatch})
		}
		all = append(all, c.read(element(len(all)), v, cloud, keys))
	}
	if len(all) == 0 {
		return nil, invalid(CodeBatch, canonical.Problem{Path: whole, Code: canonical.ProblemLength, Reason: wantBatch})
	}
	return all, c.refused
}

// read reads one event. Keys are those of the events before it in a batch.
func (c *content) read(at string, v jsontext.Value, cloud bool, keys map[string]bool) adapter.Parsed {
	in := input{at: at, account: c.AccountID, received: c.Received, visitor: c.visitor}
	if cloud {
		v = in.unwrap(v)
	}
	var parsed adapter.Parsed
	if v != "" {
		parsed = in.parse(v)
	}
	if in.foreign {
		c.refused = fault.New(fault.Permanent, CodeForeign, nil)
	}
	if keys[parsed.Key] && len(in.problems) == 0 {
		in.add(in.idPath(), canonical.ProblemDuplicate, wantNewID)
	}
	if len(in.problems) > 0 {
		parsed.Err = invalid(CodeInvalid, in.problems...)
	} else if keys != nil {
		keys[parsed.Key] = true
	}
	c.places = append(c.places, place{in.at, in.oursName})
	return parsed
}

// invalid is a fault of this one request, or of one event of it.
func invalid(code string, problems ...canonical.Problem) error {
	return fault.New(fault.Permanent, code, &canonical.ValidationError{Problems: problems})
}
