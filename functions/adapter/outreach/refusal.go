package outreach

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/webhook"
)

var _ adapter.Refuser = (*Channel)(nil)

const contentType = "application/json"

// Codes of requests that cannot be used: they are in answers, in the log and in metrics.
const (
	CodeInvalid = "outreach_invalid" // it is JSON, and some of its members are wrong
	CodeSyntax  = "json_malformed"
	CodeLarge   = "body_too_large"
)

// Problem is one thing that is wrong with a request: where, which kind of mistake, and what is expected there. It never holds what
// the request says.
type Problem = canonical.Problem

// InvalidError is a request that cannot be used, with everything that is wrong with it.
type InvalidError struct{ Problems []Problem }

// Error lists the problems.
func (e *InvalidError) Error() string {
	var b strings.Builder
	b.WriteString("the request is refused")
	for _, p := range e.Problems {
		b.WriteString("; " + p.Path + " " + p.Reason)
	}
	return b.String()
}

// refusal is the body of an answer.
type refusal struct {
	Error    string    `json:"error"` // a code
	Message  string    `json:"message"`
	Problems []Problem `json:"problems"`
}

// Refuse implements adapter.Refuser.
func (*Channel) Refuse(cause *fault.Error) (webhook.Response, bool) {
	status := http.StatusBadRequest
	told := refusal{Error: cause.Code, Message: "Nothing was registered. Correct what is listed and send the request again, with the same id."}
	if refused, ok := errors.AsType[*InvalidError](cause); ok {
		told.Problems = refused.Problems
	} else if cause.Code == adapter.CodeUnowned {
		status = http.StatusUnprocessableEntity
		told.Problems = []Problem{{Path: whole + ".from", Code: codeUnowned, Reason: wantLine}}
	} else if cause.Code == adapter.CodeChannel {
		status = http.StatusUnprocessableEntity
		told.Problems = []Problem{{Path: whole + ".channel", Code: codeUnserved, Reason: wantServed}}
	} else {
		return webhook.Response{}, false
	}
	body, err := json.Marshal(told)
	return webhook.Response{Status: status, ContentType: contentType, Body: body}, err == nil
}
