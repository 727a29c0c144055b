package connectortest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"
	"signalbox/shared/delivery"
	"signalbox/shared/eventrecord"
	"signalbox/shared/fault"
	"signalbox/shared/idempotency"
	"signalbox/shared/mapping"
	"signalbox/shared/store"
	"signalbox/shared/tenant"
)

// Mapped says what is true of a CRM whose tenants fill fields of their own.
type Mapped struct {
	Objects []mapping.Object // of which this binding has records
	// Name returns the CRM's name of a field that an administrator calls so, in small letters.
	Name func(field string) string
	// Option returns what the CRM writes for an option that an administrator calls so. Nil: what it is called.
	Option       func(label string) string
	FirstMessage string // the CRM's own field of a person in which reps look for the first message
	Drops        bool   // the CRM leaves out, and does not say, what may not be written
	// Define makes such a field, as an administrator would. It goes by type, options and length.
	Define func(mapping.Object, mapping.Described)
	// Held returns the values of the records of an object, by the CRM's names.
	Held func(mapping.Object) []map[string]string
	// Edit changes a field of every record of an object, as a user would.
	Edit func(o mapping.Object, field, value string)
}

// mapsFields runs the cases of CRMs whose tenants fill fields of their own.
func mapsFields[R any](t *testing.T, fresh func(t *testing.T) Harness[R]) {
	t.Helper()
	if fresh(t).Mapped == nil {
		t.Skip("this CRM maps nothing")
	}
	cases := map[string]func(*world[R]){
		"constants, paths and conditions":                            mappedAll[R],
		"mapped fields cost no request":                              mappedWithinLimit[R],
		"mapped fields of a session cost no request":                 mappedSession[R],
		"what a user edited stays":                                   mappedEdited[R],
		"what a user edited of a session stays, and the newest wins": mappedNewest[R],
		"what does not fit is left out":                              mappedMisfit[R],
		"a field that the CRM refuses costs no message":              mappedRefused[R],
		"a field that the CRM refuses costs nobody else's":           mappedRefusedTogether[R],
		"what a provider sent is read on demand":                     mappedRaw[R],
		"what a provider sent and nobody keeps":                      mappedUnkept[R],
		"a field that is of another type holds messages back":        mappedUnfit[R](`{"to": "number_typed", "value": "two"}`),
		"a field that may not be written holds messages back":        mappedUnfit[R](`{"to": "readonly_typed", "value": "two"}`),
		"a field that is gone holds messages back":                   mappedUnfit[R](`{"to": "gone_typed", "value": "two"}`),
		"what the connector writes is not written over":              mappedOurs[R],
		"a person who is gone is another one, with the fields":       mappedGone[R],
	}
	for name, run := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { run(newWorld(t, fresh(t))) })
		})
	}
}

// configured is a tenant as its file has it.
type configured tenant.Tenant

// Tenant implements connector.Tenants.
func (c configured) Tenant(context.Context, string) (tenant.Tenant, error) {
	return tenant.Tenant(c), nil
}

// maps has the tenant map entries, in JSON, by object, with "to" for the CRM's own names. Each names a field that is defined as the text,
// number and so on that its name begins with, unless that says that it is gone; a strict one is of one option, and gets another.
func (w *world[R]) maps(entries map[mapping.Object][]string) {
	w.t.Helper()
	fields := map[string]any{"version": 1}
	for o, all := range entries {
		var list []any
		for _, one := range all {
			var e mapping.Entry
			if err := json.Unmarshal([]byte(one), &e); err != nil {
				w.t.Fatal(err)
			}
			f := w.describe(&e)
			gone := strings.HasPrefix(e.To, "gone_") || e.To == w.Mapped.FirstMessage
			if e.To != w.Mapped.FirstMessage {
				e.To = w.Mapped.Name(e.To)
			}
			f.Name = e.To
			if !gone {
				w.Mapped.Define(o, f)
			}
			list = append(list, e)
		}
		fields[string(o)] = list
	}
	data, err := json.Marshal(map[string]any{"fields": fields})
	if err != nil {
		w.t.Fatal(err)
	}
	w.mappings = connector.NewMappings(configured{
		ID: w.Tenant, Name: "Acme", Lines: []tenant.Line{{ID: "line", Address: "+15557654321"}}, Timeline: tenant.DefaultTimeline(),
		CRMs: []tenant.CRM{{Name: w.Name, Settings: data}},
	})
}

// describe returns what the name of e's field says of it, and has e choose by what the CRM writes for its options.
func (w *world[R]) describe(e *mapping.Entry) mapping.Described {
	f := mapping.Described{Type: mapping.Text, ReadOnly: strings.HasPrefix(e.To, "readonly_")}
	for _, is := range []mapping.Type{mapping.Number, mapping.Boolean, mapping.Datetime, mapping.Date, mapping.Choice} {
		if strings.HasPrefix(e.To, string(is)+"_") {
			f.Type = is
		}
	}
	switch {
	case strings.HasPrefix(e.To, "strict_"):
		f.Type, f.Options = mapping.Choice, []string{w.option("known")}
		e.As, e.Value = mapping.Choice, json.RawMessage(strconv.Quote(w.option("unheard of")))
	case f.Type == mapping.Choice:
		f.Options = []string{w.option("Text"), w.option("Other")}
		for from, label := range e.Choices {
			e.Choices[from] = w.option(label)
		}
		e.Otherwise = w.option(e.Otherwise)
	}
	return f
}

// option returns what the CRM writes for an option of a name, "" for none.
func (w *world[R]) option(label string) string {
	if w.Mapped.Option == nil || label == "" {
		return label
	}
	return w.Mapped.Option(label)
}

// fills fails the test unless every record of an object that has one of these fields has them all, and there is one.
func (w *world[R]) fills(o mapping.Object, want map[string]string) {
	w.t.Helper()
	found := 0
	for _, held := range w.Mapped.Held(o) {
		got, any := map[string]string{}, false
		for field := range want {
			got[field] = held[w.Mapped.Name(field)]
			any = any || got[field] != ""
		}
		if !any {
			continue
		}
		found++
		for field, value := range want {
			if got[field] != value {
				w.t.Errorf("%s shows %s=%q, want %q", o, field, got[field], value)
			}
		}
	}
	if found == 0 {
		w.t.Errorf("no %s shows any of %v", o, want)
	}
}

// left returns what a delivery's progress says of fields that were left out.
func (w *world[R]) left(d delivery.Delivery) connector.Result {
	w.t.Helper()
	key := store.Key{Partition: w.Tenant + "/event/" + string(d.Event.EventID), Sort: idempotency.DeliveryClaims + d.CRM}
	held, err := w.store.Get(w.t.Context(), key)
	if err != nil {
		w.t.Fatal(err)
	}
	progress, _, err := idempotency.Achieved(held[0])
	if err != nil {
		w.t.Fatal(err)
	}
	return progress[connector.StepFields]
}

// every is an entry of each kind.
func every() []string {
	return []string{
		`{"to": "text_constant", "value": "messaging"}`, `{"to": "text_path", "from": "event.sender.displayName"}`,
		`{"to": "number_constant", "value": 7}`, `{"to": "boolean_flag", "from": "event.flags.historical"}`,
		`{"to": "datetime_path", "from": "event.timestamp"}`, `{"to": "date_path", "from": "event.timestamp", "as": "date"}`,
		`{"to": "choice_channel", "from": "event.channel", "choices": {"sms": "Text"}, "otherwise": "Other"}`,
		`{"to": "text_met", "value": "met", "when": {"path": "event.direction", "equals": "inbound"}}`,
		`{"to": "text_unmet", "value": "unmet", "when": {"path": "line.address", "in": ["+1"]}}`,
		`{"to": "text_missing", "from": "person.email"}`,
	}
}

// everyValue is what they become for a message of person 1, but for times, which CRMs show in their own ways.
func (w *world[R]) everyValue() map[string]string {
	return map[string]string{
		"text_constant": "messaging", "text_path": "Person 01", "number_constant": "7", "boolean_flag": "false",
		"choice_channel": w.option("Text"), "text_met": "met", "text_unmet": "", "text_missing": "", "date_path": "2026-01-18",
	}
}

func mappedAll[R any](w *world[R]) {
	all := map[mapping.Object][]string{}
	for _, o := range w.Mapped.Objects {
		all[o] = every()
	}
	delete(all, mapping.Lead) // one record may be of a person and a lead: its fields have names of their own
	if slices.Contains(w.Mapped.Objects, mapping.Lead) {
		all[mapping.Lead] = []string{`{"to": "text_lead", "from": "event.channel"}`}
	}
	if slices.Contains(w.Mapped.Objects, mapping.Conversation) { // as may that of a person and a conversation
		all[mapping.Conversation] = []string{`{"to": "text_conversation", "from": "event.channel"}`}
	}
	w.maps(all)
	d := w.unknown(1, 1)
	if w.Sessions != nil && w.Sessions.Standings != nil {
		d = w.talk(d)
	}
	w.finish(d)
	w.fills(mapping.Person, w.everyValue())
	w.fills(mapping.Activity, w.everyValue())
	if all[mapping.Lead] != nil {
		w.fills(mapping.Lead, map[string]string{"text_lead": "sms"})
	}
	if all[mapping.Conversation] != nil && d.Session != nil {
		w.fills(mapping.Conversation, map[string]string{"text_conversation": "sms"})
	}
	for _, o := range []mapping.Object{mapping.Person, mapping.Activity} {
		for _, held := range w.Mapped.Held(o) {
			if at := held[w.Mapped.Name("datetime_path")]; at != "" && !strings.HasPrefix(at, "2026-01-18T14:23:01") {
				w.t.Errorf("%s is at %q", o, at)
			}
		}
	}
	if left := w.left(d); len(left) > 0 {
		w.t.Errorf("left out: %v", left)
	}
}

// eachTime returns entries that are written each time.
func eachTime(entries []string) (all []string) {
	for _, one := range entries {
		all = append(all, strings.TrimSuffix(one, "}")+`, "write": "always"}`)
	}
	return all
}

func mappedWithinLimit[R any](w *world[R]) {
	first := w.unknown(1, 1)
	w.finish(first)
	w.maps(map[mapping.Object][]string{mapping.Person: eachTime(every()), mapping.Activity: every()})
	second := w.known(1, 2)
	w.wire.spoil(nil)
	w.finish(second)
	if n := w.wire.count(); n > w.KnownCalls {
		w.t.Errorf("%d requests, the limit is %d", n, w.KnownCalls)
	}
	w.holds(1, first, second)
	w.fills(mapping.Activity, w.everyValue())
}

func mappedSession[R any](w *world[R]) {
	if w.Sessions == nil {
		w.t.Skip("this CRM shows each message by itself")
	}
	w.finish(w.talk(w.unknown(1, 1)))
	w.maps(map[mapping.Object][]string{mapping.Person: eachTime(every()), mapping.Activity: every()})
	second := w.talk(w.known(1, 2))
	time.Sleep(time.Minute)
	w.wire.spoil(nil)
	w.finish(second)
	if n := w.wire.count(); n > w.Sessions.Calls {
		w.t.Errorf("%d requests, the limit is %d", n, w.Sessions.Calls)
	}
	w.fills(mapping.Activity, w.everyValue())
	if w.Sessions.Standings != nil {
		w.fills(mapping.Person, w.everyValue())
	}
}

func mappedEdited[R any](w *world[R]) {
	w.maps(map[mapping.Object][]string{mapping.Person: {
		`{"to": "text_once", "from": "event.message.text"}`, `{"to": "text_always", "from": "event.message.text", "write": "always"}`,
	}})
	said := func(d delivery.Delivery, text string) delivery.Delivery {
		d.Event.Message.Text = text
		return d
	}
	w.finish(said(w.unknown(1, 1), "Hello"))
	w.fills(mapping.Person, map[string]string{"text_once": "Hello", "text_always": "Hello"})
	w.Mapped.Edit(mapping.Person, w.Mapped.Name("text_once"), "edited")
	second := w.known(1, 2)
	second.Actions = w.unknown(1, 2).Actions
	w.finish(said(second, "Goodbye"))
	time.Sleep(40 * 24 * time.Hour)
	w.finish(said(w.unknown(1, 1), "Hello")) // a copy that nothing is known of
	for _, held := range w.Mapped.Held(mapping.Person) {
		if got := held[w.Mapped.Name("text_once")]; got != "edited" {
			w.t.Errorf("what a user edited has become %q", got)
		}
	}
}

func mappedNewest[R any](w *world[R]) {
	if w.Sessions == nil {
		w.t.Skip("this CRM shows each message by itself")
	}
	w.maps(map[mapping.Object][]string{mapping.Activity: {
		`{"to": "text_once", "from": "event.providerMessageId", "write": "create"}`, `{"to": "text_newest", "from": "event.providerMessageId"}`,
	}})
	first := w.talk(w.unknown(1, 1))
	w.finish(first)
	w.Mapped.Edit(mapping.Activity, w.Mapped.Name("text_once"), "edited")
	third, second := w.talk(w.known(1, 3)), w.talk(w.known(1, 2))
	time.Sleep(time.Minute)
	w.finish(second)
	w.finish(third)
	w.fills(mapping.Activity, map[string]string{"text_once": "edited", "text_newest": third.Event.ProviderMessageID})
}

func mappedMisfit[R any](w *world[R]) {
	w.maps(map[mapping.Object][]string{mapping.Activity: {
		`{"to": "number_bad", "from": "event.message.text", "as": "number"}`, `{"to": "choice_bad", "from": "event.channel", "choices": {"rcs": "Text"}}`,
		`{"to": "text_long", "from": "event.message.text", "maxLength": 7}`,
	}})
	d := w.unknown(1, 1)
	w.finish(d)
	w.holds(1, d)
	w.fills(mapping.Activity, map[string]string{"number_bad": "", "choice_bad": "", "text_long": "Secret…"})
	want := connector.Result{
		"activity." + w.Mapped.Name("number_bad"): mapping.CodeNumber, "activity." + w.Mapped.Name("choice_bad"): mapping.CodeChoice,
	}
	if got := w.left(d); fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("left out: %v, want %v", got, want)
	}
	if out := w.out.String(); !strings.Contains(out, "mapped fields were left out") || !strings.Contains(out, "FieldLeftOut") {
		w.t.Error("nobody is told")
	}
}

func mappedRefused[R any](w *world[R]) {
	w.maps(map[mapping.Object][]string{
		mapping.Person: {`{"to": "strict_person"}`}, mapping.Activity: {`{"to": "text_fine", "value": "fine"}`},
	})
	d := w.unknown(1, 1)
	if errs := w.deliver(&process{}, d); errs[0] != nil {
		w.t.Errorf("it takes another try: %v", errs[0])
	}
	w.holds(1, d)
	if got := w.left(d); got[connector.ResultRefused] == "" {
		w.t.Errorf("left out: %v, want all", got)
	}
}

// mappedUnfit has the tenant map a field that takes nothing of what an entry gives. It is the tenant's to mend, and nothing is lost meanwhile.
func mappedUnfit[R any](entry string) func(*world[R]) {
	return func(w *world[R]) {
		if w.Mapped.Drops && strings.Contains(entry, "readonly_") {
			w.t.Skip("this CRM leaves out, and does not say, what may not be written")
		}
		for _, o := range []mapping.Object{mapping.Person, mapping.Activity} {
			w.maps(map[mapping.Object][]string{o: {entry}})
			if errs := w.deliver(&process{}, w.unknown(1, 1)); errs[0] == nil || fault.Of(errs[0]).Kind != fault.Blocked {
				w.t.Errorf("of %s: %v, and the message is to wait", o, errs[0])
			}
			time.Sleep(lease)
		}
		w.mappings = nil // the entry was taken out
		d := w.unknown(1, 1)
		w.finish(d)
		w.holds(1, d)
	}
}

// mappedOurs has a tenant map the field of the first message, which the schema of the CRM's settings refuses: a file that is in force all the same
// is an older release's.
func mappedOurs[R any](w *world[R]) {
	w.maps(map[mapping.Object][]string{mapping.Person: {`{"to": "` + w.Mapped.FirstMessage + `", "value": "theirs"}`}})
	d := w.unknown(1, 1)
	w.finish(d)
	for _, held := range w.Mapped.Held(mapping.Person) {
		if got := held[w.Mapped.FirstMessage]; got != d.Event.Message.Text {
			w.t.Errorf("the first message is %q", got)
		}
	}
}

func mappedRefusedTogether[R any](w *world[R]) {
	w.width = w.Width
	w.maps(map[mapping.Object][]string{mapping.Activity: {
		`{"to": "strict_activity", "when": {"path": "event.sender.displayName", "equals": "Person 01"}}`, `{"to": "text_fine", "value": "fine"}`,
	}})
	var all []delivery.Delivery
	for n := range w.Width {
		all = append(all, w.unknown(n, 1))
	}
	w.finish(all...)
	w.holds(w.Width, all...)
	fine := 0
	for _, held := range w.Mapped.Held(mapping.Activity) {
		if held[w.Mapped.Name("text_fine")] == "fine" {
			fine++
		}
	}
	if fine != w.Width-1 {
		w.t.Errorf("%d of %d messages have their fields", fine, w.Width-1)
	}
}

// recorded keeps the record of a delivery's event as the router does.
func (w *world[R]) recorded(d delivery.Delivery) {
	w.t.Helper()
	e := d.Event
	e.Metadata = map[string]json.RawMessage{canonical.RawVendor: json.RawMessage(`{"Body":"[redacted]"}`)}
	var encoder eventrecord.Encoder
	data, err := encoder.Encode(map[string]any{"format": 1, "event": e, "decision": map[string]any{}})
	if err != nil {
		w.t.Fatal(err)
	}
	record := store.Record{Key: delivery.RecordKey(w.Tenant, e.EventID), Data: data, Expires: time.Now().Add(90 * 24 * time.Hour)}
	if _, err := w.store.Write(w.t.Context(), store.Change{Kind: store.Put, Record: record}); err != nil {
		w.t.Fatal(err)
	}
}

// spent delivers and returns how many calls to the store and the CRM that took.
func (w *world[R]) spent(d delivery.Delivery) int {
	w.t.Helper()
	p := &process{}
	if errs := w.deliver(p, d); errs[0] != nil {
		w.t.Fatal(errs[0])
	}
	return p.calls
}

func mappedRaw[R any](w *world[R]) {
	w.finish(w.unknown(1, 1))
	plain := w.spent(w.known(1, 2))
	w.maps(map[mapping.Object][]string{mapping.Activity: every()})
	if n := w.spent(w.known(1, 3)); n != plain {
		w.t.Errorf("a mapping costs %d calls, without one it is %d", n, plain)
	}
	w.maps(map[mapping.Object][]string{mapping.Activity: {`{"to": "text_raw", "from": "metadata.rawVendor"}`}})
	d := w.known(1, 4)
	w.recorded(d)
	if n := w.spent(d); n != plain+1 {
		w.t.Errorf("what the provider sent costs %d calls, want one more than %d", n, plain)
	}
	w.fills(mapping.Activity, map[string]string{"text_raw": `{"Body":"[redacted]"}`})
}

func mappedUnkept[R any](w *world[R]) {
	w.maps(map[mapping.Object][]string{mapping.Activity: {`{"to": "text_raw", "from": "metadata.rawVendor"}`}})
	d := w.unknown(1, 1)
	w.finish(d)
	w.holds(1, d)
	if got := w.left(d); got["activity."+w.Mapped.Name("text_raw")] != connector.CodeRawMissing {
		w.t.Errorf("left out: %v", got)
	}
}

func mappedGone[R any](w *world[R]) {
	w.maps(map[mapping.Object][]string{mapping.Person: eachTime(every())})
	staleLink(w)
	w.fills(mapping.Person, map[string]string{"text_constant": "messaging"})
}
