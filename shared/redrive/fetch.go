package redrive

import "time"

// What a provider is asked for: what never reached us, which counts as if it had; or what was said before anything reached us, which makes no
// leads and tells nobody.
const (
	Backfill = "backfill"
	Import   = "import"
)

// FetchRequest asks a channel's reparse function for a span of an account's time, by one of these actions. Asked again it goes on where it was.
type FetchRequest struct {
	Common            // its Tenant is the account's
	Account string    `json:"account,omitempty"`
	From    time.Time `json:"from,omitzero"`
	To      time.Time `json:"to,omitzero"` // not this instant any more
}

// Fetched is how far that is.
type Fetched struct {
	At      time.Time `json:"at"`               // everything before it is done
	Found   int       `json:"found"`            // webhooks that the provider would have sent
	Missing int       `json:"missing"`          // events of them that had not come, and now have
	Unused  int       `json:"unused,omitempty"` // webhooks that are of no line, or cannot be used for another reason
	Done    bool      `json:"done,omitempty"`
}

// NoAction is the problem of a request for what a function does not do.
const NoAction = "action is not one that this function has"

// NoAccount is the problem of a request for an account that the provider of the function does not have.
const NoAccount = "there is no such account at the provider of this function"
