package salesforce

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
)

// Binding is one org as a tenant set it up.
type Binding struct {
	BaseURL      string       // the org's My Domain, without a slash at the end
	Version      string       // of the API, e.g. v66.0; empty is Version
	LoginURL     string       // where sessions are asked for; empty is BaseURL
	Audience     string       // of assertions; empty is login.salesforce.com, or test.salesforce.com for a sandbox's My Domain
	ClientID     string       // the consumer key of the external client app
	Username     string       // the integration user's, who has approved the app
	Key          secret.Value // the app's RSA private key, in PEM
	OrgID        string       // the org that sessions are to be of, in 15 or 18 characters; empty is any
	Package      int          // the release of package/ that is deployed; what came with a later one is not written. 0 is 1
	Capabilities Capabilities
	Settings     json.RawMessage   // as the tenant has them: Connect compares the mapping in them with the org
	Work         []delivery.Action // that the tenant's rules ask for: Connect compares it, too
}

// The releases of package/, by what they brought.
const (
	releaseOrigins       = 2 // where the person came from: the address of who has no phone, and the advertisement
	releaseConversations = 3
	releaseReasons       = 4 // why a message did not arrive
	releaseWork          = 5 // what work needs that rules ask for: a status' time, and the key of cases

	Package = releaseWork // the newest
)

// Capabilities are what not every org has or wants.
type Capabilities struct {
	Leads           bool // new persons become leads; otherwise contacts
	Tasks           bool // messages become tasks, too
	TaskUpsert      bool // the tasks' key is an external id; otherwise they are created by looking before writing
	AllowDuplicates bool // leads are saved although a duplicate rule warns
	AssignLeads     bool // new leads are given out by the org's active assignment rule
	SalesEngagement bool // a reply ends the person's running cadences
	CountryCodes    bool // addresses have codes of countries: State and Country/Territory Picklists are on
}

// Version is the version of the API that is used where a binding names none.
const Version = "v66.0"

var versionName = regexp.MustCompile(`^v[5-9][0-9]\.0$`)

// The audiences of assertions.
const (
	audienceProduction = "https://login.salesforce.com"
	audienceSandbox    = "https://test.salesforce.com"
)

// check fills the defaults in and returns a blocked fault for what cannot work.
func (b Binding) check() (Binding, error) {
	if b.Version == "" {
		b.Version = Version
	}
	if b.LoginURL == "" {
		b.LoginURL = b.BaseURL
	}
	if b.Audience == "" {
		b.Audience = audienceProduction
		if u, err := url.Parse(b.BaseURL); err == nil && strings.Contains(u.Hostname(), ".sandbox.") || b.LoginURL == audienceSandbox {
			b.Audience = audienceSandbox
		}
	}
	switch {
	case !connector.IsOrigin(b.BaseURL):
		return b, fault.New(fault.Blocked, "salesforce_base_url_invalid", nil)
	case !connector.IsOrigin(b.LoginURL):
		return b, fault.New(fault.Blocked, "salesforce_login_url_invalid", nil)
	case !versionName.MatchString(b.Version):
		return b, fault.New(fault.Blocked, "salesforce_version_unknown", nil)
	case b.Key == "" || b.ClientID == "" || b.Username == "":
		return b, fault.New(fault.Blocked, "salesforce_credentials_missing", nil)
	}
	return b, nil
}

// fingerprint names the credentials: a session that others asked for is of no use under new ones.
func (b Binding) fingerprint() string {
	parts := []string{b.BaseURL, b.LoginURL, b.Audience, b.ClientID, b.Username, string(b.Key)}
	if b.OrgID != "" {
		parts = append(parts, b.OrgID)
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}
