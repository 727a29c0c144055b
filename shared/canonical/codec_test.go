package canonical_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"

	"github.com/google/go-cmp/cmp"
)

// seed is the first event that was ever agreed on.
const seed = "../../events/canonical-rcs.json"

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(data)
}

func decode(t testing.TB, data []byte) canonical.Event {
	t.Helper()
	e, err := canonical.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func encode(t testing.TB, e canonical.Event) []byte {
	t.Helper()
	data, err := canonical.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// without returns data less those members of its objects that want does not have: what was filled in.
func without(data, want any) any {
	kept, ok := data.(map[string]any)
	wanted, both := want.(map[string]any)
	if !ok || !both {
		return data
	}
	rest := map[string]any{}
	for name, value := range wanted {
		if has, ok := kept[name]; ok {
			rest[name] = without(has, value)
		}
	}
	return rest
}

func tree(t testing.TB, data []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTheSeedEventIsAcceptedAsItStands(t *testing.T) {
	written := `{"eventId":"c9b1d4ae-8b2a-4f1d-9a2b-1f8f6b9f0e7c","schemaVersion":2,"channel":"rcs","direction":"inbound","conversationId":"rcs:carrier123:conv:98765","sender":{"phone":"+15551234567"},"recipient":{"phone":"+15557654321"},"message":{"text":"Interested in pricing for product X","attachments":[]},"timestamp":"2026-01-18T14:23:12.000Z","metadata":{"rawVendor":{}}}`
	data := read(t, seed)
	if string(data) != written {
		t.Fatalf("the sample is not the seed event: %s", data)
	}
	e := decode(t, data)
	if got := encode(t, e); !cmp.Equal(without(tree(t, got), tree(t, data)), tree(t, data)) {
		t.Errorf("something was lost:\n%s\n%s", data, got)
	}
	want := canonical.Event{
		EventID: "c9b1d4ae-8b2a-4f1d-9a2b-1f8f6b9f0e7c", SchemaVersion: 2, Type: canonical.TypeMessage,
		Channel: canonical.RCS, Direction: canonical.Inbound, ConversationID: "rcs:carrier123:conv:98765",
		Sender: canonical.Participant{Phone: "+15551234567"}, Recipient: canonical.Participant{Phone: "+15557654321"},
		Actor: &canonical.Actor{Kind: "customer"},
		Message: &canonical.Message{
			Text: "Interested in pricing for product X", Summary: "Interested in pricing for product X",
			ContentType: "text/plain", Attachments: []canonical.Attachment{},
		},
		Timestamp: time.Date(2026, 1, 18, 14, 23, 12, 0, time.UTC),
		Metadata:  map[string]json.RawMessage{"rawVendor": json.RawMessage("{}")},
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Error(diff)
	}
}

// samples are the events of events/ and what they exercise together: every property of the schema.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("../../events/canonical-*.json")
	if err != nil || len(paths) < 5 {
		t.Fatal(paths, err)
	}
	all := map[string][]byte{"everything": read(t, "testdata/everything.json")}
	for _, path := range paths {
		all[filepath.Base(path)] = read(t, path)
	}
	return all
}

func TestEverySampleSurvivesARoundTrip(t *testing.T) {
	for name, data := range samples(t) {
		t.Run(name, func(t *testing.T) {
			e := decode(t, data)
			first := encode(t, e)
			if !cmp.Equal(without(tree(t, first), tree(t, data)), tree(t, data)) {
				t.Errorf("something was lost:\n%s\n%s", data, first)
			}
			again := decode(t, first)
			if diff := cmp.Diff(e, again); diff != "" {
				t.Error(diff)
			}
			if second := encode(t, again); !bytes.Equal(first, second) {
				t.Errorf("two encodings:\n%s\n%s", first, second)
			}
		})
	}
}

// TestTheCodecAgreesWithTheStructTags pins the hand-written codec to the tags that everyone reads.
func TestTheCodecAgreesWithTheStructTags(t *testing.T) {
	type tagged canonical.Event // without the methods
	for name, data := range samples(t) {
		t.Run(name, func(t *testing.T) {
			e := decode(t, data)
			var byTags tagged
			if err := json.Unmarshal(encode(t, e), &byTags); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(e, canonical.Event(byTags)); diff != "" {
				t.Error(diff)
			}
			plain, err := json.Marshal(tagged(e))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(e, decode(t, plain)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnEventIsPartOfAnotherDocument(t *testing.T) {
	type outer struct {
		Event canonical.Event `json:"event"`
	}
	in := outer{decode(t, read(t, "testdata/everything.json"))}
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out outer
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(in, out); diff != "" {
		t.Error(diff)
	}
	err = json.Unmarshal([]byte(`{"event":{"schemaVersion":3}}`), &out)
	if f := fault.Of(err); f.Kind != fault.Retryable || f.Code != canonical.CodeVersionUnknown {
		t.Errorf("a later version: %v", f)
	}
	err = json.Unmarshal([]byte(`{"event":{"schemaVersion":2,"channel":7}}`), &out)
	if f := fault.Of(err); f.Kind != fault.Permanent || f.Code != canonical.CodeInvalid {
		t.Errorf("a wrong type: %v", f)
	}
}

func TestDecodeSortsItsFaults(t *testing.T) {
	valid := string(read(t, seed))
	deep := strings.Repeat("[", 98) + strings.Repeat("]", 98)
	cases := map[string]struct {
		data string
		kind fault.Kind
		code string // "" is none
	}{
		"the seed":                           {valid, 0, ""},
		"white space around":                 {" \n" + valid + "\t", 0, ""},
		"a member of a later minor change":   {strings.Replace(valid, `{"phone"`, `{"mood":[null,{"a":1e5}],"phone"`, 1), 0, ""},
		"the deepest that is read":           {strings.Replace(valid, `"rawVendor":{}`, `"rawVendor":`+deep, 1), 0, ""},
		"one deeper":                         {strings.Replace(valid, `"rawVendor":{}`, `"rawVendor":[`+deep+`]`, 1), fault.Permanent, canonical.CodeMalformed},
		"a later version":                    {strings.Replace(valid, `:2,`, `:3,`, 1), fault.Retryable, canonical.CodeVersionUnknown},
		"a later version of another shape":   {`{"schemaVersion":3,"sender":7}`, fault.Retryable, canonical.CodeVersionUnknown},
		"a version before the first":         {strings.Replace(valid, `:2,`, `:1,`, 1), fault.Permanent, canonical.CodeInvalid},
		"a version that is no integer":       {strings.Replace(valid, `:2,`, `:"2",`, 1), fault.Permanent, canonical.CodeInvalid},
		"a version beyond any integer":       {strings.Replace(valid, `:2,`, `:99999999999999999999,`, 1), fault.Permanent, canonical.CodeInvalid},
		"no version":                         {strings.Replace(valid, `"schemaVersion":2,`, ``, 1), fault.Permanent, canonical.CodeInvalid},
		"a name in another case":             {strings.Replace(valid, `"eventId"`, `"EventID"`, 1), fault.Permanent, canonical.CodeInvalid},
		"null for a string":                  {strings.Replace(valid, `"rcs"`, `null`, 1), fault.Permanent, canonical.CodeInvalid},
		"nothing":                            {"", fault.Permanent, canonical.CodeMalformed},
		"an array":                           {"[" + valid + "]", fault.Permanent, canonical.CodeMalformed},
		"cut off":                            {valid[:len(valid)-1], fault.Permanent, canonical.CodeMalformed},
		"two documents":                      {valid + valid, fault.Permanent, canonical.CodeMalformed},
		"a comma too many":                   {strings.Replace(valid, `[]`, `[],`, 1), fault.Permanent, canonical.CodeMalformed},
		"a member twice":                     {strings.Replace(valid, `"channel"`, `"channel":"sms","channel"`, 1), fault.Permanent, canonical.CodeMalformed},
		"a member of the metadata twice":     {strings.Replace(valid, `"rawVendor":{}`, `"a":1,"a":2`, 1), fault.Permanent, canonical.CodeMalformed},
		"a byte that is no UTF-8":            {strings.Replace(valid, `pricing`, "pri\xffcing", 1), fault.Permanent, canonical.CodeMalformed},
		"a control character in a string":    {strings.Replace(valid, `pricing`, "pri\ncing", 1), fault.Permanent, canonical.CodeMalformed},
		"a number with a leading zero":       {strings.Replace(valid, `"rawVendor":{}`, `"a":01`, 1), fault.Permanent, canonical.CodeMalformed},
		"larger than what is read":           {valid + strings.Repeat(" ", canonical.MaxSize), fault.Permanent, canonical.CodeMalformed},
		"the same name, once with an escape": {strings.Replace(valid, `"channel"`, `"\u0063hannel":"sms","channel"`, 1), fault.Permanent, canonical.CodeMalformed},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := canonical.Decode([]byte(c.data))
			if c.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			f, ok := errors.AsType[*fault.Error](err)
			if !ok || f.Kind != c.kind || f.Code != c.code {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestStringsSurviveTheCodec(t *testing.T) {
	cases := map[string]struct{ in, want string }{
		"quotes and backslashes":    {`a "b" \c`, `a "b" \c`},
		"control characters":        {"a\x00\x1f\n\r\t\u007fb", "a\x00\x1f\n\r\t\u007fb"},
		"an emoji":                  {"👩‍🚒 hello", "👩‍🚒 hello"},
		"line separators and HTML":  {"\u2028<b>&\u2029", "\u2028<b>&\u2029"},
		"bytes that are no UTF-8":   {"a\xffb\xc3", "a\ufffdb\ufffd"},
		"a replacement character":   {"a\ufffdb", "a\ufffdb"},
		"a character of four bytes": {"\U0001f600\U00010000", "\U0001f600\U00010000"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e := decode(t, read(t, seed))
			e.Message.Text = c.in
			data := encode(t, e)
			if got := decode(t, data).Message.Text; got != c.want {
				t.Errorf("got %q", got)
			}
			var std struct{ Message struct{ Text string } }
			if err := json.Unmarshal(data, &std); err != nil || std.Message.Text != c.want {
				t.Errorf("encoding/json reads %q (%v)", std.Message.Text, err)
			}
		})
	}
}

func TestEscapesAreReadAsEncodingJSONReadsThem(t *testing.T) {
	for name, escaped := range map[string]string{
		"all short ones":              `\"\\\/\b\f\n\r\t`,
		"a surrogate pair":            `\ud83d\ude00`,
		"the first half alone":        `\ud83d`,
		"the second half alone":       `\ude00!`,
		"a first half and a letter":   `\ud83d\u0041`,
		"two first halves and a pair": `\ud83d\ud83d\ude00`,
		"upper-case digits":           `\u00E9`,
		"not an escape":               `\x41`,
		"too few digits":              `\u12`,
		"a sign among the digits":     `\u+123`,
		"a half and too few digits":   `\ud83d\u12`,
		"nothing after the backslash": `\`,
	} {
		t.Run(name, func(t *testing.T) {
			var want string
			wantErr := json.Unmarshal([]byte(`"`+escaped+`"`), &want)
			e, err := canonical.Decode([]byte(strings.Replace(string(read(t, seed)), "Interested in pricing for product X", escaped, 1)))
			if (err == nil) != (wantErr == nil) {
				t.Fatalf("%v, encoding/json: %v", err, wantErr)
			}
			if err == nil && e.Message.Text != want {
				t.Errorf("got %q, encoding/json %q", e.Message.Text, want)
			}
		})
	}
}

func TestEncodeRefusesAnInvalidEvent(t *testing.T) {
	e := decode(t, read(t, seed))
	e.Sender.Phone, e.Channel = "5551234567", ""
	data, err := canonical.Encode(e)
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || data != nil || f.Kind != fault.Permanent || f.Code != canonical.CodeInvalid {
		t.Fatalf("%s, %v", data, err)
	}
	v, ok := errors.AsType[*canonical.ValidationError](err)
	want := []canonical.Problem{
		{Path: "$.channel", Code: canonical.ProblemRequired, Reason: "is required"},
		{Path: "$.sender.phone", Code: canonical.ProblemFormat, Reason: "must be E.164"},
	}
	if !ok || !cmp.Equal(v.Problems, want) {
		t.Error(cmp.Diff(want, v.Problems))
	}
	if strings.Contains(err.Error(), "555") {
		t.Errorf("the error holds a value: %v", err)
	}
}

// TestWhatTheCallerWroteIsNotParsed is what took as long as all the rest of a large webhook: JSON that the adapter had just written.
func TestWhatTheCallerWroteIsNotParsed(t *testing.T) {
	e := decode(t, read(t, seed))
	e.Metadata = map[string]json.RawMessage{canonical.RawVendor: json.RawMessage(`"`), "other": json.RawMessage(`1`)}
	if _, err := canonical.Encode(e, canonical.RawVendor); err != nil {
		t.Error(err)
	}
	for _, written := range [][]string{nil, {"other"}} {
		if _, err := canonical.Encode(e, written...); err == nil {
			t.Errorf("no JSON was written: %q", written)
		}
	}
}

func TestWithoutRawVendorLeavesTheEventAsItWas(t *testing.T) {
	e := decode(t, read(t, seed))
	if got := e.WithoutRawVendor(); got.Metadata != nil || len(e.Metadata) != 1 {
		t.Errorf("got %v, left %v", got.Metadata, e.Metadata)
	}
	e.Metadata["twilio"] = json.RawMessage(`{"rank":1}`)
	want := map[string]json.RawMessage{"twilio": e.Metadata["twilio"]}
	if got := e.WithoutRawVendor(); !cmp.Equal(got.Metadata, want) || len(e.Metadata) != 2 {
		t.Errorf("got %v, left %v", got.Metadata, e.Metadata)
	}
}

func FuzzDecode(f *testing.F) {
	for _, data := range samples(f) {
		f.Add(data)
	}
	f.Add([]byte(`{"schemaVersion":3}`))
	f.Add([]byte(`{"message":{"template":{"variables":{"a":1}}},"metadata":{"x":[1, 2]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := canonical.Decode(data)
		if err != nil {
			if leak := repeats(err); leak != "" {
				t.Fatalf("the error holds what is not ours: %q", leak)
			}
			if fault.Of(err).Code == canonical.CodeInvalid && !huge.Match(data) && schemaValid(t, data) {
				t.Fatalf("the schema accepts it: %v", err)
			}
			return
		}
		if !huge.Match(data) && !schemaValid(t, data) {
			t.Fatal("the schema refuses it")
		}
		written, err := canonical.Encode(e)
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		again, err := canonical.Decode(written)
		if err != nil {
			t.Fatalf("what was encoded cannot be decoded: %v", err)
		}
		if diff := cmp.Diff(e, again); diff != "" {
			t.Fatal(diff)
		}
	})
}
