package samples

import (
	"net/http"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/secret"
)

// Channel is what has to be known of a channel to send what its provider sends. Its implementation is in the channel's own folder.
type Channel interface {
	// Sign returns the headers with which the provider sends a body to a URL.
	Sign(to string, body []byte, token secret.Value, at time.Time) http.Header
	// Identify returns what a body is about; zero for what is none of the channel's.
	Identify(body []byte) Identity
	// New returns a sample for a load, and false if the provider sends none of its kind.
	New(l Load) (Sample, bool)
}

// Wrapper is a Channel whose provider sends what a sample says inside something else.
type Wrapper interface {
	// Wrap returns the body that is sent.
	Wrap(said []byte) []byte
}

// Lister is a Channel whose provider can be asked for what was said.
type Lister interface {
	// Lists returns the provider's API as a program meets it, in pages of two, with what was said to an account by SMS, and the token that it takes.
	Lists(account string, said []Said) (api http.Handler, token string)
}

// Teller is a Channel whose provider can be told who may be written to.
type Teller interface {
	// Consents returns the provider's API as a program meets it, called with the account's token, and what it knows of a person and a line of ours:
	// consent.OptedOut, consent.OptedIn or "".
	Consents(account, token string) (api http.Handler, state func(person, line string) string)
}

// Said is a message of a person.
type Said struct {
	ID, From, To, Text string
	At                 time.Time
}

// AccountSigner is a Channel whose provider's signature names the account.
type AccountSigner interface {
	// SignFor returns the headers with which the provider sends a body of an account's to a URL.
	SignFor(account Account, to string, body []byte, at time.Time) http.Header
}

// Identity says what a webhook is about.
type Identity struct {
	ID        string // what the sender calls the message
	Kind, Key string // what the id of its event is made of
	Text      string // of a message: its words
	Asks      string // the phone of the person an outreach was sent to
}

// Kinds of a Load.
const (
	Message  = "message"  // a person's
	Answer   = "answer"   // what somebody of ours wrote to a person, Name, as a program of ours tells it
	Status   = "status"   // how far a message of ours got
	Outreach = "outreach" // something we sent to a person that waits for an answer
	Refused  = "refused"  // a message of ours failed because the person had opted out
)

// Load says which sample to make.
type Load struct {
	Kind    string
	Account Account   // the Client's to fill; an ID chooses one of its accounts
	Number  string    // what the message is called: of a message and a status 32 hexadecimal digits
	Person  string    // phone
	Line    string    // of ours, "" for the account's first number
	Text    string    // of a message; of a status its state
	Sent    time.Time // of an outreach; of Refused when it was found out, of others when it happened, if the provider tells

	Channel canonical.Channel // of a message; "" is SMS
	User    string            // of a message: what the channel knows the sender by beside the phone, or where Person is "" in its place
	Name    string            // of a message and an answer: what its sender calls themselves, where the channel tells
	Media   string            // of a message: the address of one medium
	Problem string            // of a status: the provider's code of what went wrong
	Of      MessageOf         // of an outreach and an answer: which message of another account it is
}

// MessageOf names a message of an account.
type MessageOf struct {
	Provider string `json:"provider"`
	Account  string `json:"account"`
	ID       string `json:"id"`
}
