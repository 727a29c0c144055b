package simulator

import (
	_ "embed"
	"net/http"

	"signalbox/functions/connector/simulatortest"
)

// Fault spoils the next requests whose path begins with its Match.
type Fault = simulatortest.Fault

// Transport returns an http.RoundTripper that calls the handler h without a socket.
func Transport(h http.Handler) http.RoundTripper { return simulatortest.Transport(h) }

//go:embed about.json
var about []byte

// control is what the paths for tests may ask for.
func (s *Simulator) control() simulatortest.Control {
	return simulatortest.Control{
		About:   s.about,
		Add:     func(object string, properties map[string]string) { s.Add(object, properties) },
		Remove:  s.Archive,
		Records: func(object string) (any, bool) { return s.Records(object) },
		Faults:  &s.Faults, Reset: s.Reset,
		Refuse: func(status int, message string) reply { return refuse(status, "", message) },
	}
}
