package samples

import (
	"net/http"
	"testing"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/adaptertest"
	"signalbox/functions/adapter/bird"
	"signalbox/shared/tenant"
)

func TestFetcher(t *testing.T) {
	adaptertest.RunFetcher(t, adaptertest.Asked{
		Samples: Channel{},
		Fetcher: func(c *http.Client) adapter.Fetcher { return bird.NewFetcher(c) },
		Account: tenant.Account{ID: "demo-bird", TenantID: "demo", Provider: bird.Provider, ProviderAccount: "8f0c1d2e-0000-4000-8000-0000000000de"},
		Line:    "8f0c1d2e-0002-4000-8000-000000000002",
	})
}
