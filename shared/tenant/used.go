package tenant

import (
	"context"
	"fmt"
	"slices"

	"signalbox/shared/store"
)

// Listing is what Used reads from.
type Listing interface {
	Records
	List(ctx context.Context, r store.Range) (page []store.Record, more bool, err error)
}

// Used returns which tenants use each kind of CRM and each provider, as the configurations in force have it. It reads no
// credentials. A configuration that cannot be read is an error: nobody knows what it uses.
func Used(ctx context.Context, records Listing) (crms, providers map[string][]string, err error) {
	crms, providers = map[string][]string{}, map[string][]string{}
	if err := usedByAccounts(ctx, records, providers); err != nil {
		return nil, nil, err
	}
	for page, err := range store.Pages(ctx, records, store.Range{Partition: listKey("").Partition}) {
		if err != nil {
			return nil, nil, err
		}
		for _, listed := range page {
			d, err := readCurrent(ctx, records, listed.Sort)
			if err != nil {
				return nil, nil, fmt.Errorf("the configuration of the tenant %s: %w", listed.Sort, err)
			}
			add := func(to map[string][]string, name string) {
				if !slices.Contains(to[name], listed.Sort) {
					to[name] = append(to[name], listed.Sort)
				}
			}
			for _, m := range d.Content.Tenant.CRMs {
				add(crms, m.Kind)
			}
			for _, a := range d.Content.Accounts {
				add(providers, a.Provider)
			}
		}
	}
	return crms, providers, nil
}

// usedByAccounts adds the owners of accounts with files of their own.
func usedByAccounts(ctx context.Context, records Listing, providers map[string][]string) error {
	for page, err := range store.Pages(ctx, records, store.Range{Partition: accountsKey("").Partition}) {
		if err != nil {
			return err
		}
		for _, listed := range page {
			found, err := records.Get(ctx, accountKey(listed.Sort))
			if err != nil {
				return err
			}
			o, err := holder(found[0])
			if err != nil {
				return fmt.Errorf("the configuration of the account %s: %w", listed.Sort, err)
			}
			if o.Shared == nil {
				continue
			}
			if at := o.Shared.Content; !slices.Contains(providers[at.Account.Provider], at.Owner) {
				providers[at.Account.Provider] = append(providers[at.Account.Provider], at.Owner)
			}
		}
	}
	return nil
}

// readCurrent reads the configuration in force, with its credentials sealed. Of a tenant that is not configured it is empty.
func readCurrent(ctx context.Context, records Records, tenant string) (d document, err error) {
	found, err := records.Get(ctx, currentKey(tenant))
	if err != nil {
		return d, err
	}
	return decodeDocument(found[0])
}
