package tenant

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"

	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/rules"
	"signalbox/shared/secret"
	"signalbox/shared/store"
)

// documentFormat is raised when a document can no longer be read by the release before.
const documentFormat = 1

// document is what the current record and every version hold.
type document struct {
	Format    int             `json:"format"`
	Version   int             `json:"version"`
	Releasing []claim         `json:"releasing,omitempty"` // claims that this version gives up and may not have removed yet
	Content   Content[[]byte] `json:"content"`
	open      *File           // with the credentials opened, filled by openDocument
}

// lineID is how messages name a line.
type lineID struct{ account, address string }

// config is a configuration ready to be looked up in.
type config struct {
	recordVersion int64
	tenant        Tenant
	accounts      map[string]Account
	lines         map[lineID]Line
}

// openDocument reads a document and opens its credentials. The error is errInvalid when it never will be read.
func openDocument(ctx context.Context, opener Opener, tenant string, data []byte) (*document, error) {
	var d document
	if err := json.Unmarshal(data, &d); err != nil || d.Format != documentFormat || d.Version < 1 || d.Content.Tenant.ID != tenant {
		return nil, errInvalid
	}
	content, err := convert(d.Content, opening(ctx, opener, tenant))
	if err != nil {
		return nil, permanently(err)
	}
	d.open = &content
	return &d, nil
}

// decodeDocument reads the record of a configuration, with its credentials sealed. Of a tenant that is not configured it is empty.
func decodeDocument(r store.Record) (d document, err error) {
	if r.Version == 0 {
		return d, nil
	}
	if err := json.Unmarshal(r.Data, &d); err != nil || d.Format != documentFormat {
		return document{}, errInvalid
	}
	return d, nil
}

// opening opens the credentials of an owner.
func opening(ctx context.Context, opener Opener, owner string) func(place string, sealed []byte) (secret.Value, error) {
	return func(place string, sealed []byte) (secret.Value, error) {
		if len(sealed) == 0 {
			return "", nil
		}
		plain, err := opener.Open(ctx, binding(owner), sealed, []byte(place))
		return secret.Value(plain), err
	}
}

// sealing seals the credentials of an owner.
func sealing(ctx context.Context, box Box, owner string) func(place string, value secret.Value) ([]byte, error) {
	return func(place string, value secret.Value) ([]byte, error) {
		if value == "" {
			return nil, nil
		}
		return box.Seal(ctx, binding(owner), []byte(value), []byte(place))
	}
}

// permanently returns errInvalid for a credential that never will be opened: it is damaged, or its wrapped key is.
func permanently(err error) error {
	if errors.Is(err, keyring.ErrMalformed) || err != nil && fault.Of(err).Kind == fault.Permanent {
		return errInvalid
	}
	return err
}

// open makes a current record ready to be looked up in.
func open(ctx context.Context, opener Opener, tenant string, record store.Record) (*config, error) {
	d, err := openDocument(ctx, opener, tenant, record.Data)
	if err != nil {
		return nil, err
	}
	c := &config{
		recordVersion: record.Version,
		tenant: Tenant{
			ID: tenant, Name: d.open.Tenant.Name, Region: d.open.Tenant.Region, Zone: d.open.Tenant.Zone, RawVendor: cmp.Or(d.open.Tenant.RawVendor, RawVendorRedacted), Version: d.Version,
			CRMs: d.open.Tenant.CRMs, Rules: rules.Default(), Consent: consentPolicy(d.Content), Answers: map[string]Answers{},
			Timeline: d.open.Tenant.Timeline.over(DefaultTimeline()),
		},
		accounts: map[string]Account{},
		lines:    map[lineID]Line{},
	}
	if d.open.Tenant.Rules != nil {
		c.tenant.Rules = *d.open.Tenant.Rules
	}
	if d.open.Tenant.Leads != nil {
		c.tenant.Leads = *d.open.Tenant.Leads
	}
	for i, crm := range c.tenant.CRMs {
		if crm.Settings == nil { // connectors read an object
			c.tenant.CRMs[i].Settings = json.RawMessage("{}")
		}
	}
	tells := map[string]bool{}
	for _, a := range d.open.Accounts {
		c.accounts[a.ID], tells[a.ID] = newAccount(tenant, a), a.ConsentURL != ""
	}
	for _, l := range d.open.Lines {
		line := Line{
			ID: l.ID, TenantID: tenant, AccountID: l.Account, Address: l.Address, Channels: l.Channels, RawVendor: c.tenant.RawVendor,
			Tells:    tells[l.Account],
			Timeline: l.Timeline.over(c.tenant.Timeline),
		}
		if l.Leads != nil {
			line.Leads = *l.Leads
		}
		c.lines[lineID{l.Account, l.Address}] = line
		c.tenant.Lines = append(c.tenant.Lines, line)
		c.tenant.Answers[l.ID] = l.Answers
		c.tenant.Channels = append(c.tenant.Channels, l.Channels...)
	}
	slices.Sort(c.tenant.Channels)
	c.tenant.Channels = slices.Compact(c.tenant.Channels)
	return c, nil
}

// newAccount returns an account as functions see it.
func newAccount(owner string, a AccountContent[secret.Value]) Account {
	account := Account{
		ID: a.ID, TenantID: owner, Provider: a.Provider, ProviderAccount: a.ProviderAccount, AuthTokens: secret.Versions{a.AuthToken},
		APIToken: cmp.Or(a.APIToken, a.AuthToken), APIURL: a.APIURL, ConsentURL: a.ConsentURL,
	}
	if a.PreviousAuthToken != "" {
		account.AuthTokens = append(account.AuthTokens, a.PreviousAuthToken)
	}
	account.HandshakeTokens = account.AuthTokens
	if a.HandshakeToken != "" {
		account.HandshakeTokens = secret.Versions{a.HandshakeToken}
	}
	return account
}
