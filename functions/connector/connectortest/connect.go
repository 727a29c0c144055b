package connectortest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"signalbox/functions/connector"
	"signalbox/shared/connect"
)

// Requests passes requests on and counts them. It may be read when none is under way.
type Requests struct {
	http.RoundTripper
	mu     sync.Mutex
	Reads  []string // paths, without what follows, of requests that end so and write nothing, whatever their method
	Writes []string // the others that are no GET, as method and path
	All    int
}

// RoundTrip implements http.RoundTripper.
func (r *Requests) RoundTrip(request *http.Request) (*http.Response, error) {
	reads := request.Method == http.MethodGet || slices.ContainsFunc(r.Reads, func(end string) bool { return strings.HasSuffix(request.URL.Path, end) })
	r.mu.Lock()
	r.All++
	if !reads {
		r.Writes = append(r.Writes, request.Method+" "+request.URL.Path)
	}
	r.mu.Unlock()
	return r.RoundTripper.RoundTrip(request)
}

// Failing is a transport that never gets through.
type Failing struct{ Err error }

// RoundTrip implements http.RoundTripper.
func (f Failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.Err }

// Visit connects, or only checks, and returns the report. What holds of each: no credential is in it, and what is missing says what that means
// and what mends it.
func Visit(t *testing.T, crm connector.Connecter, of connector.BindingKey, install bool, after string, secrets ...string) Report {
	t.Helper()
	report, err := crm.Connect(t.Context(), of, install, after)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range secrets {
		if strings.Contains(string(encoded), secret) {
			t.Error("the report holds a credential")
		}
	}
	for _, f := range report.Findings {
		if (f.State == connect.Missing || f.State == connect.Refused) && (f.Means == "" || f.Mend == "") {
			t.Errorf("%s is %s: it does not say what that means, or what mends it: %+v", f.What, f.State, f)
		}
	}
	return Report{report}
}

// Report is one with what tests ask of it.
type Report struct{ connect.Report }

// String returns a line a finding.
func (r Report) String() string {
	var b strings.Builder
	for _, f := range r.Findings {
		b.WriteString(string(f.State) + " " + f.What + ": " + f.Means + "\n")
	}
	return b.String()
}

// Of returns the finding of a thing.
func (r Report) Of(what string) connect.Finding {
	for _, f := range r.Findings {
		if f.What == what {
			return f
		}
	}
	return connect.Finding{}
}

// Installed reports whether anything was.
func (r Report) Installed() bool {
	return slices.ContainsFunc(r.Findings, func(f connect.Finding) bool { return f.State == connect.Installed })
}
