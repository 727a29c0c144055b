package envelope

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"strconv"

	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/queue"
	"signalbox/shared/telemetry"
)

// Opener opens; *keyring.Ring is one.
type Opener interface {
	Open(ctx context.Context, at keyring.Place, sealed []byte) ([]byte, error)
}

// opening is a queue.Handler that opens bodies for the one behind it.
type opening struct {
	worker  *queue.Worker // in front of it
	opener  Opener
	handler queue.Handler
}

// OpenFor makes the Handler of a worker one that opens bodies for h. What cannot be opened is not handed on, and neither is what is
// behind it in its group if the worker has Runs. The worker keeps the body as it was received: a dead letter is as sealed as the message
// was. A body that is not sealed, of a release before, is handed on as it is and counted as UnsealedBody: sealing hides content, it
// does not say who sent it.
func OpenFor(worker *queue.Worker, o Opener, h queue.Handler) {
	worker.Handler = &opening{worker, o, h}
}

// Handle opens the heads, each with the key of its tenant or person, hands those on that opened within half of the time, and returns
// one error each.
func (o *opening) Handle(ctx context.Context, heads []queue.Received) []error {
	errs := make([]error, len(heads))
	opened := make([]queue.Received, len(heads))
	unsealed := make([]bool, len(heads))
	half, cancel := queue.Half(ctx)
	defer cancel()
	queue.SideBySide(heads, func(i int, head queue.Received) {
		ctx := telemetry.WithTrace(half, head.Trace)
		defer func() {
			if value := recover(); value != nil { // its own: in a goroutine it would take the process with it
				errs[i] = queue.Recovered(ctx, o.worker.Logger, o.worker.Meter, value)
			}
		}()
		opened[i] = head
		opened[i].Body, unsealed[i], errs[i] = Open(ctx, o.opener, head.Body)
	})
	if o.worker.Runs {
		queue.HoldBack(heads, errs)
	}
	var going []queue.Received
	var at []int
	plain := 0
	for i := range heads {
		if unsealed[i] {
			plain++
		}
		if errs[i] == nil {
			going, at = append(going, opened[i]), append(at, i)
		}
	}
	if plain > 0 {
		o.worker.Meter.Count("UnsealedBody", plain)
	}
	if len(going) == 0 {
		return errs
	}
	results := o.handler.Handle(ctx, going)
	if len(results) != len(going) {
		return results // the worker knows what to do about an answer of the wrong length
	}
	for k, err := range results {
		errs[at[k]] = erased(heads[at[k]].Body, err)
	}
	return errs
}

// erased strips the body of a message whose work found out that its person was erased.
func erased(body []byte, err error) error {
	sorted := fault.Of(err)
	var h header
	if sorted == nil || sorted.Code != keyring.CodeErased || !bytes.Contains(body, mark()) || json.Unmarshal(body, &h) != nil {
		return err
	}
	return &queue.RedactedError{Body: h.stripped(), Err: err}
}

// mark is in every sealed body and in no other: within a JSON string its quotation marks would be escaped.
func mark() []byte { return strconv.AppendInt([]byte(`"schemaVersion":`), Version, 10) }

// Open returns the JSON that was sealed, with the generation that the header says. A body that is not sealed is answered as it
// is. The person's key being gone is a *queue.RedactedError around a fault with keyring.CodeErased: what nobody can read
// is not kept either.
func Open(ctx context.Context, opener Opener, body []byte) (plain []byte, unsealed bool, err error) {
	if !bytes.Contains(body, mark()) {
		return body, true, nil
	}
	h, err := parse(body)
	at, ok := h.place()
	if err != nil || !ok {
		return nil, false, fault.New(fault.Permanent, keyring.CodeMalformed, nil)
	}
	if len(h.Sealed) == 0 { // it was given up with its content
		return nil, false, fault.New(fault.Permanent, keyring.CodeErased, nil)
	}
	plain, err = opener.Open(ctx, at, h.Sealed)
	if sorted := fault.Of(err); sorted != nil && sorted.Code == keyring.CodeErased {
		return nil, false, &queue.RedactedError{Body: h.stripped(), Err: err}
	}
	if err != nil {
		return nil, false, err
	}
	if end := bytes.LastIndexByte(plain, '}'); h.Event != nil && h.Generation > 0 && end > 0 {
		plain = strconv.AppendInt(append(plain[:end:end], `,"generation":`...), int64(h.Generation), 10) // the last one counts
		plain = append(plain, '}')
	}
	return plain, false, nil
}

// beforeSealed is what stands before what was sealed.
const beforeSealed = `,"sealed":"`

// parse reads a sealed body. What was sealed is nearly all of it and stands at its end, where a JSON decoder need not look for
// escapes in it.
func parse(body []byte) (h header, err error) {
	const end = `"}`
	at := bytes.LastIndex(body, []byte(beforeSealed))
	if at < 0 || !bytes.HasSuffix(body, []byte(end)) || len(body) < at+len(beforeSealed)+len(end) {
		return h, json.Unmarshal(body, &h)
	}
	if err := json.Unmarshal(append(bytes.Clone(body[:at]), '}'), &h); err != nil {
		return h, err
	}
	h.Sealed, err = base64.StdEncoding.AppendDecode(nil, body[at+len(beforeSealed):len(body)-len(end)])
	return h, err
}

// Address is where a delivery goes, of which event it is, and whether that is of a history, or an opt-out.
type Address struct {
	Tenant, CRM, Event string
	History, OptsOut   bool
}

// AddressOf returns what a sealed delivery says of itself in the clear. Ok is false of anything else.
func AddressOf(body []byte) (a Address, ok bool) {
	if !bytes.Contains(body, mark()) {
		return a, false
	}
	if at := bytes.LastIndex(body, []byte(beforeSealed)); at >= 0 {
		body = append(bytes.Clone(body[:at]), '}')
	}
	var h header
	if json.Unmarshal(body, &h) != nil || h.Event == nil || h.Event.SchemaVersion != Version {
		return a, false
	}
	a = Address{h.Event.TenantID, h.CRM, h.Event.EventID, h.History, h.OptsOut}
	return a, a.Tenant != "" && a.CRM != "" && a.Event != ""
}
