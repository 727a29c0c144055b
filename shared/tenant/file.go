package tenant

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"signalbox/shared/canonical"
	"signalbox/shared/rules"
	"signalbox/shared/secret"
)

// File is a tenant's configuration as a person writes it, with its credentials in the clear. It prints and encodes without
// them.
type File = Content[secret.Value]

// Content is a tenant's configuration with its credentials as S: in the clear, or sealed.
type Content[S any] struct {
	Tenant   About[S]            `json:"tenant"`
	Accounts []AccountContent[S] `json:"accounts"`
	Lines    []LineContent       `json:"lines"`
}

// About is the tenant itself.
type About[S any] struct {
	ID        string           `json:"id"` // lower-case letters, digits, hyphens
	Name      string           `json:"name"`
	Region    string           `json:"region"`              // ISO 3166 alpha-2
	Zone      string           `json:"zone,omitempty"`      // of the IANA database; UTC when left out
	RawVendor RawVendor        `json:"rawVendor,omitempty"` // "redacted" when left out
	CRMs      []CRMContent[S]  `json:"crms"`
	Rules     *rules.Set       `json:"rules,omitempty"` // rules.Default when left out
	Leads     *Leads           `json:"leads,omitempty"`
	Consent   *ConsentContent  `json:"consent,omitempty"` // consent.DefaultPolicy where something is left out
	Timeline  *TimelineContent `json:"timeline,omitempty"`
}

// ConsentContent is how what persons said is read.
type ConsentContent struct {
	Scope     string                `json:"scope,omitempty"`     // which lines a stop closes: tenant, brand, line
	Families  [][]canonical.Channel `json:"families,omitzero"`   // channels that are closed and opened together
	RevokeAll string                `json:"revokeAll,omitempty"` // a day: a stop since then closes every line
}

// CRMContent is a binding to one CRM.
type CRMContent[S any] struct {
	Name       string          `json:"name"`               // the tenant's word for it, unique with the tenant
	Kind       string          `json:"kind"`               // which connector serves it: the name of its folder
	BaseURL    string          `json:"baseUrl"`            // without a slash at the end
	APIVersion string          `json:"apiVersion"`         // the CRM's own notation
	Token      S               `json:"token"`              // what requests are authorised with
	Settings   json.RawMessage `json:"settings,omitempty"` // an object that only the connector understands; no credentials
	Tiers      Tiers           `json:"tiers,omitzero"`
	Limits     Limits          `json:"limits,omitzero"`
}

// Limits are how many requests we may make to a CRM, beside what the CRM itself allows. Zero is as many as that.
type Limits struct {
	Daily  int64 `json:"daily,omitempty"` // from midnight to midnight in the tenant's zone
	Window struct {
		Requests int64 `json:"requests"`
		Seconds  int64 `json:"seconds"`
	} `json:"window,omitzero"`
}

// AccountContent is credentials at one provider.
type AccountContent[S any] struct {
	ID                string `json:"id"` // what webhook URLs name
	Provider          string `json:"provider"`
	ProviderAccount   string `json:"providerAccount"`
	AuthToken         S      `json:"authToken"`
	PreviousAuthToken S      `json:"previousAuthToken,omitempty"` // accepted too, while the token is being changed
	HandshakeToken    S      `json:"handshakeToken,omitempty"`    // what the provider names when it asks whether a URL is ours, where that is no auth token
	APIToken          S      `json:"apiToken,omitempty"`          // what the provider's API is called with, where that is no auth token
	APIURL            string `json:"apiUrl,omitempty"`            // where that is, if it may be asked for what never came; without a slash at the end
	ConsentURL        string `json:"consentUrl,omitempty"`        // where the provider is told what people said of being written to, if it is; the same
}

// LineContent is an address of ours.
type LineContent struct {
	ID       string              `json:"id"`
	Account  string              `json:"account"` // the id of an account in this file, or of one with a file of its own that names the tenant
	Address  string              `json:"address"` // as the provider writes it
	Channels []canonical.Channel `json:"channels"`
	Leads    *LineLeads          `json:"leads,omitempty"`
	Brand    string              `json:"brand,omitempty"`
	Answers  Answers             `json:"answers,omitzero"`
	Timeline *TimelineContent    `json:"timeline,omitempty"`
}

// Problem is one thing that is wrong with a file. Neither field holds a value of the file.
type Problem struct {
	Path   string `json:"path"` // e.g. tenant.crms[0].baseUrl
	Reason string `json:"reason"`
}

// InvalidError is a file that was refused, with everything that is wrong with it.
type InvalidError struct{ Problems []Problem }

// Error lists the problems.
func (e *InvalidError) Error() string {
	var b strings.Builder
	b.WriteString("the tenant file is refused")
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "; %s %s", p.Path, p.Reason)
	}
	return b.String()
}

func invalid(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return &InvalidError{problems}
}

// convert changes how every credential is kept. Place says where one belongs: it is authenticated with the sealed value.
func convert[S, T any](c Content[S], change func(place string, value S) (T, error)) (Content[T], error) {
	out := Content[T]{
		Tenant: About[T]{
			ID: c.Tenant.ID, Name: c.Tenant.Name, Region: c.Tenant.Region, RawVendor: c.Tenant.RawVendor, Rules: c.Tenant.Rules,
			Zone: c.Tenant.Zone, Leads: c.Tenant.Leads,
			Consent: c.Tenant.Consent, Timeline: c.Tenant.Timeline,
		},
		Lines: c.Lines,
	}
	var failed error
	convertOne := func(place string, value S) T {
		changed, err := change(place, value)
		if err != nil && failed == nil {
			failed = err
		}
		return changed
	}
	for _, m := range c.Tenant.CRMs {
		out.Tenant.CRMs = append(out.Tenant.CRMs, CRMContent[T]{
			Name: m.Name, Kind: m.Kind, BaseURL: m.BaseURL, APIVersion: m.APIVersion, Settings: m.Settings, Tiers: m.Tiers, Limits: m.Limits,
			Token: convertOne("crm/"+m.Name+"/token", m.Token),
		})
	}
	for _, a := range c.Accounts {
		account, err := convertAccount(a, change)
		if out.Accounts = append(out.Accounts, account); err != nil && failed == nil {
			failed = err
		}
	}
	return out, failed
}

// token is a credential of an account and its name in the file.
type token struct {
	name  string
	value secret.Value
}

// tokens returns the credentials that an account has.
func tokens(a AccountContent[secret.Value]) []token {
	all := []token{
		{"authToken", a.AuthToken}, {"previousAuthToken", a.PreviousAuthToken}, {"handshakeToken", a.HandshakeToken}, {"apiToken", a.APIToken},
	}
	return slices.DeleteFunc(all, func(t token) bool { return t.value == "" })
}
