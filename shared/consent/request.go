package consent

import (
	"time"

	"signalbox/shared/canonical"
)

// The actions of a Request.
const (
	Show   = "consent-show"   // what holds of an address, and the evidence of it
	Plan   = "consent-plan"   // say what would become of rows
	Enter  = "consent-enter"  // keep rows
	Export = "consent-export" // what is held of every address
)

// Operator is the provider of the events that tell CRMs what operators entered. Its evidence is kept before they are sent.
const Operator = "console"

// MaxRows is how many rows a request has at most: well within the time of one invocation.
const MaxRows = 100

// Request is what operators ask of consent. It holds addresses, so that nothing of it is logged.
type Request struct {
	Tenant  string `json:"tenant"`
	By      string `json:"by,omitempty"`      // who asks: of Enter
	Reason  string `json:"reason,omitempty"`  // why: of Enter
	Address string `json:"address,omitempty"` // of Show
	Rows    []Row  `json:"rows,omitempty"`    // of Plan and Enter
	After   string `json:"after,omitempty"`   // of Export: Result.Next of the request before
}

// Row is one entry that an operator brings. Its times and words are as they were written.
type Row struct {
	Number  int    `json:"number"` // of the line it stands in
	Address string `json:"address"`
	Channel string `json:"channel,omitempty"` // of an opt-out every channel of the tenant when empty
	Line    string `json:"line,omitempty"`    // the id of one of ours; every line when empty
	Purpose string `json:"purpose,omitempty"` // Messaging when empty
	State   string `json:"state"`
	At      string `json:"at,omitempty"`     // RFC 3339, or a day; of an opt-out now when empty
	Source  string `json:"source,omitempty"` // SourceImport when empty
	Proof   string `json:"proof,omitempty"`  // where an opt-in can be looked up
}

// The outcomes of a row.
const (
	Taken   = "taken"   // it is what holds from now on
	History = "history" // it is kept, and something newer holds; or it had been kept before
	Refused = "refused"
)

// RowResult is what became, or would become, of a row. It holds no address.
type RowResult struct {
	Number  int    `json:"number"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"` // of what was refused
}

// Holds is what may be sent to an address on a channel.
type Holds struct {
	Channel canonical.Channel `json:"channel"`
	Purpose string            `json:"purpose"`
	Verdict Verdict           `json:"verdict"`
	Why     string            `json:"why"`
	Since   time.Time         `json:"since,omitzero"`
}

// Known is what is held of one address, by its digest.
type Known struct {
	Address string `json:"address"`
	Marks   Ledger `json:"marks"`
}

// Result is what became of a Request.
type Result struct {
	Problems []string    `json:"problems,omitempty"` // why it was refused
	Rows     []RowResult `json:"rows,omitempty"`
	Digest   string      `json:"digest,omitempty"` // of the address that is shown
	Holds    []Holds     `json:"holds,omitempty"`
	Evidence []Entry     `json:"evidence,omitempty"`
	Known    []Known     `json:"known,omitempty"`
	// Providers are what the provider of each line knows of what holds there, of the address that is shown: where it knows nothing it still sends.
	Providers []Knowledge `json:"providers,omitempty"`
	Next      string      `json:"next,omitempty"` // there is more
}
