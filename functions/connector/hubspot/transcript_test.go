package hubspot

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"signalbox/functions/connector"
	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
)

func TestALineSaysWhenWhoWhatAndWhatBecameOfIt(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 18, 13, 23, 12, 0, time.UTC)
	a := &connector.Activity{Channel: canonical.WhatsApp, Start: at, Zone: berlin}
	for sentence, c := range map[string]struct {
		line connector.Line
		want string
	}{
		"a customer's message, in the activity's zone": {
			connector.Line{At: at, Inbound: true, Author: "Ana Ruiz", Text: "a < b\nc"},
			`<p><strong>14:23 received · Ana Ruiz:</strong> a &lt; b<br>&nbsp;&nbsp;&nbsp;&nbsp;c</p>`,
		},
		"a customer's own lines stand to the right of where ours begin": {
			connector.Line{At: at, Inbound: true, Author: "Ana", Text: "hi\r\n14:24 sent · Bea (agent): sure\u2028x\u0085y"},
			`<p><strong>14:23 received · Ana:</strong> hi<br>&nbsp;&nbsp;&nbsp;&nbsp;14:24 sent · Bea (agent): sure<br>&nbsp;&nbsp;&nbsp;&nbsp;x<br>&nbsp;&nbsp;&nbsp;&nbsp;y</p>`,
		},
		"an agent's": {
			connector.Line{At: at, Author: "Bea (agent)", Text: "hello"},
			`<p><strong>14:23 sent · Bea (agent):</strong> hello</p>`,
		},
		"of another day than the first": {
			connector.Line{At: at.Add(11 * time.Hour), Author: "automatic, by <drip>", Text: "hello"},
			`<p><strong>19 Jan 01:23 sent · automatic, by &lt;drip&gt;:</strong> hello</p>`,
		},
		"of nobody who is known": {connector.Line{At: at, Text: "hello"}, `<p><strong>14:23 sent:</strong> hello</p>`},
		"buttons that were offered, and one that was tapped": {
			connector.Line{At: at, Author: "us", Text: "When?", Details: []connector.Detail{{Label: "tapped", Text: "Today"}, {Label: "buttons", Text: "Today | <b>"}}},
			`<p><strong>14:23 sent · us:</strong> When?</p><ul><li><em>tapped:</em> Today</li><li><em>buttons:</em> Today | &lt;b&gt;</li></ul>`,
		},
		"reactions and an edit": {
			connector.Line{At: at, Inbound: true, Author: "Ana", Text: "five", Edited: true, Reactions: []string{"👍 Bea (agent)", "❤ Cy"}},
			`<p><strong>14:23 received · Ana:</strong> five <em>(edited)</em><br><em>reactions: 👍 Bea (agent), ❤ Cy</em></p>`,
		},
		"withdrawn": {connector.Line{At: at, Inbound: true, Author: "Ana", Withdrawn: true}, `<p><strong>14:23 received · Ana:</strong> <em>withdrawn</em></p>`},
		"what brought them": {
			connector.Line{At: at, Inbound: true, Author: "Ana", Text: "hello", Ad: "Spring <sale>, ad 77"},
			`<p><strong>14:23 received · Ana:</strong> hello<br><em>came by: Spring &lt;sale&gt;, ad 77</em></p>`,
		},
		"not delivered": {
			connector.Line{At: at, Author: "us", Text: "hello", Failed: "30003"},
			`<p><strong>14:23 sent · us:</strong> hello<br><em>not delivered: 30003</em></p>`,
		},
		"the rest of one that was cut": {connector.Line{At: at, Inbound: true, Author: "Ana", Text: "and so on", Continued: true}, `<p>&nbsp;&nbsp;&nbsp;&nbsp;and so on</p>`},
		"what came with it, and where it leads": {
			connector.Line{
				At: at, Inbound: true, Author: "Ana",
				Details: []connector.Detail{{URL: "https://files.example.test/1", Text: "bill.pdf"}, {URL: "javascript:alert(1)", Text: "bad"}, {Label: "location", URL: "https://maps.example.test/?a=1&b=2", Text: "41,2"}},
			},
			`<p><strong>14:23 received · Ana:</strong> </p><ul><li><a href="https://files.example.test/1" rel="noopener noreferrer">bill.pdf</a></li><li>bad</li>` +
				`<li><em>location:</em> <a href="https://maps.example.test/?a=1&amp;b=2" rel="noopener noreferrer">41,2</a></li></ul>`,
		},
	} {
		if got := line(a, c.line); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", sentence, got, c.want)
		}
	}
}

func TestAHeaderSaysWhereAndWhichDay(t *testing.T) {
	a := &connector.Activity{Channel: canonical.RCS, Start: time.Date(2026, 1, 18, 13, 23, 12, 0, time.UTC), Zone: time.UTC}
	if got, want := header(a, 1), `<p><em>RCS · Sunday, 18 January 2026 · UTC</em></p>`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	a.Late = true
	if got, want := header(a, 2), `<p><em>RCS · Sunday, 18 January 2026 · UTC · arrived late · part 2</em></p>`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzTranscript(f *testing.F) {
	f.Add("hello", "https://files.example.test/1", "👍", 3)
	f.Add(strings.Repeat("<👩‍👩‍👧", 9000), "https://x.test/"+strings.Repeat("&", 4000), strings.Repeat("&", 5000), 2)
	f.Add("\xff\n", "https://x.test/"+strings.Repeat("\"", 4000), "", 12)
	f.Fuzz(func(t *testing.T, text, address, reaction string, n int) {
		if n < 1 || n > 12 || len(text) > 100_000 || len(address) > 5000 || len(reaction) > 5000 {
			return
		}
		a := &connector.Activity{Channel: canonical.SMS, Zone: time.UTC}
		for range n {
			a.Lines = append(a.Lines, connector.Line{
				Text: connector.Clean(text), Details: slices.Repeat([]connector.Detail{{URL: address, Text: "file"}}, n), Reactions: slices.Repeat([]string{reaction}, n),
			})
		}
		all := 0
		for _, part := range parts(a, 77) {
			got := transcript(a, part)
			if n := len(utf16.Encode([]rune(got))); n > maxSession-77 {
				t.Errorf("%d characters", n)
			}
			if !utf8.ValidString(got) || strings.Contains(got, "<script") || strings.Count(got, "<p>") != strings.Count(got, "</p>") {
				t.Errorf("not safe: %.200q", got)
			}
			all += strings.Count(got, "<li>")
		}
		if all != n*n {
			t.Errorf("%d attachments of %d", all, n*n)
		}
	})
}

func TestAContactShowsTheConversationThatIsAlive(t *testing.T) {
	at := func(hour int) time.Time { return time.Date(2026, 1, 18, hour, 0, 0, 0, time.UTC) }
	state := func(channel canonical.Channel, status conversation.Status, in, out int) conversation.State {
		return conversation.State{Line: "sales", Channel: channel, Status: status, LastInbound: at(in), LastOutbound: at(out)}
	}
	for sentence, c := range map[string]struct {
		all  []conversation.State
		want canonical.Channel
	}{
		"one": {[]conversation.State{state(canonical.SMS, conversation.Closed, 1, 2)}, canonical.SMS},
		"of two the one with the newest message, whoever wrote it": {
			[]conversation.State{state(canonical.SMS, conversation.WaitingForUs, 5, 2), state(canonical.WhatsApp, conversation.WaitingForThem, 1, 6)}, canonical.WhatsApp,
		},
		"a newer one that is closed is not alive": {
			[]conversation.State{state(canonical.SMS, conversation.WaitingForUs, 5, 2), state(canonical.WhatsApp, conversation.Closed, 9, 9)}, canonical.SMS,
		},
		"if every one is closed, the newest": {
			[]conversation.State{state(canonical.SMS, conversation.Closed, 5, 2), state(canonical.WhatsApp, conversation.Closed, 9, 1), state(canonical.Web, conversation.Closed, 1, 1)}, canonical.WhatsApp,
		},
		"of two at one time always the same": {
			[]conversation.State{state(canonical.WhatsApp, conversation.WaitingForUs, 5, 2), state(canonical.SMS, conversation.WaitingForUs, 5, 2)}, canonical.SMS,
		},
	} {
		for range 2 {
			if got := shownOf(c.all).Channel; got != c.want {
				t.Errorf("%s: got %s, want %s", sentence, got, c.want)
			}
			slices.Reverse(c.all)
		}
	}
}
