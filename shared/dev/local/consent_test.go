package local_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"signalbox/shared/canonical"
	"signalbox/shared/consent"
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
					if strings.HasSuffix(strings.ReplaceAll(strings.TrimSuffix(strings.ToLower(name), "__c"), "_", ""), "msgoptout") && value == "true" {
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

// TestConsentIsShownAndEnteredByHand through the stack, with the rights that its function has: a stop by SMS closes RCS, and nothing that an
// operator enters of the time before it opens it again. What one enters now is shown in every CRM that holds the person, and makes nobody.
func TestConsentIsShownAndEnteredByHand(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes")
	}
	w := newWorld(t, 0, local.Options{})
	ctx := t.Context()
	known := w.sample()
	phone := known.Form[2][1]
	w.deliver(ctx, known)
	w.rest(ctx)
	stop := w.sample()
	stop.Form[2], stop.Form[4] = known.Form[2], [2]string{"Body", "Please stop texting me"}
	w.deliver(ctx, stop)
	w.rest(ctx)
	ask := func(action string, asked consent.Request) consent.Result {
		asked.Tenant = "demo"
		var answer struct {
			Consent  consent.Result `json:"consent"`
			Problems any            `json:"problems"`
		}
		if err := json.Unmarshal(w.invoke(ctx, "ApplyTenant", map[string]any{"action": action, "consent": asked}), &answer); err != nil || answer.Problems != nil {
			t.Fatalf("%+v, %v", answer, err)
		}
		return answer.Consent
	}
	verdict := func(channel canonical.Channel) consent.Verdict {
		for _, h := range ask(consent.Show, consent.Request{Address: phone}).Holds {
			if h.Channel == channel && h.Purpose == consent.Messaging {
				return h.Verdict
			}
		}
		return ""
	}
	if rcs, whatsapp := verdict(canonical.RCS), verdict(canonical.WhatsApp); rcs != consent.Denied || whatsapp != consent.Unknown {
		t.Errorf("RCS is %s, WhatsApp %s", rcs, whatsapp)
	}
	entered := ask(consent.Enter, consent.Request{By: "ada", Reason: "INC-7", Rows: []consent.Row{
		{Number: 2, Address: phone, Channel: "sms", State: consent.OptedIn, At: "2020-01-31", Proof: "form 12"},
		{Number: 3, Address: phone, State: consent.OptedOut, Channel: "whatsapp"},
	}})
	if len(entered.Rows) != 2 || entered.Rows[0].Outcome != consent.History || entered.Rows[1].Outcome != consent.Taken {
		t.Errorf("%+v", entered)
	}
	if sms, whatsapp := verdict(canonical.SMS), verdict(canonical.WhatsApp); sms != consent.Denied || whatsapp != consent.Denied {
		t.Errorf("SMS is %s, WhatsApp %s", sms, whatsapp)
	}
	if evidence := ask(consent.Show, consent.Request{Address: phone}).Evidence; len(evidence) != 3 || evidence[1].Mark.Source != consent.SourcePhrase || evidence[1].Words == "" {
		t.Errorf("%+v", evidence)
	}
	if known := ask(consent.Export, consent.Request{}).Known; len(known) != 1 || len(known[0].Marks) != 3 {
		t.Errorf("%+v", known)
	}
	hello := w.sample()
	w.deliver(ctx, hello)
	w.rest(ctx)
	people := w.people(ctx)
	ask(consent.Enter, consent.Request{By: "ada", Reason: "INC-8", Rows: []consent.Row{
		{Number: 2, Address: hello.Form[2][1], State: consent.OptedOut, Source: consent.SourceAgent},
		{Number: 3, Address: "+15559990000", State: consent.OptedOut, Source: consent.SourceAgent}, // whom no CRM holds
	}})
	w.rest(ctx)
	for crm, out := range w.optedOut(ctx) {
		if out != 2 {
			t.Errorf("%s shows %d people who opted out, want 2", crm, out)
		}
	}
	if now := w.people(ctx); now != people {
		t.Errorf("%d people are held after what an operator entered, %d before", now, people)
	}
}

// people returns how many records of people the CRMs hold.
func (w *world) people(ctx context.Context) (n int) {
	w.Helper()
	for crm, about := range w.Simulated {
		for _, object := range about.People {
			records, err := w.client.Records(ctx, crm, object)
			if err != nil {
				w.Fatal(err)
			}
			n += len(records)
		}
	}
	return n
}
