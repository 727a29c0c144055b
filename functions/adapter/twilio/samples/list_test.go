package samples

import (
	"net/http"
	"testing"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/adaptertest"
	"signalbox/functions/adapter/twilio"
	"signalbox/shared/tenant"
)

func TestFetcher(t *testing.T) {
	adaptertest.RunFetcher(t, adaptertest.Asked{
		Samples: Channel{},
		Fetcher: func(c *http.Client) adapter.Fetcher { return twilio.NewFetcher(c) },
		Account: tenant.Account{ID: "demo-twilio", TenantID: "demo", Provider: twilio.Provider, ProviderAccount: "AC00000000000000000000000000000de0"},
		Line:    "+15557654321",
	})
}
