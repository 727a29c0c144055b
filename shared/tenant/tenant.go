// Package tenant is a tenant's configuration: the file it is written in, how it is published, and the cached reader that
// every function looks tenants, accounts and lines up with. A tenant's whole configuration is one record, so that a change
// is in force completely or not at all; credentials in it are sealed.
package tenant

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/keyring"
	"signalbox/shared/rules"
	"signalbox/shared/secret"
	"signalbox/shared/store"
)

// ErrUnknown is an account, line or tenant that no configuration in force names.
var ErrUnknown = errors.New("tenant: not known")

// ErrUnserved is a line that serves other channels than the one asked for.
var ErrUnserved = errors.New("tenant: the line does not serve the channel")

// Tenant is a customer of this deployment, as functions see it.
type Tenant struct {
	ID        string
	Name      string
	Region    string // ISO 3166 alpha-2: what national numbers are read with
	Zone      string // of the IANA database; "" is UTC
	RawVendor RawVendor
	CRMs      []CRM
	Rules     rules.Set
	Lines     []Line
	Leads     Leads
	Consent   consent.Policy
	Timeline  Timeline            // of lines that have none
	Answers   map[string]Answers  // by the id of a line
	Channels  []canonical.Channel // of its lines, in byte order
	Version   int                 // of the configuration, from 1
}

// ClosedWith returns the channels that a change of consent on one concerns, itself among them: those that the tenant has.
func (t Tenant) ClosedWith(c canonical.Channel) []canonical.Channel {
	return slices.DeleteFunc(slices.Sorted(slices.Values(t.Consent.Family(c))), func(other canonical.Channel) bool {
		return other != c && !slices.Contains(t.Channels, other)
	})
}

// Answerer is who replies to a person that asks for help or to be left alone.
type Answerer string

// The answerers.
const (
	Provider Answerer = "provider"
	Us       Answerer = "us"
	Nobody   Answerer = "nobody"
)

// Answers is who replies on a line. What is empty is not known: the provider's word tells whether it did.
type Answers struct {
	Stop Answerer `json:"stop,omitempty"`
	Help Answerer `json:"help,omitempty"`
}

// RawVendor is how much of what a provider sent is kept with an event.
type RawVendor string

// The policies. RawVendorRedacted is the default.
const (
	RawVendorNone     RawVendor = "none"
	RawVendorRedacted RawVendor = "redacted"
	RawVendorFull     RawVendor = "full"
)

// CRM is a tenant's binding to one CRM, as its file has it.
type CRM = CRMContent[secret.Value]

// CRM returns the binding of this name.
func (t Tenant) CRM(name string) (CRM, bool) {
	i := slices.IndexFunc(t.CRMs, func(c CRM) bool { return c.Name == name })
	if i < 0 {
		return CRM{}, false
	}
	return t.CRMs[i], true
}

// CRMNames returns the names of the bindings, in their order.
func (t Tenant) CRMNames() []string {
	names := make([]string, len(t.CRMs))
	for i, c := range t.CRMs {
		names[i] = c.Name
	}
	return names
}

// Line returns the line of this id.
func (t Tenant) Line(id string) (Line, bool) {
	i := slices.IndexFunc(t.Lines, func(l Line) bool { return l.ID == id })
	if i < 0 {
		return Line{}, false
	}
	return t.Lines[i], true
}

// MainLine returns the first of the tenant's lines that has the address of one, by their ids: to a person they are one line, whichever
// account tells of it.
func (t Tenant) MainLine(id string) string {
	own, _ := t.Line(id)
	for _, l := range t.Lines {
		if own.Address != "" && bare(l.Address) == bare(own.Address) {
			return l.ID
		}
	}
	return id
}

// HasLine reports whether an address, with or without the prefix of its channel, is that of one of the tenant's lines.
func (t Tenant) HasLine(address string) bool {
	return address != "" && slices.ContainsFunc(t.Lines, func(l Line) bool { return bare(l.Address) == bare(address) })
}

// bare returns an address without the prefix of its channel.
func bare(address string) string {
	if _, rest, prefixed := strings.Cut(address, ":"); prefixed {
		return rest
	}
	return address
}

// Account is credentials at one provider. Its lines may be of several tenants.
type Account struct {
	ID              string
	TenantID        string          // whose file it is in, or the owner that its own file names
	Provider        string          // the channel that serves it
	ProviderAccount string          // the provider's own name for it, e.g. an AccountSid
	AuthTokens      secret.Versions // the current one, then the previous one while both are accepted
	HandshakeTokens secret.Versions // what the provider names when it asks whether a URL is ours: AuthTokens where it has nothing of its own
	APIToken        secret.Value    // what the provider's API is called with: the current one of AuthTokens where it has nothing of its own
	APIURL          string          // where the provider's API is; "" if it is not to be asked for what never came
	ConsentURL      string          // where the provider is told what people said of being written to; "" if it is not
}

// Line is an address of ours at a provider. It belongs to one account.
type Line struct {
	ID        string
	TenantID  string
	AccountID string
	Address   string // as the provider writes it
	Channels  []canonical.Channel
	RawVendor RawVendor // its tenant's
	Leads     LineLeads
	Timeline  Timeline
	Tells     bool // its account's provider is told what people said of being written to
}

// Serves reports whether messages of this channel come to the line.
func (l Line) Serves(channel canonical.Channel) bool {
	return slices.Contains(l.Channels, channel)
}

// Where configuration is kept. The records of accounts, providers' accounts and lines hold their owner: they keep two tenants from naming
// the same one, and lead from an account to its tenant, or from an account of several and an address to the line's.

func accountKey(id string) store.Key {
	return store.Key{Partition: "account/" + id, Sort: "current"}
}

// providerAccountKey returns where it is kept whose a provider's account is: what a tenant's file names is not proof of it, so
// that the first to name one has it.
func providerAccountKey(provider, account string) store.Key {
	sum := sha256.Sum256([]byte(account))
	return store.Key{Partition: "account/" + provider + "/provider-account", Sort: hex.EncodeToString(sum[:])}
}

// signingKey returns where it is kept whose a key is, by its mark.
func signingKey(provider, mark string) store.Key {
	return store.Key{Partition: "account/" + provider + "/signing-key", Sort: mark}
}

func lineKey(provider, address string) store.Key {
	sum := sha256.Sum256([]byte(address))
	return store.Key{Partition: "line/" + provider, Sort: hex.EncodeToString(sum[:])}
}

// accountsKey places an account with a file of its own in the list of them.
func accountsKey(id string) store.Key { return store.Key{Partition: "accounts", Sort: id} }

func currentKey(tenant string) store.Key {
	return store.Key{Partition: tenant + "/config", Sort: "current"}
}

func versionKey(tenant string, version int) store.Key {
	return store.Key{Partition: tenant + "/config", Sort: fmt.Sprintf("v/%010d", version)}
}

func listKey(tenant string) store.Key { return store.Key{Partition: "tenants", Sort: tenant} }

// owner is the data of the record of an account, a provider's account, a signing key or a line: whose it is. It has one member.
type owner struct {
	Tenant  string           `json:"tenant,omitempty"`  // the tenant that has it, by its file
	Account string           `json:"account,omitempty"` // the account that has it, by a file of its own
	Shared  *accountDocument `json:"shared,omitempty"`  // of an account with a file of its own: what that says
}

// binding is what the data key of a tenant's credentials is bound to.
func binding(tenant string) keyring.Binding {
	return keyring.Binding{Tenant: tenant, Purpose: "credentials"}
}
