package edge

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/webhook"
)

var (
	_ adapter.Refuser  = (*Channel)(nil)
	_ adapter.Answerer = (*content)(nil)
)

// Codes of what cannot be used, in responses, in the log and in metrics.
const (
	CodeInvalid = "event_refused" // some of its members are wrong
	CodeSyntax  = "json_malformed"
	CodeBatch   = "batch_size"
	CodeMedia   = "media_type_unsupported"
	CodeUnnamed = "request_id_missing" // of a page: a program's is part of what is signed
)

const (
	correctIt = "Correct what is listed and send it again."
	newID     = "A request with this webhook-id and another body was accepted. Give every request an id of its own; a repeat has the same body."
)

// refusal is what a sender is told about an event, or about a whole request, that cannot be used.
type refusal struct {
	Status   string              `json:"status"` // refused
	Error    string              `json:"error"`  // a code
	Message  string              `json:"message"`
	Problems []canonical.Problem `json:"problems"`
}

// acceptance is what a sender is told about an event that is durable.
type acceptance struct {
	Status  string            `json:"status"`  // accepted
	EventID canonical.EventID `json:"eventId"` // what it is called here: logs and dead letters name it
}

// Refuse implements adapter.Refuser.
func (*Channel) Refuse(cause *fault.Error) (webhook.Response, bool) {
	told := refusal{"refused", cause.Code, correctIt, []canonical.Problem{}}
	if refused, ok := errors.AsType[*canonical.ValidationError](cause); ok {
		told.Problems = refused.Problems
	}
	status := http.StatusBadRequest
	switch cause.Code {
	case CodeSyntax, CodeBatch, CodeUnnamed:
	case CodeForeign:
		return webhook.Response{Status: http.StatusForbidden}, true
	case CodeMedia:
		status = http.StatusUnsupportedMediaType
	case adapter.CodeReused:
		status, told.Message = http.StatusConflict, newID
	default:
		return webhook.Response{}, false
	}
	return response(status, told)
}

// Answer implements adapter.Answerer.
func (c *content) Answer(verdicts []adapter.Verdict) webhook.Response {
	all := make([]any, len(verdicts))
	accepted, elsewhere := 0, 0
	for i, v := range verdicts {
		if v.Err == nil {
			all[i] = acceptance{"accepted", v.Event}
			accepted++
			continue
		}
		told := c.refusal(i, fault.Of(v.Err))
		if !slices.ContainsFunc(told.Problems, func(p canonical.Problem) bool { return p.Code != codeUnowned && p.Code != codeUnserved }) {
			elsewhere++
		}
		all[i] = told
	}
	status, word := http.StatusMultiStatus, "partly accepted"
	switch {
	case accepted == len(all):
		status, word = http.StatusAccepted, "accepted"
	case accepted > 0:
	case elsewhere == len(all):
		status, word = http.StatusUnprocessableEntity, "refused"
	default:
		status, word = http.StatusBadRequest, "refused"
	}
	body := all[0]
	if c.batch {
		body = struct {
			Status string `json:"status"`
			Events []any  `json:"events"`
		}{word, all}
	}
	answer, _ := response(status, body)
	return answer
}

// refusal returns what is told about the i-th event.
func (c *content) refusal(i int, cause *fault.Error) refusal {
	told := refusal{"refused", cause.Code, correctIt, []canonical.Problem{}}
	at := c.places[i]
	switch cause.Code {
	case adapter.CodeUnowned:
		told.Problems = []canonical.Problem{{Path: at.event + "." + at.ours, Code: codeUnowned, Reason: wantLine}}
	case adapter.CodeChannel:
		told.Problems = []canonical.Problem{{Path: at.event + ".channel", Code: codeUnserved, Reason: wantServed}}
	case adapter.CodeLarge:
		told.Problems = []canonical.Problem{{Path: at.event, Code: canonical.ProblemLength, Reason: wantSmall}}
	default:
		if refused, ok := errors.AsType[*canonical.ValidationError](cause); ok {
			told.Problems = refused.Problems
		}
	}
	return told
}

// response encodes an answer. It holds nothing that cannot be.
func response(status int, body any) (webhook.Response, bool) {
	encoded, err := json.Marshal(body)
	return webhook.Response{Status: status, ContentType: mediaJSON, Body: encoded}, err == nil
}
