package tenant

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"

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
	content, err := convert(d.Content, func(place string, sealed []byte) (secret.Value, error) {
		if len(sealed) == 0 {
			return "", nil
		}
		plain, err := opener.Open(ctx, binding(tenant), sealed, []byte(place))
		return secret.Value(plain), err
	})
	switch {
	case errors.Is(err, keyring.ErrMalformed), err != nil && fault.Of(err).Kind == fault.Permanent: // the value, or its wrapped key
		return nil, errInvalid
	case err != nil:
		return nil, err
	}
	d.open = &content
	return &d, nil
}

// sealContent seals every credential.
func sealContent(ctx context.Context, box Box, f File) (Content[[]byte], error) {
	return convert(f, func(place string, value secret.Value) ([]byte, error) {
		if value == "" {
			return nil, nil
		}
		return box.Seal(ctx, binding(f.Tenant.ID), []byte(value), []byte(place))
	})
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
			ID: tenant, Name: d.open.Tenant.Name, Region: d.open.Tenant.Region, RawVendor: cmp.Or(d.open.Tenant.RawVendor, RawVendorRedacted), Version: d.Version,
			CRMs: d.open.Tenant.CRMs, Rules: rules.Default(),
		},
		accounts: map[string]Account{},
		lines:    map[lineID]Line{},
	}
	if d.open.Tenant.Rules != nil {
		c.tenant.Rules = *d.open.Tenant.Rules
	}
	for i, crm := range c.tenant.CRMs {
		if crm.Settings == nil { // connectors read an object
			c.tenant.CRMs[i].Settings = json.RawMessage("{}")
		}
	}
	for _, a := range d.open.Accounts {
		account := Account{
			ID: a.ID, TenantID: tenant, Provider: a.Provider, ProviderAccount: a.ProviderAccount, AuthTokens: secret.Versions{a.AuthToken},
		}
		if a.PreviousAuthToken != "" {
			account.AuthTokens = append(account.AuthTokens, a.PreviousAuthToken)
		}
		c.accounts[a.ID] = account
	}
	for _, l := range d.open.Lines {
		c.lines[lineID{l.Account, l.Address}] = Line{
			ID: l.ID, TenantID: tenant, AccountID: l.Account, Address: l.Address, Channels: l.Channels, RawVendor: c.tenant.RawVendor,
		}
	}
	return c, nil
}

// compact returns JSON without blanks and with the names of objects in order, for comparing and for keeping.
func compact(raw json.RawMessage) json.RawMessage {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return raw
	}
	ordered, err := json.Marshal(value)
	if err != nil {
		return raw
	}
	return ordered
}
