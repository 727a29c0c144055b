package connector_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

// TestAChangeOfConsentThatIsNotWrittenForAnHourIsCounted, with each further try; one that is given up, at once.
func TestAChangeOfConsentThatIsNotWrittenForAnHourIsCounted(t *testing.T) {
	blocked, refused := fault.New(fault.Blocked, "no_such_field", nil), fault.New(fault.Permanent, "no_such_field", nil)
	for sentence, c := range map[string]struct {
		kind   delivery.Kind
		fails  error
		waited time.Duration
		want   int
	}{
		"a change that fails":            {delivery.SetConsent, blocked, 0, 0},
		"one that has for less":          {delivery.SetConsent, blocked, 50 * time.Minute, 0},
		"one that has for an hour":       {delivery.SetConsent, blocked, time.Hour, 1},
		"one that is given up":           {delivery.SetConsent, refused, 0, 1},
		"a message that has":             {delivery.LogActivity, blocked, time.Hour, 0},
		"a message that is given up":     {delivery.LogActivity, refused, 0, 0},
		"a change that is written, late": {delivery.SetConsent, nil, time.Hour, 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(step{Name: "a"})
				p.crm.do = func(context.Context, string, step) outcome { return outcome{Err: c.fails} }
				d := deliveryOf("e1")
				d.Actions[0].Kind = c.kind
				time.Sleep(c.waited)
				_ = p.connector().Handle(t.Context(), heads(d))
				if got := strings.Count(p.out.String(), `"ConsentUnwritten":1`); got != c.want {
					t.Errorf("counted %d times, want %d: %s", got, c.want, p.out.String())
				}
			})
		})
	}
}
