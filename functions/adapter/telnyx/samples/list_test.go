package samples

import (
	"net/http"
	"testing"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/adaptertest"
	"signalbox/functions/adapter/telnyx"
	"signalbox/shared/tenant"
)

func TestFetcher(t *testing.T) {
	adaptertest.RunFetcher(t, adaptertest.Asked{
		Samples: Channel{},
		Fetcher: func(c *http.Client) adapter.Fetcher { return telnyx.NewFetcher(c) },
		Account: tenant.Account{ID: "demo-telnyx", TenantID: "demo", Provider: telnyx.Provider, ProviderAccount: "b448f9cc-a842-4784-98e9-03c1a5872900"},
		Line:    "+15557654327",
	})
}
