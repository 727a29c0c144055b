package mapping_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // of the zone below

	"signalbox/shared/canonical"
	"signalbox/shared/mapping"

	"github.com/google/go-cmp/cmp"
)

// cut cuts as connectors do, as far as these texts go.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return text[:limit-1] + "…"
}

func source(t *testing.T) *mapping.Source {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 18, 2, 23, 1, 123e6, time.UTC)
	return &mapping.Source{
		Event: &canonical.Event{
			EventID: "e1", Type: canonical.TypeMessage, Channel: canonical.SMS, Direction: canonical.Inbound, Timestamp: at,
			Sender: canonical.Participant{Phone: "+14155550100", DisplayName: "Ana"},
			Message: &canonical.Message{
				Text: "Hello there", Summary: "Hello there", Attachments: []canonical.Attachment{{URL: "https://files.example/1", Name: "a.png", Size: 7}},
				Postback: &canonical.Postback{Text: "Yes", Fields: map[string]string{"rooms": "3", "When?": "soon"}},
				Location: &canonical.Location{Latitude: 0, Longitude: 12.5},
			},
			Metadata: map[string]json.RawMessage{"score": json.RawMessage(`4.5`), "tags": json.RawMessage(`["a","b"]`), "void": json.RawMessage(`null`)},
		},
		Person: mapping.Someone{Key: "k", Name: "Ana Ruiz", Phone: "+14155550100"},
		Line:   mapping.Place{ID: "sales", Address: "+15557654321"},
		Tenant: mapping.Owner{ID: "acme", Name: "Acme"},
		Raw:    json.RawMessage(`{"Body":"[redacted]","NumMedia":"1"}`),
		Zone:   zone,
	}
}

// TestAnEntry evaluates one entry a row: what is written, or the code for which it is left out.
func TestAnEntry(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ entry, want string }{
		"a path":                             {`"from": "event.sender.displayName"`, `"Ana"`},
		"a text constant":                    {`"value": "messaging"`, `"messaging"`},
		"a number":                           {`"value": 1.50`, `1.50`},
		"a truth value":                      {`"value": true`, `true`},
		"the person":                         {`"from": "person.name"`, `"Ana Ruiz"`},
		"the line":                           {`"from": "line.address"`, `"+15557654321"`},
		"the tenant":                         {`"from": "tenant.name"`, `"Acme"`},
		"nothing is there":                   {`"from": "person.email"`, `missing`},
		"nothing leads there":                {`"from": "event.attribution.headline"`, `missing`},
		"an element":                         {`"from": "event.message.attachments.0.name"`, `"a.png"`},
		"an element that is not there":       {`"from": "event.message.attachments.1.name"`, `missing`},
		"a number of an event":               {`"from": "event.message.attachments.0.size"`, `7`},
		"a zero that says something":         {`"from": "event.message.location.latitude"`, `0`},
		"a member by its name":               {`"from": "event.message.postback.fields.When?"`, `"soon"`},
		"a member that is not there":         {`"from": "event.message.postback.fields.beds"`, `missing`},
		"a flag":                             {`"from": "event.flags.historical"`, `false`},
		"a time":                             {`"from": "event.timestamp"`, `"2026-01-18T02:23:01.123Z"`},
		"a time that is not there":           {`"from": "event.receivedAt"`, `missing`},
		"a day is the tenant's":              {`"from": "event.timestamp", "as": "date"`, `"2026-01-17"`},
		"a constant day":                     {`"value": "2026-05-01T12:00:00Z", "as": "date"`, `"2026-05-01"`},
		"a time of a text that is none":      {`"from": "event.message.text", "as": "datetime"`, `not_datetime`},
		"a number of a text":                 {`"from": "event.message.postback.fields.rooms", "as": "number"`, `3`},
		"a number of a text that is none":    {`"from": "event.message.text", "as": "number"`, `not_number`},
		"a phone number is no number":        {`"from": "person.phone", "as": "number"`, `not_number`},
		"a truth value of a text":            {`"from": "event.message.postback.text", "as": "boolean"`, `true`},
		"a truth value of another text":      {`"from": "event.message.text", "as": "boolean"`, `not_boolean`},
		"a text of a number":                 {`"from": "event.message.attachments.0.size", "as": "text"`, `"7"`},
		"a text that is cut":                 {`"from": "event.message.text", "maxLength": 6`, `"Hello…" cut`},
		"a choice":                           {`"from": "event.channel", "choices": {"sms": "Text"}`, `"Text"`},
		"none of the choices":                {`"from": "event.channel", "choices": {"rcs": "RCS"}`, `not_chosen`},
		"another choice":                     {`"from": "event.channel", "choices": {"rcs": "RCS"}, "otherwise": "Other"`, `"Other"`},
		"a constant choice":                  {`"value": "Web", "as": "choice"`, `"Web"`},
		"a choice of a truth value":          {`"from": "event.flags.autoReply", "choices": {"false": "Person", "true": "Program"}`, `"Person"`},
		"a member of the metadata":           {`"from": "metadata.score", "as": "number"`, `4.5`},
		"one that is a list":                 {`"from": "metadata.tags"`, `"[\"a\",\"b\"]"`},
		"one that is null":                   {`"from": "metadata.void"`, `missing`},
		"one that is not there":              {`"from": "metadata.other"`, `missing`},
		"what the provider sent":             {`"from": "metadata.rawVendor"`, `"{\"Body\":\"[redacted]\",\"NumMedia\":\"1\"}"`},
		"a condition that holds":             {`"value": 1, "when": {"path": "event.direction", "equals": "inbound"}`, `1`},
		"a condition that does not":          {`"value": 1, "when": {"path": "event.direction", "equals": "outbound"}`, `unmet`},
		"a condition of several":             {`"value": 1, "when": {"path": "line.id", "in": ["support", "sales"]}`, `1`},
		"a condition of a truth value":       {`"value": 1, "when": {"path": "event.flags.replayed", "equals": false}`, `1`},
		"a condition of a number":            {`"value": 1, "when": {"path": "event.message.attachments.0.size", "equals": 7}`, `1`},
		"a condition of what is there":       {`"value": 1, "when": {"path": "event.message.postback.text", "exists": true}`, `1`},
		"a condition of what is not there":   {`"value": 1, "when": {"path": "person.email", "exists": false}`, `1`},
		"a condition of what is missing":     {`"value": 1, "when": {"path": "person.email", "equals": "a@b.example"}`, `unmet`},
		"a condition of what no one sent":    {`"value": 1, "when": {"path": "metadata.other", "exists": true}`, `unmet`},
		"a path through what is not there":   {`"from": "event.message.template.variables.x"`, `missing`},
		"a constant longer than its field":   {`"value": "abcdef", "maxLength": 4`, `"abc…" cut`},
		"a number of too many digits":        {`"value": "12345678901234567890", "as": "number"`, `refused`},
		"a number with an exponent":          {`"value": 1e5`, `refused`},
		"a constant of many more characters": {`"value": "` + strings.Repeat("x", 300) + `"`, `"` + strings.Repeat("x", 254) + `…" cut`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, problems := mapping.Parse(json.RawMessage(`{"version": 1, "activity": [{"to": "f", ` + tt.entry + `}]}`))
			if len(problems) > 0 {
				if tt.want != "refused" {
					t.Error(problems)
				}
				return
			}
			s := source(t)
			fields, left := m.Evaluate(s, s, cut)
			got := ""
			for _, f := range fields[mapping.Activity] {
				value, err := json.Marshal(f.Value)
				if err != nil {
					t.Fatal(err)
				}
				got += string(value)
				if f.Cut {
					got += " cut"
				}
			}
			for _, l := range left {
				got += l.Code
			}
			if got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// TestWhatIsWrittenWhen: of a record that is made everything is written, and later what is written always; that is of the newest event, the
// rest of the delivery's own.
func TestWhatIsWrittenWhen(t *testing.T) {
	t.Parallel()
	m, problems := mapping.Parse(json.RawMessage(`{"version": 1,
		"person": [{"to": "first", "from": "event.message.text"}, {"to": "newest", "from": "event.message.text", "write": "always"}],
		"activity": [{"to": "opened", "from": "event.message.text", "write": "create"}, {"to": "newest", "from": "event.message.text"}],
		"lead": [{"to": "gone", "from": "event.timestamp"}]}`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	first, last := source(t), source(t)
	last.Event.Message = &canonical.Message{Text: "Goodbye"}
	first.Event.Timestamp = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)
	fields, left := m.Evaluate(first, last, cut)
	got := map[string]string{}
	for _, o := range mapping.Objects() {
		for _, made := range []bool{true, false} {
			for _, f := range fields.Of(o, made) {
				got[fmt.Sprint(o, " made ", made)] += f.Name + "=" + f.Text() + " "
			}
		}
	}
	want := map[string]string{
		"person made true": "first=Hello there newest=Goodbye ", "person made false": "newest=Goodbye ",
		"activity made true": "opened=Hello there newest=Goodbye ", "activity made false": "newest=Goodbye ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if want := (mapping.Left{Object: mapping.Lead, Name: "gone", Code: mapping.CodeDatetime}); len(left) != 1 || left[0] != want || !left[0].Misfit() {
		t.Errorf("left out %v, want %v", left, want)
	}
	if none, left := (*mapping.Mapping)(nil).Evaluate(first, last, cut); none != nil || left != nil {
		t.Error("no mapping fills something")
	}
}

// TestRaw: whoever asks for what the provider sent is told, and why it is not to be had.
func TestRaw(t *testing.T) {
	t.Parallel()
	for entry, want := range map[string]bool{
		`"from": "metadata.rawVendor"`: true, `"from": "metadata.other"`: false, `"from": "person.name"`: false,
		`"value": 1, "when": {"path": "metadata.rawVendor", "exists": true}`: true,
	} {
		m, problems := mapping.Parse(json.RawMessage(`{"version": 1, "activity": [{"to": "f", ` + entry + `}]}`))
		if len(problems) > 0 || m.AsksRaw() != want {
			t.Errorf("%s: %v %t, want %t", entry, problems, m.AsksRaw(), want)
		}
		s := source(t)
		s.Raw, s.RawCode = nil, "person_erased"
		if _, left := m.Evaluate(s, s, cut); want && (len(left) != 1 || left[0].Code != "person_erased") {
			t.Errorf("%s: left out %v", entry, left)
		}
	}
	if (*mapping.Mapping)(nil).AsksRaw() {
		t.Error("no mapping asks for something")
	}
}

// TestGaps holds a mapping against fields as a CRM describes them.
func TestGaps(t *testing.T) {
	t.Parallel()
	described := []mapping.Described{
		{Name: "Short__c", Type: mapping.Text, Length: 40},
		{Name: "Long__c", Type: mapping.Text, Length: 32000},
		{Name: "Rooms__c", Type: mapping.Number},
		{Name: "Vip__c", Type: mapping.Boolean},
		{Name: "Day__c", Type: mapping.Date},
		{Name: "At__c", Type: mapping.Datetime},
		{Name: "Channel__c", Type: mapping.Choice, Options: []string{"Text", "Other"}},
		{Name: "Free__c", Type: mapping.Choice},
		{Name: "Sum__c", Type: mapping.Number, ReadOnly: true},
		{Name: "Who__c"},
		{Name: "Ours__c", Type: mapping.Text},
	}
	for name, tt := range map[string]struct{ entry, want string }{
		"all is well":                      {`"to": "Long__c", "from": "event.message.text"`, ""},
		"other letters are the same name":  {`"to": "long__C", "from": "event.message.text"`, ""},
		"a number for a text":              {`"to": "Short__c", "from": "event.message.attachments.0.size"`, ""},
		"a number":                         {`"to": "Rooms__c", "from": "metadata.rooms", "as": "number"`, ""},
		"a field that is not there":        {`"to": "Goat__c", "value": 1`, "person[0].to is no field that the credentials can see: make the field in the CRM, or grant access to it, or correct the name!"},
		"a field that is read only":        {`"to": "Sum__c", "value": 1`, "person[0].to is a field that the credentials cannot write: grant write access, or name another field: the CRM works some out itself!"},
		"a field of no mapping":            {`"to": "Who__c", "value": 1`, "person[0].to is a field of a type that no mapping fills: name another field"},
		"a field of ours":                  {`"to": "Ours__c", "value": "a"`, "person[0].to is a field that the connector writes itself: name another field"},
		"a text for a number":              {`"to": "Rooms__c", "from": "event.message.text"`, "person[0].as is text, and the field takes number: set as to number, or name another field!"},
		"a time for a day":                 {`"to": "Day__c", "from": "event.timestamp"`, "person[0].as is datetime, and the field takes date: set as to date, or name another field!"},
		"too short":                        {`"to": "Short__c", "from": "event.message.text"`, "person[0].maxLength lets 255 characters through, and the field takes 40: set maxLength to 40, or make the field longer"},
		"a text that fits by its entry":    {`"to": "Short__c", "from": "event.message.text", "maxLength": 40`, ""},
		"what the provider sent is longer": {`"to": "Short__c", "from": "metadata.rawVendor"`, "person[0].maxLength lets 32000 characters through, and the field takes 40: set maxLength to 40, or make the field longer"},
		"options that are there":           {`"to": "Channel__c", "from": "event.channel", "choices": {"sms": "Text"}, "otherwise": "Other"`, ""},
		"an option that is not there":      {`"to": "Channel__c", "from": "event.channel", "choices": {"sms": "SMS"}, "otherwise": "Other"`, `person[0].choices has "SMS", which is no option of the field: add the option in the CRM, or correct it here`},
		"a constant that is an option":     {`"to": "Channel__c", "value": "Text"`, ""},
		"a constant that is none":          {`"to": "Channel__c", "value": "Letter"`, `person[0].choices has "Letter", which is no option of the field: add the option in the CRM, or correct it here`},
		"a text for options":               {`"to": "Channel__c", "from": "event.channel"`, "person[0].as is text, and the field takes its own options alone: set as to choice, with the options in choices"},
		"a text for any option":            {`"to": "Free__c", "from": "event.channel"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, problems := mapping.Parse(json.RawMessage(`{"version": 1, "lead": [{"to": "Else__c", "value": 1}], "person": [{` + tt.entry + `}]}`))
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			got := ""
			for _, g := range m.Gaps(mapping.Person, described, "ours__C") {
				got += g.Path + " " + g.Reason + ": " + g.Remedy
				if g.Unfit {
					got += "!"
				}
			}
			if got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
		})
	}
}

// FuzzEvaluate: whatever is a mapping is evaluated on whatever is an event, and says of each entry what became of it.
func FuzzEvaluate(f *testing.F) {
	for _, path := range []string{"event.message.text", "event.message.attachments.0.size", "event.participants.0.phone", "metadata.a", "event.message.order.items.1.quantity", "event.identity.previous.0.claimed"} {
		f.Add(`{"version":1,"person":[{"to":"a","from":"`+path+`","as":"number"}],"activity":[{"to":"b","from":"`+path+`","when":{"path":"`+path+`","exists":true}}]}`, `{"message":{"text":"1","order":{"items":[{"id":"x"}]}},"metadata":{"a":{"b":1}}}`)
	}
	f.Fuzz(func(t *testing.T, fields, event string) {
		m, problems := mapping.Parse(json.RawMessage(fields))
		var e canonical.Event
		if len(problems) > 0 || m == nil || json.Unmarshal([]byte(event), &e) != nil {
			return
		}
		var c mapping.Content
		if err := json.Unmarshal([]byte(fields), &c); err != nil {
			t.Fatal(err)
		}
		s := &mapping.Source{Event: &e, Raw: json.RawMessage(event)}
		filled, left := m.Evaluate(s, &mapping.Source{}, cut)
		n := len(left)
		for _, o := range mapping.Objects() {
			n += len(filled[o])
		}
		if want := len(c.Person) + len(c.Lead) + len(c.Activity) + len(c.Conversation); n != want {
			t.Errorf("%d of %d entries have an outcome", n, want)
		}
		if _, err := json.Marshal(filled); err != nil {
			t.Error(err)
		}
	})
}
