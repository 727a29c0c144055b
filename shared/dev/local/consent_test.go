package local_test

import (
	"context"
	"strings"
	"testing"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/samples"
)

// optedOut returns in which CRMs a person is shown as having opted out.
func (w *world) optedOut(ctx context.Context) map[string]int {
	w.Helper()
	people := map[string]int{}
	for crm := range w.CRMs {
		for _, object := range w.Simulated[crm].Objects {
			records, err := w.client.Records(ctx, crm, object)
			if err != nil {
				w.Fatal(err)
			}
			for _, r := range records {
				for name, value := range r.Properties {
					if strings.HasSuffix(strings.TrimSuffix(strings.ToLower(name), "__c"), "msg_opt_out") && value == "true" {
						people[crm]++
					}
				}
			}
		}
	}
	return people
}

// TestAnOptOutIsShownInEveryCRM, whichever way it comes: by a word that was plain talk, and by the receipt of a message that the
// provider refused to send.
func TestAnOptOutIsShownInEveryCRM(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	w := newWorld(t, 0, local.Options{Times: map[string]string{"ReceiptsWindowSeconds": "0.2"}})
	ctx := t.Context()
	refused := func(to samples.Sample) samples.Sample {
		s := w.sample()
		s.Path = strings.TrimSuffix(s.Path, "messages") + "status"
		s.Form[2], s.Form[3] = [2]string{"From", to.Form[3][1]}, [2]string{"To", to.Form[2][1]}
		s.Form[4], s.Form[5] = [2]string{"MessageStatus", "failed"}, [2]string{"ErrorCode", "21610"}
		return s
	}
	for n, out := range []func(of samples.Sample) samples.Sample{
		func(of samples.Sample) samples.Sample {
			s := w.sample()
			s.Form[2], s.Form[4] = of.Form[2], [2]string{"Body", "ＳＴＯＰ！"}
			return s
		},
		refused,
	} {
		w.send(ctx)
		w.rest(ctx)
		person := w.sent[len(w.sent)-1]
		w.deliver(ctx, out(person))
		w.rest(ctx)
		got := w.optedOut(ctx)
		for crm := range w.CRMs {
			if got[crm] != n+1 {
				t.Errorf("after opt-out %d %s shows %d people who opted out", n+1, crm, got[crm])
			}
		}
	}
	if dead := w.held(ctx)["recorded dead letters"]; dead > 0 {
		t.Errorf("%d dead letters", dead)
	}
}
