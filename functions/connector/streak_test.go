package connector_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

func TestTwentyPermanentFaultsInARowAreTheTenantsConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(step{Name: "a"})
		code := "no_such_field"
		p.crm.do = func(context.Context, string, step) outcome {
			if code == "" {
				return outcome{}
			}
			return outcome{Err: fault.New(fault.Permanent, code, nil)}
		}
		sent := 0
		processes := []*connector.Connector[string]{p.connector(), p.connector()}
		next := func(process int) string {
			sent++
			time.Sleep(time.Second)
			return words(processes[process].Handle(t.Context(), heads(deliveryOf(fmt.Sprint("e", sent)))))
		}
		expect := func(process, n int, want string) {
			t.Helper()
			for i := range n {
				if got := next(process); got != want {
					t.Fatalf("message %d (%d of %d): %s, want %s", sent, i+1, n, got, want)
				}
			}
		}
		expect(0, 10, "permanent no_such_field")
		expect(1, 9, "permanent no_such_field")
		expect(0, 1, "blocked no_such_field") // the twentieth, whichever process meets it
		expect(1, 3, "blocked no_such_field")
		code = "other"
		expect(0, 2, "permanent other") // another code starts anew
		code = "no_such_field"
		expect(0, 19, "permanent no_such_field")
		expect(0, 1, "blocked no_such_field")
		code = ""
		expect(0, 1, "done") // somebody mended it
		code = "no_such_field"
		expect(0, 19, "permanent no_such_field")
		expect(1, 1, "blocked no_such_field")
		other := deliveryOf("other-tenant")
		other.Event.TenantID = "other"
		if got := words(processes[0].Handle(t.Context(), heads(other))); got != "permanent no_such_field" {
			t.Errorf("another tenant: %s", got)
		}
	})
}
