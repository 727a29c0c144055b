package samples

import (
	"net/http"
	"testing"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/adaptertest"
	"signalbox/functions/adapter/sinch"
	"signalbox/shared/tenant"
)

func TestFetcher(t *testing.T) {
	adaptertest.RunFetcher(t, adaptertest.Asked{
		Samples: Channel{},
		Fetcher: func(c *http.Client) adapter.Fetcher { return sinch.NewFetcher(c) },
		Account: tenant.Account{ID: "demo-sinch", TenantID: "demo", Provider: sinch.Provider, ProviderAccount: "01HDEMOAPP0000000000000000"},
		Line:    "+15557654331",
	})
}
