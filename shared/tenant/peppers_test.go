package tenant_test

import (
	"context"
	"strings"
	"testing"

	"signalbox/shared/canonical"
	"signalbox/shared/secret"
	"signalbox/shared/tenant"
)

// platform is the platform's secret with its versions.
type platform secret.Versions

func (p platform) Secret(context.Context, string) (secret.Versions, error) {
	return secret.Versions(p), nil
}

func TestASecondPepperChangesNoThreadAndNoPerson(t *testing.T) {
	ids := func(p platform, who string) (canonical.ThreadID, string) {
		pepper, err := tenant.NewPeppers(p, "pepper").Pepper(t.Context(), who)
		if err != nil {
			t.Fatal(err)
		}
		return canonical.NewThreadID(pepper, "+15550001111"), canonical.PersonKey(pepper, "+15550001111")
	}
	thread, person := ids(platform{"first"}, "demo")
	if !strings.HasPrefix(string(thread), "t1_") {
		t.Errorf("thread %q does not say which pepper made it", thread)
	}
	if after, who := ids(platform{"first", "second"}, "demo"); after != thread || who != person {
		t.Error("a second version changed what the first had made")
	}
	if other, who := ids(platform{"second"}, "demo"); other == thread || who == person {
		t.Error("another pepper makes the same ids")
	}
	if other, _ := ids(platform{"first"}, "other"); other == thread {
		t.Error("two tenants share a pepper")
	}
}
