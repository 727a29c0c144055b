package hubspot

import (
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"signalbox/shared/canonical"
)

func TestBodiesAreSafeHTML(t *testing.T) {
	cases := map[string]struct {
		event canonical.Event
		want  string
	}{
		"text": {
			canonical.Event{Channel: canonical.SMS, Message: &canonical.Message{Text: "a < b & \"c\"\r\nd\x00"}},
			`<p>a &lt; b &amp; &#34;c&#34;<br>d</p>`,
		},
		"markup": {
			canonical.Event{Channel: canonical.WhatsApp, Message: &canonical.Message{Text: `<script>alert(1)</script>`}},
			`<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>`,
		},
		"a channel HubSpot has no type for": {
			canonical.Event{Channel: canonical.RCS, Message: &canonical.Message{Text: "hello"}}, `<p><em>RCS</em></p><p>hello</p>`,
		},
		"only an attachment": {
			canonical.Event{Channel: canonical.SMS, Message: &canonical.Message{
				Summary:     "1 image",
				Attachments: []canonical.Attachment{{URL: `https://files.example.test/a?b="><x>`, ContentType: "image/png"}},
			}},
			`<p>1 image</p><ul><li><a href="https://files.example.test/a?b=&#34;&gt;&lt;x&gt;" rel="noopener noreferrer">Attachment 1 (image/png)</a></li></ul>`,
		},
		"an address no browser should open": {
			canonical.Event{Channel: canonical.SMS, Message: &canonical.Message{
				Summary: "1 file", Attachments: []canonical.Attachment{{URL: "javascript:alert(1)", Name: "<b>"}},
			}},
			`<p>1 file</p><ul><li>&lt;b&gt;</li></ul>`,
		},
		"a place": {
			canonical.Event{Channel: canonical.WhatsApp, Message: &canonical.Message{Summary: "Location", Location: &canonical.Location{Latitude: 41.4, Longitude: 2.17}}},
			`<p>Location</p><ul><li><em>location:</em> <a href="https://www.google.com/maps/search/?api=1&amp;query=41.400000%2C2.170000" rel="noopener noreferrer">41.400000,2.170000</a></li></ul>`,
		},
		"a button": {canonical.Event{Channel: canonical.SMS, Message: &canonical.Message{Postback: &canonical.Postback{Text: "Yes"}, Summary: "[button: Yes]"}}, `<p>[button: Yes]</p>`},
		"an agent of ours": {
			canonical.Event{Channel: canonical.RCS, Direction: canonical.Outbound, Actor: &canonical.Actor{Kind: "agent", Via: "inbox"}, Message: &canonical.Message{Text: "hello"}},
			`<p><em>RCS · inbox (agent)</em></p><p>hello</p>`,
		},
		"a program of ours": {
			canonical.Event{Channel: canonical.SMS, Direction: canonical.Outbound, Actor: &canonical.Actor{Kind: "automation", Via: "<drip>"}, Message: &canonical.Message{Text: "hello"}},
			`<p><em>automatic, by &lt;drip&gt;</em></p><p>hello</p>`,
		},
		"whom of us nobody says": {canonical.Event{Channel: canonical.SMS, Direction: canonical.Outbound, Message: &canonical.Message{Text: "hello"}}, `<p>hello</p>`},
		"the customer's name":    {canonical.Event{Channel: canonical.SMS, Direction: canonical.Inbound, Sender: canonical.Participant{DisplayName: "Ana"}, Message: &canonical.Message{Text: "hello"}}, `<p>hello</p>`},
		"a reaction":             {canonical.Event{Channel: canonical.SMS, Reaction: &canonical.Reaction{Emoji: "👍"}}, `<p>Reacted with 👍</p>`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := body(c.event, 0); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

func FuzzBody(f *testing.F) {
	f.Add("hello", "https://files.example.test/1", 100)
	f.Add(strings.Repeat("<", 70000), strings.Repeat("&", 10), 0)
	f.Add(strings.Repeat("🙂", 40000), "", 90)
	f.Add("\xff\n", "https://x.test/"+strings.Repeat("\"", 20000), 5)
	f.Fuzz(func(t *testing.T, text, address string, reserve int) {
		if reserve < 0 || reserve > 1000 {
			return
		}
		e := canonical.Event{Channel: canonical.RCS, Message: &canonical.Message{Text: text, Attachments: []canonical.Attachment{{URL: address}}}}
		got := body(e, reserve)
		if n := len(utf16.Encode([]rune(got))); n > maxText-reserve {
			t.Errorf("%d characters", n)
		}
		if !utf8.ValidString(got) || strings.Contains(got, "<script") || strings.Count(got, "<p>") != strings.Count(got, "</p>") {
			t.Errorf("not safe: %.200q", got)
		}
	})
}
