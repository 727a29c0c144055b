// Package deadletter keeps what was given up: one record beside the event it belongs to, and a pointer by day for those who
// look for what went wrong. A dead letter holds the message as it was received, so that it can be redriven: personal data,
// as sealed as the message was, and never logged.
package deadletter

import (
	"strings"
	"time"

	"signalbox/shared/unknown"
)

// Retention is how long a dead letter is kept.
const Retention = 90 * 24 * time.Hour

// The stages at which something is given up.
const (
	StageReceive       = "receive"        // an adapter
	StageRoute         = "route"          // the router
	StageRouteReceipts = "route-receipts" // the router, of receipts
	StageUnknown       = "unknown"        // nobody can tell any more
)

// StageDeliver returns the stage of the connector to crm.
func StageDeliver(crm string) string { return "deliver-" + crm }

// StageReceipts returns the stage of what tells crm how far messages got.
func StageReceipts(crm string) string { return "receipts-" + crm }

// CodeUnbound is the code of what is for a CRM that its tenant has no binding of.
const CodeUnbound = "crm_not_bound"

// CutStage takes apart a stage that StageDeliver or StageReceipts returned: of is the one that did, name the CRM's. Of any other
// stage ok is false.
func CutStage(stage string) (of func(name string) string, name string, ok bool) {
	for _, of := range []func(string) string{StageDeliver, StageReceipts} {
		if name, ok := strings.CutPrefix(stage, of("")); ok {
			return of, name, true
		}
	}
	return nil, "", false
}

// NoTenant stands for the tenant of what belongs to none that is known.
const NoTenant = "_"

// Record is one thing that was given up. Its JSON is what the store holds.
type Record struct {
	ID              string    `json:"id"`     // of the message given up on
	Tenant          string    `json:"tenant"` // empty is NoTenant
	Stage           string    `json:"stage"`
	Kind            string    `json:"kind"` // a fault's kind, or queue.KindExhausted
	Code            string    `json:"code"`
	Reason          string    `json:"reason"`
	Attempts        int       `json:"attempts"`
	First           time.Time `json:"first"` // when it was sent, or received
	Last            time.Time `json:"last"`  // when it was given up: the same whenever the same dead letter is written
	FunctionVersion string    `json:"functionVersion,omitempty"`
	EventID         string    `json:"eventId,omitempty"` // empty when it never became an event: ID takes its place
	Group           string    `json:"group,omitempty"`   // the queue group: the thread
	Trace           string    `json:"trace,omitempty"`
	Generation      int       `json:"generation,omitempty"` // how often it had been redriven
	Body            []byte    `json:"body,omitempty"`       // the message as it was received; left out when in parts
	Parts           int       `json:"parts,omitempty"`      // how many parts hold the body, 0 when it is in Body; see PartKey
	BytesKey        string    `json:"bytesKey,omitempty"`   // the partition, perhaps of another table, that has the parts of what an adapter received
	Provider        string    `json:"provider,omitempty"`   // whose webhook it is, at StageReceive
	State           State     `json:"state,omitempty"`
	SettledAt       time.Time `json:"settledAt,omitzero"`   // when it left the state Open
	RedrivenAs      int       `json:"redrivenAs,omitempty"` // the generation it was put back as

	Unknown unknown.Members `json:"-"`
}
