package simulator

import (
	"net/http"

	"signalbox/functions/connector/simulatortest"
)

// Fault spoils the next requests whose path begins with its Match.
type Fault = simulatortest.Fault

// Spoil adds a fault.
func (s *Simulator) Spoil(f Fault) { s.faults.Add(f) }

// Transport returns an http.RoundTripper that calls the handler h without a socket.
func Transport(h http.Handler) http.RoundTripper { return simulatortest.Transport(h) }

// control is what the paths for tests may ask for.
func (s *Simulator) control() simulatortest.Control {
	return simulatortest.Control{
		Objects: []string{contacts, communications, leads}, Messages: communications,
		Key: "msg_event_key", Ended: "msg_stop_automation",
		Add:     func(object string, properties map[string]string) { s.Add(object, properties) },
		Records: func(object string) (any, bool) { return s.Records(object) },
		Faults:  &s.faults, Reset: s.Reset,
		Refuse: func(status int, message string) simulatortest.Reply { return refuse(status, "", message).shared() },
	}
}

// shared returns a reply as simulators have it in common.
func (r reply) shared() simulatortest.Reply {
	return simulatortest.Reply{Status: r.status, Header: r.header, Body: r.body}
}
