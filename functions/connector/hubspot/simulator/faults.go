package simulator

import (
	"encoding/json"
	"net/http"

	"signalbox/functions/connector/simulatortest"
)

// Fault spoils the next requests whose path begins with its Match.
type Fault = simulatortest.Fault

// Transport returns an http.RoundTripper that calls the handler h without a socket.
func Transport(h http.Handler) http.RoundTripper { return simulatortest.Transport(h) }

// control is what the paths for tests may ask for.
func (s *Simulator) control() simulatortest.Control {
	return simulatortest.Control{
		About: simulatortest.About{
			Objects: []string{contacts, communications, leads}, Messages: communications, Key: "msg_event_key", Text: "hs_communication_body",
			Status: "msg_status", Problem: "msg_status_error", People: []string{contacts, leads}, Ended: "msg_stop_automation",
			Replied: "msg_last_reply_at", OptedOut: "msg_opt_out", OptOutAt: "msg_opt_out_at", Calls: 2,
			Refusals: simulatortest.Refusals{
				Credential: Fault{Match: "/crm", Status: 401, Body: json.RawMessage(`{"status":"error","category":"INVALID_AUTHENTICATION"}`)},
				Data:       Fault{Match: "/crm", Status: 400, Body: json.RawMessage(`{"status":"error","category":"VALIDATION_ERROR"}`)},
				Limit:      Fault{Match: "/crm", Status: 429, Body: json.RawMessage(`{"status":"error","category":"RATE_LIMITS","policyName":"SECONDLY"}`)},
			},
			Failures: []simulatortest.Fault{
				{Match: "/crm", Status: 429, Headers: map[string]string{"Retry-After": "1"}, Body: json.RawMessage(
					`{"status": "error", "category": "RATE_LIMITS", "policyName": "SECONDLY"}`)},
				{Match: "/crm", Status: 500},
				{Match: "/crm", Status: 502, Body: json.RawMessage(`"<html>Bad gateway</html>"`)},
				{Match: "/crm", Status: 423},
				{Match: "/crm", CommitThenTimeout: true},
				{Match: "/crm", DelayMS: 200},
			},
		},
		Add:     func(object string, properties map[string]string) { s.Add(object, properties) },
		Remove:  s.Archive,
		Records: func(object string) (any, bool) { return s.Records(object) },
		Faults:  &s.Faults, Reset: s.Reset,
		Refuse: func(status int, message string) reply { return refuse(status, "", message) },
	}
}
