package dynamics

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strings"

	"signalbox/functions/connector"
	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/secret"
	"signalbox/shared/tenant"
)

// Kind is what tenant.CRM.Kind says of a binding that this connector serves.
const Kind = "dynamics"

// Version is the version of the API that is used where a binding names none.
const Version = "v9.2"

// login is where access tokens are given, except in sovereign clouds.
const login = "https://login.microsoftonline.com"

// Binding is one environment as a tenant set it up.
type Binding struct {
	BaseURL   string       // https://<name>.<region>.dynamics.com, without a slash at the end
	Version   string       // of the API; empty is Version
	LoginURL  string       // where access tokens are given; empty is that of the public cloud
	Directory string       // the Entra directory (tenant) of the app, a GUID or a domain
	ClientID  string       // the app's, of whom the environment has an application user
	Secret    secret.Value // the app's client secret
	Contacts  bool         // new persons become contacts, and no leads are looked for: an environment may have none

	Settings json.RawMessage   // as the tenant has them: Connect compares the mapping in them with the environment
	Work     []delivery.Action // that the tenant's rules ask for: Connect compares it with the environment
}

var (
	versionName   = regexp.MustCompile(`^v9\.[0-9]$`)
	directoryName = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.-]{0,127}$`)
)

// check fills the defaults in and returns a blocked fault for what cannot work.
func (b Binding) check() (Binding, error) {
	b.Version, b.LoginURL = cmp.Or(b.Version, Version), cmp.Or(b.LoginURL, login)
	switch {
	case !connector.IsOrigin(b.BaseURL):
		return b, fault.New(fault.Blocked, "dynamics_base_url_invalid", nil)
	case !connector.IsOrigin(b.LoginURL):
		return b, fault.New(fault.Blocked, "dynamics_login_url_invalid", nil)
	case !versionName.MatchString(b.Version):
		return b, fault.New(fault.Blocked, "dynamics_version_unknown", nil)
	case !directoryName.MatchString(b.Directory) || b.ClientID == "" || b.Secret == "":
		return b, fault.New(fault.Blocked, "dynamics_credentials_missing", nil)
	}
	return b, nil
}

// fingerprint names the credentials: a token that was given for others is of no use.
func (b Binding) fingerprint() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{b.BaseURL, b.LoginURL, b.Directory, b.ClientID, string(b.Secret)}, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// Settings is the JSON object in tenant.CRM.Settings. TenantID and ClientID are required. Unknown members are ignored. The binding's token is
// the client secret.
type Settings struct {
	TenantID string `json:"tenantId"` // the Entra directory
	ClientID string `json:"clientId"`
	LoginURL string `json:"loginUrl"`
	Leads    *bool  `json:"leads"` // false: new persons become contacts, and no leads are looked for
}

// NewTenantBindings returns the bindings that tenants have configured.
func NewTenantBindings(tenants connector.Tenants) *connector.TenantBindings[Settings, Binding] {
	return connector.NewTenantBindings(Kind, tenants, func(crm tenant.CRM, s Settings, work []delivery.Action) Binding {
		return Binding{
			BaseURL: crm.BaseURL, Version: crm.APIVersion, LoginURL: s.LoginURL, Directory: s.TenantID, ClientID: s.ClientID, Secret: crm.Token,
			Contacts: s.Leads != nil && !*s.Leads, Settings: crm.Settings, Work: work,
		}
	})
}
