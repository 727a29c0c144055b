package outreach

import (
	"encoding/json"
	"errors"
	"net/http"

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

// refusal is the body of an answer.
type refusal struct {
	Error    string              `json:"error"` // a code
	Message  string              `json:"message"`
	Problems []canonical.Problem `json:"problems"`
}

// Refuse implements adapter.Refuser.
func (*Channel) Refuse(cause *fault.Error) (webhook.Response, bool) {
	status := http.StatusBadRequest
	told := refusal{Error: cause.Code, Message: "Nothing was registered. Correct what is listed and send the request again, with the same id."}
	refused, invalid := errors.AsType[*canonical.ValidationError](cause)
	switch {
	case cause.Code == adapter.CodeUnowned:
		status = http.StatusUnprocessableEntity
		told.Problems = []canonical.Problem{{Path: whole + ".from", Code: codeUnowned, Reason: wantLine}}
	case cause.Code == adapter.CodeChannel:
		status = http.StatusUnprocessableEntity
		told.Problems = []canonical.Problem{{Path: whole + ".channel", Code: codeUnserved, Reason: wantServed}}
	case invalid && cause.Code != canonical.CodeInvalid: // that is an event of ours, and not what was sent
		told.Problems = refused.Problems
	default:
		return webhook.Response{}, false
	}
	body, err := json.Marshal(told)
	return webhook.Response{Status: status, ContentType: contentType, Body: body}, err == nil
}
