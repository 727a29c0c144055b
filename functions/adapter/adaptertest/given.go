package adaptertest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"signalbox/functions/adapter"
	"signalbox/shared/webhook"
)

// givenBack checks what an adapter.Refuser makes of what is authentic and cannot be used: the sender is told, and nothing is kept.
// Other channels have nothing to show here; what theirs becomes is checked with the dead letters.
func givenBack(t *testing.T, p Provider) {
	if _, refuses := p.Channel.(adapter.Refuser); !refuses {
		return
	}
	nothing := func(*world) {}
	cases := map[string]struct {
		sample  Case
		prepare func(*world)
	}{
		"a webhook that cannot be read":          {p.Malformed, nothing},
		"an address that is nobody's":            {p.Sample, func(w *world) { w.noLines = true }},
		"a channel that its line does not serve": {p.Sample, func(w *world) { w.noChannels = true }},
		"also where nothing could be kept":       {p.Malformed, func(w *world) { w.events.down, w.spoolDown, w.stateDown = true, true, true }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(p)
			c.prepare(w)
			r := c.sample.Request()
			w.checkRefusal(t, r, w.send(t, r))
		})
	}
}

// checkRefusal checks the answer to a request that cannot be used, and that it is counted as a rejection and as nothing else.
func (w *world) checkRefusal(t *testing.T, r webhook.Request, answer webhook.Response) {
	t.Helper()
	unlike := append([]int{http.StatusForbidden, http.StatusNotFound}, w.provider.Channel.Describe().Redelivery.On...)
	if answer.Status/100 != 4 || slices.Contains(unlike, answer.Status) {
		t.Errorf("status %d, want a 4xx that means no stranger and is not sent again", answer.Status)
	}
	var told map[string]any
	if err := json.Unmarshal(answer.Body, &told); err != nil || len(told) == 0 || answer.ContentType != "application/json" {
		t.Errorf("answer %q of type %q, want an object of JSON that says what is wrong", answer.Body, answer.ContentType)
	}
	for _, word := range telling(r.Body) {
		if strings.Contains(string(answer.Body), word) {
			t.Errorf("the answer holds a word of the request: %s", word)
		}
	}
	w.untouched(t)
	w.counted(t, "WebhookRefused", 1)
	for _, metric := range []string{"WebhookAccepted", "WebhookDeadLettered", "Failures", "PanicRecovered"} {
		w.counted(t, metric, 0)
	}
}

// telling returns the words of a body that look like somebody's: long ones with a digit or an at sign.
func telling(body []byte) []string {
	const short = 6
	words := strings.FieldsFunc(string(body), func(r rune) bool {
		return (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z') && r != '@' && r != '.' && r != '_'
	})
	return slices.DeleteFunc(words, func(word string) bool { return len(word) <= short || !strings.ContainsAny(word, "0123456789@") })
}
