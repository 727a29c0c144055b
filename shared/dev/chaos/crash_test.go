package chaos

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/local/cloud"
	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/samples"
	"signalbox/shared/store"
)

// executioner kills a function when it makes a call for one message, so often and not more.
type executioner struct {
	mu      sync.Mutex
	cloud   *local.Cloud
	at      func(cloud.Call) bool
	after   bool
	message string // part of what it is called in the function's event
	kills   int
	most    int
}

func (e *executioner) Pass(c cloud.Call, effect func()) bool {
	if !e.after && e.kill(c) {
		return false
	}
	effect()
	return !e.after || !e.kill(c)
}

func (e *executioner) kill(c cloud.Call) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cloud == nil || e.kills == e.most || !e.at(c) || !e.cloud.KillIf(c.Caller, func(event []byte) bool {
		return slices.ContainsFunc(messagesOf(event), func(m string) bool { return strings.Contains(m, e.message) })
	}) {
		return false
	}
	e.kills++
	return true
}

// TestTheThirdKillMakesADeadLetter kills the function that works on one message again and again, always at the same call. The
// message is given up as crashed, and those behind it in its thread go on.
func TestTheThirdKillMakesADeadLetter(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts processes and waits for time-outs")
	}
	root, err := local.Root()
	if err != nil {
		t.Fatal(err)
	}
	if err := local.Build(t.Context(), root, t.Output()); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		function string
		at       func(cloud.Call) bool
		after    bool
		stage    string
		kills    int
		held     int // how often the message is in the CRM all the same
	}{
		"the router, which counts from the third receive on": {
			"Route", func(c cloud.Call) bool { return c.Service == "sqs" }, false, "route", 5, 0,
		},
		"the connector before its first call to the CRM": {
			"hubspotDeliver", func(c cloud.Call) bool { return c.Service == "hubspot" }, false, "deliver-hubspot", 3, 0,
		},
		"the connector after the record was written and before it knows; the first time it got further, which does not count": {
			"hubspotDeliver", func(c cloud.Call) bool { return strings.Contains(c.Operation, "communications/batch/") }, true, "deliver-hubspot", 4, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &executioner{at: func(call cloud.Call) bool { return call.Function() == c.function && c.at(call) }, after: c.after, most: c.kills}
			l, err := local.Start(t.Context(), local.Options{
				Root: root, Times: Times(), Built: true, MaxProcesses: 1, LogFile: "test-crash-" + c.stage + "-" + c.function + map[bool]string{true: "-after"}[c.after] + ".log",
				Hooks: local.Hooks{Observer: e},
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(l.Stop)
			client, err := samples.NewClient(root, plugins.Channels(), l.Target())
			if err != nil {
				t.Fatal(err)
			}
			e.mu.Lock()
			e.cloud, e.message = l, string(client.EventID(sample(client, 1, 0, Webhook{}, time.Time{})))
			e.mu.Unlock()
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			for _, s := range []samples.Sample{sample(client, 1, 0, Webhook{}, time.Time{}), sample(client, 1, 1, Webhook{}, time.Time{}), sample(client, 2, 0, Webhook{}, time.Time{})} {
				if status, err := client.Send(ctx, s); err != nil || status != http.StatusOK {
					t.Fatal(status, err)
				}
			}
			r := &run{cloud: l, client: client}
			for r.left(ctx) > 0 || deadLetters(ctx, t, l) == "" {
				if !sleep(ctx, 20*time.Millisecond) {
					t.Fatalf("it does not come to an end; the log is %s", l.LogPath)
				}
			}
			if got := deadLetters(ctx, t, l); strings.Count(got, "crashed") != 1 || !strings.Contains(got, `"stage":"`+c.stage+`"`) {
				t.Errorf("dead letters: %s", got)
			}
			if e.kills != c.kills {
				t.Errorf("%d kills, want %d", e.kills, c.kills)
			}
			records, err := client.Messages(ctx, "hubspot")
			if err != nil {
				t.Fatal(err)
			}
			held := map[string]int{}
			for _, record := range records {
				for _, value := range record.Properties {
					held[value]++
				}
			}
			for s, want := range map[int]int{0: c.held, 1: 1} {
				if got := held[client.MessageKey(sample(client, 1, s, Webhook{}, time.Time{}))]; got != want {
					t.Errorf("message %d of the thread is in the CRM %d times, want %d", s, got, want)
				}
			}
			if held[client.MessageKey(sample(client, 2, 0, Webhook{}, time.Time{}))] != 1 {
				t.Error("another person's message is not in the CRM once")
			}
		})
	}
}

// deadLetters returns the dead letters' pointers that were recorded.
func deadLetters(ctx context.Context, t *testing.T, c *local.Cloud) string {
	t.Helper()
	var all strings.Builder
	for day := range 2 {
		page, _, err := c.Table("StateTable").List(ctx, store.Range{Partition: "demo/dead/" + time.Now().AddDate(0, 0, -day).UTC().Format(time.DateOnly)})
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range page {
			all.Write(record.Data)
		}
	}
	return all.String()
}
