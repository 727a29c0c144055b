package hubspot_test

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector/hubspot"
	"signalbox/shared/keyring"
	"signalbox/shared/keyring/memkeys"
	"signalbox/shared/secret"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

type pepper struct{}

func (pepper) Secret(context.Context, string) (secret.Versions, error) {
	return secret.Versions{"pepper"}, nil
}

// TestATokenIsRotatedWhileBothLive: HubSpot lets a private app's old token live for days beside the new one, so that a process that
// still holds the old configuration gets through. It takes the new one once that is no longer fresh.
func TestATokenIsRotatedWhileBothLive(t *testing.T) {
	data, err := os.ReadFile("../../../events/tenants/demo.json")
	if err != nil {
		t.Fatal(err)
	}
	file, err := tenant.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		config, box := memstore.New(), keyring.NewBox(memkeys.New(), rand.NewChaCha8([32]byte{}))
		directory := tenant.NewDirectory(config, box, slog.New(slog.DiscardHandler), telemetry.NewMeter(io.Discard, telemetry.Identity{}))
		bindings := hubspot.NewTenantBindings(directory)
		for _, token := range []secret.Value{"the-old-token", "the-new-token"} {
			for i := range file.Tenant.CRMs {
				if file.Tenant.CRMs[i].Kind == hubspot.Kind {
					file.Tenant.CRMs[i].Token = token
				}
			}
			if _, err := tenant.Publish(t.Context(), config, box, tenant.NewPeppers(pepper{}, "pepper"), file); err != nil {
				t.Fatal(err)
			}
			time.Sleep(tenant.Fresh + time.Second)
			b, err := bindings.Binding(t.Context(), "demo", hubspot.Kind)
			if err != nil || b.Token != token {
				t.Errorf("the token is not %q, %v", string(token), err)
			}
		}
	})
}
