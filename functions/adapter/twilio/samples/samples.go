// Package samples sends what Twilio sends: the sample webhooks beside it, and as many more of the same sort as a load needs. Its
// signature is made as Twilio documents it and shares no code with the channel that checks it.
package samples

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the scheme's own
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"signalbox/functions/adapter"
	"signalbox/functions/adapter/twilio"
	"signalbox/shared/canonical"
	"signalbox/shared/dev/samples"
	"signalbox/shared/secret"
)

// Channel implements samples.Channel.
type Channel struct{}

// Sign signs a URL and a form: the names in byte order, each with its distinct values in order. A URL that has the hash of the body is signed
// alone.
// See https://www.twilio.com/docs/usage/security#validating-requests.
func (Channel) Sign(to string, body []byte, token secret.Value, _ time.Time) http.Header {
	form, _ := url.ParseQuery(string(body))
	if strings.Contains(to, "?bodySHA256=") {
		form = nil
	}
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	mac := hmac.New(sha1.New, []byte(token))
	_, _ = mac.Write([]byte(to))
	for _, name := range names {
		slices.Sort(form[name])
		for _, value := range slices.Compact(form[name]) {
			_, _ = mac.Write([]byte(name + value))
		}
	}
	return http.Header{"X-Twilio-Signature": {base64.StdEncoding.EncodeToString(mac.Sum(nil))}}
}

// Identify reads a form, or the first event of Event Streams.
func (Channel) Identify(body []byte) samples.Identity {
	var events []struct {
		Data struct{ MessageSid, Body string }
	}
	if json.Unmarshal(body, &events) == nil && len(events) > 0 {
		id := events[0].Data.MessageSid
		return samples.Identity{ID: id, Kind: "message", Key: id, Text: events[0].Data.Body}
	}
	form, err := url.ParseQuery(string(body))
	id, state := form.Get("MessageSid"), form.Get("MessageStatus")
	if form.Get("EventType") == "READ" { // of RCS, whose status stays delivered
		state = "read"
	}
	switch {
	case err != nil || id == "":
		return samples.Identity{}
	case state != "":
		return samples.Identity{ID: id, Kind: "receipt", Key: id + "|" + state + "|" + form.Get("ErrorCode")}
	default:
		return samples.Identity{ID: id, Kind: "message", Key: id, Text: form.Get("Body")}
	}
}

// Receiver returns the channel that reads what is sent to a public base URL.
func (Channel) Receiver(publicBaseURL string) (adapter.Channel, error) {
	return twilio.New(publicBaseURL)
}

// New returns a message with the fields that Twilio sends of an SMS, or the status of one.
func (Channel) New(l samples.Load) (samples.Sample, bool) {
	path := "/v1/accounts/" + l.Account.ID + "/twilio/"
	switch l.Kind {
	case samples.Message:
		id, from, to := "SM"+l.Number, cmp.Or(l.Person, l.User), l.Line
		if l.Channel == canonical.WhatsApp {
			from, to = "whatsapp:"+from, "whatsapp:"+to
		}
		if l.Channel == canonical.RCS {
			from = "rcs:" + from
		}
		s := samples.Sample{Name: id, Path: path + "messages", Form: [][2]string{
			{"MessageSid", id},
			{"AccountSid", l.Account.ProviderAccount},
			{"From", from},
			{"To", to},
			{"Body", l.Text},
			{"NumMedia", "0"},
			{"ToCountry", "US"},
			{"ToState", "CA"},
			{"SmsMessageSid", id},
			{"ToCity", "OAKLAND"},
			{"FromZip", "94601"},
			{"SmsSid", id},
			{"FromState", "CA"},
			{"SmsStatus", "received"},
			{"FromCity", "OAKLAND"},
			{"FromCountry", "US"},
			{"ToZip", "94601"},
			{"NumSegments", "1"},
			{"ApiVersion", "2010-04-01"},
		}}
		if l.User != "" {
			s.Form = append(s.Form, [2]string{"ExternalUserId", "whatsapp:" + l.User})
		}
		if l.Media != "" {
			s.Form[5][1] = "1"
			s.Form = append(s.Form, [2]string{"MediaUrl0", l.Media}, [2]string{"MediaContentType0", "image/jpeg"})
		}
		if l.Name != "" {
			s.Form = append(s.Form, [2]string{"ProfileName", l.Name}, [2]string{"WaId", strings.TrimPrefix(l.Person, "+")})
		}
		return s, true
	case samples.Status, samples.Refused:
		return status(path, l), true
	default:
		return samples.Sample{}, false
	}
}

// status returns what becomes of a message that was sent.
func status(path string, l samples.Load) samples.Sample {
	id := "MM" + l.Number
	s := samples.Sample{Name: id + " " + l.Text, Path: path + "status", Form: [][2]string{
		{"MessageSid", id},
		{"AccountSid", l.Account.ProviderAccount},
		{"From", l.Line},
		{"To", l.Person},
		{"MessageStatus", l.Text},
	}}
	if l.Kind == samples.Refused { // https://www.twilio.com/docs/api/errors/21610
		s.Form[4][1], l.Problem = "failed", "21610"
	}
	if l.Problem != "" {
		s.Form = append(s.Form, [2]string{"ErrorCode", l.Problem})
	}
	if !l.Sent.IsZero() {
		s.Form = append(s.Form, [2]string{"RawDlrDoneDate", l.Sent.UTC().Format("0601021504")})
	}
	return s
}
