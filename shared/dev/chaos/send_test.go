package chaos

import (
	"context"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/samples"
)

// slowly acknowledges after a second.
type slowly struct{}

func (slowly) RoundTrip(*http.Request) (*http.Response, error) {
	time.Sleep(time.Second)
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

// TestAMachineThatCannotKeepUpDoesNotStretchAThread: what waits for an acknowledgement is sent at once then, or left out when there is
// no time any more.
func TestAMachineThatCannotKeepUpDoesNotStretchAThread(t *testing.T) {
	client, err := samples.NewClient("../../..", plugins.Channels(), samples.Target{Gateway: "http://gateway.test", HTTP: &http.Client{Transport: slowly{}}})
	if err != nil {
		t.Fatal(err)
	}
	for sentence, c := range map[string]struct {
		gap, end, takes time.Duration
		late            int64
	}{
		"a machine that keeps up":                    {2 * time.Second, 0, 21 * time.Second, 0},
		"one that does not catches up":               {time.Second / 2, 0, 10500 * time.Millisecond, 0},
		"one that is far behind leaves the rest out": {time.Second / 2, 5 * time.Second, 5500 * time.Millisecond, 5},
	} {
		t.Run(sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &sender{client: client, history: NewHistory(io.Discard)}
				began, webhooks := time.Now(), make([]Webhook, 10)
				if c.end > 0 {
					s.end = began.Add(c.end)
				}
				for i := range webhooks {
					webhooks[i].Gap = c.gap
				}
				s.thread(context.Background(), 1, webhooks)
				if took := time.Since(began); took != c.takes || s.late.Load() != c.late {
					t.Errorf("it took %s, and %d were left out; want %s and %d", took, s.late.Load(), c.takes, c.late)
				}
			})
		})
	}
}
