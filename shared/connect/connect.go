// Package connect holds the requests and the results of the functions that see to CRMs themselves, and not to one message: what a CRM has
// of what its connector needs, what was installed, what a person is to do about the rest, and what waits for that person. They hold no
// credential and no personal data.
package connect

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// The actions of a request.
const (
	Connect = "connect" // look, and install what is missing
	Check   = "check"   // only look
	Drain   = "drain"   // deliver what is parked, due or not; without a tenant what is due
)

// Request is what a CRM's function is invoked with.
type Request struct {
	Action string `json:"action"`
	Tenant string `json:"tenant"`
	CRM    string `json:"crm,omitempty"`   // the name of a binding; all of the function's kind if it is left out
	After  string `json:"after,omitempty"` // what Report.After of this CRM was
}

// Result is a report a binding and how its gates stand that were closed, or what is wrong with the request.
type Result struct {
	Reports  []Report `json:"reports,omitempty"`
	Gates    []Gate   `json:"gates,omitempty"`
	Problems []string `json:"problems,omitempty"`
}

// Gate is how the gates of a tenant's CRM stand, which are closed while nothing goes through, or what comes is collected.
type Gate struct {
	Tenant    string    `json:"tenant"`
	CRM       string    `json:"crm"`
	Closed    bool      `json:"closed"`
	Kind      string    `json:"kind,omitempty"` // of the fault
	Code      string    `json:"code,omitempty"`
	Tier      string    `json:"tier,omitempty"`   // batch: what is parked waits for the hour; bulk: it is of a history. Without a Code no fault closed it
	Advice    string    `json:"advice,omitempty"` // what a person is to do about the code
	Since     time.Time `json:"since,omitzero"`
	Probe     time.Time `json:"probe,omitzero"` // when the CRM is tried again
	Parked    int64     `json:"parked"`
	Receipts  int64     `json:"receipts,omitempty"` // messages whose status waits to be shown
	Oldest    time.Time `json:"oldest,omitzero"`    // when the oldest that is parked was sent
	Delivered int       `json:"delivered"`          // of what was parked, since the gates closed
	Busy      bool      `json:"busy,omitempty"`     // another process drains
	Job       *Job      `json:"job,omitempty"`      // of the CRM, that writes what is parked
}

// Job is how a job of a CRM stands that writes what is parked.
type Job struct {
	State     string `json:"state"` // the CRM's word
	Rows      int    `json:"rows"`  // records
	Processed int    `json:"processed"`
	Failed    int    `json:"failed"`
}

// Refuse returns the result of a request that cannot be read.
func Refuse(problem string) Result { return Result{Problems: []string{problem}} }

// Report is what was found of a binding, in the same order each time.
type Report struct {
	Tenant   string    `json:"tenant"`
	CRM      string    `json:"crm"`
	Kind     string    `json:"kind"`
	Version  int       `json:"version"` // of the tenant's configuration
	Findings []Finding `json:"findings"`
	After    string    `json:"after,omitempty"` // the CRM is not done with what it was given: ask again with this
}

// State is how something stands.
type State string

// The states.
const (
	OK        State = "ok"
	Installed State = "installed" // it was missing and is there now
	Missing   State = "missing"   // deliveries that need it wait
	Degraded  State = "degraded"  // deliveries do without it
	Refused   State = "refused"   // it is there and cannot be used: no delivery comes through, or none that needs it
)

// Finding is how one thing stands.
type Finding struct {
	What  string `json:"what"` // a capability, an object, a field
	State State  `json:"state"`
	Means string `json:"means,omitempty"` // what it is to deliveries
	Mend  string `json:"mend,omitempty"`  // where to click, or the command
}

// Lacks reports whether something is missing or refused, so that deliveries wait.
func (r Report) Lacks() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.State == Missing || f.State == Refused })
}

// Refused reports whether something cannot be used.
func (r Report) Refused() bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.State == Refused })
}

// Add adds a finding.
func (r *Report) Add(what string, state State, means, mend string) {
	r.Findings = append(r.Findings, Finding{what, state, means, mend})
}

// Write writes a report as a table, a line a finding and one below it for what mends it.
func (r Report) Write(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, a CRM of the kind %s, by version %d of the file\n", r.Tenant, r.CRM, r.Kind, r.Version)
	widest := 0
	for _, f := range r.Findings {
		widest = max(widest, len(f.What))
	}
	for _, f := range r.Findings {
		line := fmt.Sprintf("  %-9s  %-*s  %s", f.State, widest, f.What, f.Means)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
		if f.Mend != "" {
			fmt.Fprintf(&b, "  %-9s  %s\n", "", f.Mend)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// Count returns how many findings there are of each state, in words.
func (r Report) Count() string {
	var said []string
	for _, state := range []State{OK, Installed, Degraded, Missing, Refused} {
		n := 0
		for _, f := range r.Findings {
			if f.State == state {
				n++
			}
		}
		if n > 0 {
			said = append(said, fmt.Sprintf("%d %s", n, state))
		}
	}
	return cmp.Or(strings.Join(said, ", "), "nothing")
}

// Names returns the first of some names, and how many more there are.
func Names(names []string) string {
	const most = 5
	if more := len(names) - most; more > 1 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}
