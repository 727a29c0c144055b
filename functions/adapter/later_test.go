package adapter

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/webhook"
)

// TestWhatAnotherWebhookTellsBetterIsSentAfterIt: it waits two minutes in the spool, which is there for all that, and no alarm's.
func TestWhatAnotherWebhookTellsBetterIsSentAfterIt(t *testing.T) {
	for name, down := range map[string]bool{"the spool takes it": false, "the spool is down": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				table := memstore.New(memstore.Faulty(func(c memstore.Call) memstore.Fault {
					if down && c.Operation == memstore.Note {
						return memstore.Before
					}
					return memstore.None
				}))
				events, spool := &gate{}, NewSpool(table)
				var output bytes.Buffer
				a := New(nil, Parts{
					Channel: batch{}, Sinks: Sinks(events, spool), Later: LaterSinks(events, spool),
					Logger: telemetry.NewLogger(&output, telemetry.Identity{}), Meter: telemetry.NewMeter(&output, telemetry.Identity{}),
				})
				work := Batch{Later: []queue.Message{{ID: "second", Group: "g", Body: []byte("{}")}}, Messages: []queue.Message{{ID: "first", Group: "g", Body: []byte("{}")}}}
				spooled, err := a.publishAll(t.Context(), work, defaultBudget)
				if err != nil || spooled != 0 || work.count() != 2 {
					t.Fatalf("%d of %d are counted as spooled, %v", spooled, work.count(), err)
				}
				for after, want := range []int{1, 1, 2} {
					if down {
						want = 2 // at once, for nothing that came may be lost
					}
					drain, _ := newDrain(table, events)
					if err := drain.Run(t.Context()); err != nil {
						t.Fatal(err)
					}
					if len(events.got) != want {
						t.Errorf("after %d minutes %d were sent, want %d", after, len(events.got), want)
					}
					time.Sleep(time.Minute)
				}
			})
		})
	}
}

// TestWhatNobodyAskedForIsNoDeadLetter: a provider that tells of all that its account has tells of numbers that are no lines.
func TestWhatNobodyAskedForIsNoDeadLetter(t *testing.T) {
	for name, c := range map[string]struct {
		parsed   Parsed
		channels []canonical.Channel
		code     string
	}{
		"of no line, where lines alone are told": {Parsed{Addresses: []string{"none"}}, []canonical.Channel{canonical.SMS}, CodeUnowned},
		"of no line":                             {Parsed{Addresses: []string{"none"}, Unasked: true}, []canonical.Channel{canonical.SMS}, ""},
		"of a line that serves other channels":   {Parsed{Addresses: []string{"one"}, Unasked: true}, nil, ""},
		"what cannot be read":                    {Parsed{Err: fault.New(fault.Permanent, "unread", nil), Unasked: true}, nil, "unread"},
	} {
		t.Run(name, func(t *testing.T) {
			known := &limited{channels: c.channels}
			c.parsed.Event.Channel = canonical.SMS
			channel := single{parsed: c.parsed}
			a := New(nil, Parts{Channel: channel, Directory: known, Peppers: known})
			w := Webhook{Request: webhook.Request{Received: time.Now()}, AccountID: "shared"}
			work, err := a.Parse(t.Context(), w, channel.Decode(w))
			code := ""
			if work.Unused != nil {
				code = fault.Of(work.Unused).Code
			}
			if err != nil || code != c.code || work.count() != 0 || (work.unasked == 1) != (c.code == "") {
				t.Errorf("%d events, %q, %d elsewhere, %v", work.count(), code, work.unasked, err)
			}
		})
	}
}
