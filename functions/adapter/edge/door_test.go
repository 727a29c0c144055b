package edge

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/adaptertest"
	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/webhook"
)

// received is when the requests of these tests come.
func received() time.Time { return adaptertest.Clock() }

// told returns what a body becomes and its answer, as if every event of it that can be read were of a line.
func told(media, body string) (parsed []adapter.Parsed, answer webhook.Response) {
	channel := &Channel{}
	w := adapter.Webhook{
		Request:  webhook.Request{Header: http.Header{"Content-Type": {media}}, Body: []byte(body), Received: received()},
		Provider: Provider, Kind: Events, AccountID: "acme-site",
	}
	c := channel.Decode(w)
	parsed, err := c.Parse()
	if err != nil {
		answer, _ = channel.Refuse(fault.Of(err))
		return nil, answer
	}
	verdicts := make([]adapter.Verdict, len(parsed))
	for i, p := range parsed {
		verdicts[i].Err = p.Err
	}
	answerer, _ := c.(adapter.Answerer)
	return parsed, answerer.Answer(verdicts)
}

// event returns an event with members in place of its own; null takes one out.
func event(t testing.TB, changes string) string {
	t.Helper()
	e := map[string]any{
		"eventId": "evt-1", "channel": "sms", "direction": "inbound", "sender": map[string]any{"phone": "+15552010001"},
		"recipient": map[string]any{"phone": "+15557654321"}, "message": map[string]any{"text": "Hello"}, "timestamp": "2026-11-23T11:59:00Z",
	}
	var changed map[string]any
	if err := json.Unmarshal([]byte(changes), &changed); err != nil {
		t.Fatal(err)
	}
	for name, value := range changed {
		if e[name] = value; value == nil {
			delete(e, name)
		}
	}
	out, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestWhatIsWrongIsToldByPath lists, for each event, the status and every problem.
func TestWhatIsWrongIsToldByPath(t *testing.T) {
	const cloud = `{"specversion":"1.0","id":"1","source":"/x","type":"t","data":`
	cases := map[string]struct {
		media, body string
		status      int
		problems    string
	}{
		"nothing is":                              {mediaJSON, event(t, `{}`), 202, ""},
		"no id":                                   {mediaJSON, event(t, `{"eventId":null}`), 400, "$.eventId required"},
		"an id with a space at its end":           {mediaJSON, event(t, `{"eventId":"x "}`), 400, "$.eventId format"},
		"an id that is a number":                  {mediaJSON, event(t, `{"eventId":7}`), 400, "$.eventId type"},
		"no channel and no direction":             {mediaJSON, event(t, `{"channel":null,"direction":null}`), 400, "$.channel required, $.direction required"},
		"a version of tomorrow":                   {mediaJSON, event(t, `{"schemaVersion":3}`), 400, "$.schemaVersion value"},
		"nobody sent it":                          {mediaJSON, event(t, `{"sender":{}}`), 400, "$.sender required"},
		"no address of ours":                      {mediaJSON, event(t, `{"recipient":null}`), 422, "$.recipient unowned"},
		"no address of ours, of what we sent":     {mediaJSON, event(t, `{"direction":"outbound","sender":{},"recipient":{"phone":"+15552010001"}}`), 422, "$.sender unowned"},
		"no address of ours, and worse":           {mediaJSON, event(t, `{"recipient":null,"message":null}`), 400, "$.message required, $.recipient unowned"},
		"a change of a CRM's":                     {mediaJSON, event(t, `{"type":"change"}`), 400, "$.type value"},
		"a receipt of nothing":                    {mediaJSON, event(t, `{"type":"receipt","direction":"status","message":null,"receipt":{"state":"sent"},"sender":{"phone":"+15557654321"},"recipient":{"phone":"+15552010001"}}`), 400, "$.providerMessageId required"},
		"a receipt that comes in":                 {mediaJSON, event(t, `{"type":"receipt","receipt":{"state":"sent"},"providerMessageId":"m"}`), 400, "$.direction value"},
		"an agent who comes in":                   {mediaJSON, event(t, `{"actor":{"kind":"agent"}}`), 400, "$.actor.kind value"},
		"a customer who goes out":                 {mediaJSON, event(t, `{"actor":{"kind":"customer"},"direction":"outbound"}`), 400, "$.actor.kind value"},
		"a reaction to nothing":                   {mediaJSON, event(t, `{"type":"reaction"}`), 400, "$.reaction required, $.relatesTo required"},
		"a member twice":                          {mediaJSON, strings.Replace(event(t, `{}`), "{", `{"channel":"sms",`, 1), 400, "$.channel duplicate"},
		"a member twice, in a member":             {mediaJSON, event(t, `{}`)[:len(event(t, `{}`))-1] + `,"flags":{"historical":true,"historical":true}}`, 400, "$.flags.historical duplicate"},
		"null for a text":                         {mediaJSON, strings.Replace(event(t, `{}`), `"text":"Hello"`, `"text":null`, 1), 400, "$.message.text type"},
		"a visitor without an id":                 {mediaJSON, event(t, `{"channel":"web"}`), 400, "$.sender.id required"},
		"an id that is too long":                  {mediaJSON, event(t, `{"sender":{"id":"`+strings.Repeat("x", 201)+`"}}`), 400, "$.sender.id length"},
		"too much metadata":                       {mediaJSON, event(t, `{"metadata":{`+members(61)+`}}`), 400, "$.metadata length"},
		"an encrypted message with words":         {mediaJSON, event(t, `{"message":{"contentType":"encrypted","text":"x","summary":"y"}}`), 400, "$.message.summary value, $.message.text value"},
		"an encrypted message with more metadata": {mediaJSON, event(t, `{"message":{"contentType":"encrypted"},"metadata":{"rawVendor":{"body":"words"}}}`), 400, "$.metadata value"},
		"an encrypted message with more to say":   {mediaJSON, event(t, `{"message":{"contentType":"encrypted"},"metadata":{"encryption":{"decryptedBy":"x","text":"words"}}}`), 400, "$.metadata value"},
		"what a device forwards":                  {mediaJSON, event(t, `{"message":{"contentType":"encrypted"},"metadata":{"extraction":{"by":"phone of rep-7"}}}`), 202, ""},
		"words that a device forwards by consent": {mediaJSON, event(t, `{"metadata":{"extraction":{"by":"phone of rep-7","consentReference":"c-1"}}}`), 202, ""},
		"words that a device forwards by none":    {mediaJSON, event(t, `{"metadata":{"extraction":{"by":"phone of rep-7"}}}`), 400, "$.message.contentType value"},
		"words by an empty consent":               {mediaJSON, event(t, `{"metadata":{"extraction":{"by":"phone of rep-7","consentReference":""}}}`), 400, "$.message.contentType value, $.metadata.extraction value"},
		"a reaction that a device forwards":       {mediaJSON, event(t, `{"type":"reaction","message":null,"reaction":{"emoji":"+"},"relatesTo":{"kind":"reaction","providerMessageId":"m"},"metadata":{"extraction":{"by":"x"}}}`), 400, "$.reaction value"},
		"an advertisement that a device forwards": {mediaJSON, event(t, `{"message":{"contentType":"encrypted"},"attribution":{"headline":"x"},"metadata":{"extraction":{"by":"x"}}}`), 400, "$.attribution value"},
		"what a device forwards beside it":        {mediaJSON, event(t, `{"metadata":{"extraction":{"by":"x","consentReference":"c-1"},"rawVendor":{"body":"words"}}}`), 400, "$.metadata value"},
		"what a device says of itself":            {mediaJSON, event(t, `{"metadata":{"extraction":{"by":"x","consentReference":"c-1","body":"words"}}}`), 400, "$.message.contentType value, $.metadata.extraction value"},
		"by no device":                            {mediaJSON, event(t, `{"metadata":{"extraction":{"consentReference":"c-1"}}}`), 400, "$.metadata.extraction value"},
		"an extraction that is no object":         {mediaJSON, event(t, `{"metadata":{"extraction":true}}`), 400, "$.message.contentType value, $.metadata.extraction value"},
		"no object":                               {mediaJSON, `7`, 400, "$ type"},
		"no JSON":                                 {mediaJSON, `{"eventId":`, 400, "$ format"},
		"nothing":                                 {mediaJSON, ``, 400, "$ format"},
		"two":                                     {mediaJSON, `{} {}`, 400, "$ format"},
		"nested without end":                      {mediaJSON, strings.Repeat("[", 200) + strings.Repeat("]", 200), 400, "$ format"},
		"a batch of none":                         {mediaJSON, `[]`, 400, "$ length"},
		"a batch of too many":                     {mediaJSON, `[` + strings.TrimSuffix(strings.Repeat("{},", 101), ",") + `]`, 400, "$ length"},
		"a form":                                  {"application/x-www-form-urlencoded", `a=b`, 415, "$ type"},
		"no media type":                           {"", event(t, `{}`), 415, "$ type"},
		"a CloudEvent":                            {mediaCloud + "; charset=utf-8", cloud + event(t, `{}`) + `}`, 202, ""},
		"a CloudEvent whose event has no id":      {mediaCloud, cloud + event(t, `{"eventId":null}`) + `}`, 202, ""},
		"a CloudEvent with extensions and nulls":  {mediaCloud, cloud + event(t, `{}`) + `,"traceparent":"x","subject":null,"time":null}`, 202, ""},
		"a CloudEvent of nothing":                 {mediaCloud, `{}`, 400, "$.data required, $.id required, $.source required, $.specversion required, $.type required"},
		"a CloudEvent of another version":         {mediaCloud, strings.Replace(cloud, "1.0", "0.3", 1) + event(t, `{}`) + `}`, 400, "$.specversion format"},
		"a CloudEvent of bytes":                   {mediaCloud, strings.Replace(cloud, `"data":`, `"data_base64":"e30=","data":`, 1) + event(t, `{}`) + `}`, 400, "$.data_base64 value"},
		"a CloudEvent of XML":                     {mediaCloud, strings.Replace(cloud, `"data":`, `"datacontenttype":"text/xml","data":`, 1) + event(t, `{}`) + `}`, 400, "$.datacontenttype format"},
		"a CloudEvent whose event is wrong":       {mediaCloud, cloud + event(t, `{"sender":{"phone":"5"}}`) + `}`, 400, "$.data.sender.phone format"},
		"a CloudEvent twice the same member":      {mediaCloud, strings.Replace(cloud, "{", `{"id":"2",`, 1) + event(t, `{}`) + `}`, 400, "$.* duplicate"},
		"a CloudEvent that is an array":           {mediaCloud, `[` + cloud + event(t, `{}`) + `}]`, 400, "$ type"},
		"a batch that is one CloudEvent":          {mediaCloudEvents, cloud + event(t, `{}`) + `}`, 400, "$ type"},
		"a batch of CloudEvents":                  {mediaCloudEvents, `[` + cloud + event(t, `{}`) + `}]`, 202, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, answer := told(c.media, c.body)
			var body struct{ Problems []canonical.Problem }
			if err := json.Unmarshal(answer.Body, &body); err != nil {
				t.Fatalf("%s: %v", answer.Body, err)
			}
			var got []string
			for _, p := range body.Problems {
				got = append(got, p.Path+" "+p.Code)
			}
			slices.Sort(got)
			if problems := strings.Join(got, ", "); answer.Status != c.status || problems != c.problems {
				t.Errorf("answered %d with %q, want %d with %q", answer.Status, problems, c.status, c.problems)
			}
		})
	}
}

func members(n int) string {
	var all []string
	for i := range n {
		all = append(all, `"m`+strings.Repeat("x", i)+`":1`)
	}
	return strings.Join(all, ",")
}

// TestEachEventOfABatchHasAVerdict: what one gets wrong costs no other.
func TestEachEventOfABatchHasAVerdict(t *testing.T) {
	good, other, bad := event(t, `{}`), event(t, `{"eventId":"evt-2"}`), event(t, `{"eventId":"evt-3","sender":{"phone":"5"}}`)
	nobodys := event(t, `{"eventId":"evt-4","recipient":{}}`)
	for name, c := range map[string]struct {
		body, verdicts string
		status         int
	}{
		"all good":                   {good + "," + other, "accepted,accepted", 202},
		"one bad":                    {good + "," + bad + "," + other, "accepted,refused $[1].sender.phone,accepted", 207},
		"one id twice":               {good + "," + good, "accepted,refused $[1].eventId", 207},
		"an id of a refused one":     {strings.Replace(bad, "evt-3", "evt-1", 1) + "," + good, "refused $[0].sender.phone,accepted", 207},
		"one of nobody's":            {good + "," + nobodys, "accepted,refused $[1].recipient", 207},
		"one that is no event":       {"7," + good, "refused $[0],accepted", 207},
		"none good":                  {bad + "," + nobodys, "refused $[0].sender.phone,refused $[1].recipient", 400},
		"none with a line's address": {nobodys, "refused $[0].recipient", 422},
	} {
		t.Run(name, func(t *testing.T) {
			_, answer := told(mediaJSON, "["+c.body+"]")
			var body struct {
				Events []struct {
					Status   string
					Problems []canonical.Problem
				}
			}
			if err := json.Unmarshal(answer.Body, &body); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range body.Events {
				word := e.Status
				for _, p := range e.Problems {
					word += " " + p.Path
				}
				got = append(got, word)
			}
			if verdicts := strings.Join(got, ","); answer.Status != c.status || verdicts != c.verdicts {
				t.Errorf("answered %d %q, want %d %q", answer.Status, verdicts, c.status, c.verdicts)
			}
		})
	}
}

// TestNoCallersIDHidesAnothers: what an event is known by differs where source or id do.
func TestNoCallersIDHidesAnothers(t *testing.T) {
	keys := map[string]string{}
	for _, pair := range [][2]string{{"", "1"}, {"/a", "1"}, {"/a", "2"}, {"/a1", ""}, {"/", "a1"}, {"", "/a1"}, {"2:/a", "1"}, {"", "2:/a1"}} {
		k := key(pair[0], pair[1])
		if other, taken := keys[k]; taken {
			t.Errorf("source %q and id %q are known as %s are", pair[0], pair[1], other)
		}
		keys[k] = pair[0] + " " + pair[1]
	}
	plain, _ := told(mediaJSON, event(t, `{"eventId":"1"}`))
	cloud, _ := told(mediaCloud, `{"specversion":"1.0","id":"1","source":"/x","type":"t","data":`+event(t, `{"eventId":"1"}`)+`}`)
	if plain[0].Key == cloud[0].Key || cloud[0].Event.ProviderMessageID != "" {
		t.Errorf("keys %q and %q, message %q", plain[0].Key, cloud[0].Key, cloud[0].Event.ProviderMessageID)
	}
}

// TestWhoAPersonIs: what makes the thread.
func TestWhoAPersonIs(t *testing.T) {
	for name, c := range map[string]struct{ changes, person, phone, id string }{
		"a phone":                            {`{}`, "+15552010001", "+15552010001", ""},
		"a phone beside an id":               {`{"sender":{"phone":"+15552010001","id":"u1"}}`, "+15552010001", "+15552010001", "sms:acme-site:u1"},
		"an id of the account's own":         {`{"sender":{"id":"u1"}}`, "sms:acme-site:u1", "", "sms:acme-site:u1"},
		"an id that every channel writes so": {`{"channel":"whatsapp","sender":{"id":"whatsapp:US.900"}}`, "whatsapp:US.900", "", "whatsapp:US.900"},
		"an id with a colon of its own":      {`{"sender":{"id":"U:1"}}`, "sms:acme-site:U:1", "", "sms:acme-site:U:1"},
		"an id that is a number":             {`{"channel":"whatsapp","sender":{"id":"whatsapp:+15552010001"}}`, "+15552010001", "+15552010001", "whatsapp:+15552010001"},
		"a visitor":                          {`{"channel":"web","sender":{"id":"v1"}}`, "web:acme-site:v1", "", "web:acme-site:v1"},
		"a visitor who types a phone":        {`{"channel":"web","sender":{"id":"v1","phone":"+15552010001"}}`, "web:acme-site:v1", "", "web:acme-site:v1"},
		"a visitor with a number for an id":  {`{"channel":"web","sender":{"id":"+15552010001"}}`, "web:acme-site:+15552010001", "", "web:acme-site:+15552010001"},
		"a hashed e-mail address":            {`{"sender":{"hashedEmail":"` + strings.Repeat("0a", 32) + `"}}`, strings.Repeat("0a", 32), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			parsed, answer := told(mediaJSON, event(t, c.changes))
			if answer.Status != http.StatusAccepted {
				t.Fatalf("%d %s", answer.Status, answer.Body)
			}
			if p := parsed[0]; p.Person != c.person || p.Event.Sender.Phone != c.phone || p.Event.Sender.ID != c.id {
				t.Errorf("%q with %+v, want %+v", p.Person, p.Event.Sender, c)
			}
		})
	}
}

// TestAnswersHoldNothingOfTheRequest gives every member a word that is nowhere else.
func TestAnswersHoldNothingOfTheRequest(t *testing.T) {
	body := `{"secret1":1,"eventId":" secret2","channel":"SECRET3","direction":"secret4","sender":{"phone":"secret5","secret6":{}},"metadata":{"secret 7":1},"timestamp":"secret8"}`
	for _, media := range []string{mediaJSON, mediaCloud, mediaCloudEvents, "secret"} {
		for _, b := range []string{body, "[" + body + "]", `{"secret":"` + body} {
			if _, answer := told(media, b); answer.Status/100 != 4 || strings.Contains(strings.ToLower(string(answer.Body)), "secret") {
				t.Errorf("%s: %d %s", media, answer.Status, answer.Body)
			}
		}
	}
}

// TestRefuse: what is no fault of the sender's is not told as one.
func TestRefuse(t *testing.T) {
	for code, status := range map[string]int{
		CodeSyntax: 400, CodeBatch: 400, CodeUnnamed: 400, CodeMedia: 415, adapter.CodeReused: 409, adapter.CodePanic: 0, canonical.CodeInvalid: 0, "other": 0,
	} {
		answer, ok := (&Channel{}).Refuse(fault.Of(fault.New(fault.Permanent, code, errors.New("x"))))
		if answer.Status != status || ok != (status > 0) {
			t.Errorf("%s is answered %d, %t", code, answer.Status, ok)
		}
	}
}
