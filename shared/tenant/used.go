package tenant

import (
	"context"
	"encoding/json"
	"fmt"

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
				if users := to[name]; len(users) == 0 || users[len(users)-1] != listed.Sort {
					to[name] = append(users, listed.Sort)
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

// readCurrent reads the configuration in force, with its credentials sealed. Of a tenant that is not configured it is empty.
func readCurrent(ctx context.Context, records Records, tenant string) (d document, err error) {
	found, err := records.Get(ctx, currentKey(tenant))
	if err != nil || found[0].Version == 0 {
		return d, err
	}
	if err := json.Unmarshal(found[0].Data, &d); err != nil || d.Format != documentFormat {
		return document{}, errInvalid
	}
	return d, nil
}
