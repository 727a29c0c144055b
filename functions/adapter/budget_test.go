package adapter

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/deadletter"
	"signalbox/shared/fault"
	"signalbox/shared/keyring/keyringtest"
	"signalbox/shared/queue"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
	"signalbox/shared/webhook"
)

// slow is everything an adapter calls, each call of which takes this long, or ends with its context before.
type slow struct {
	directory
	account, line, place, note time.Duration
	panics                     bool
	table                      *memstore.Store
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (s *slow) Account(ctx context.Context, id string) (tenant.Account, error) {
	if err := wait(ctx, s.account); err != nil {
		return tenant.Account{}, err
	}
	return s.directory.Account(ctx, id)
}

func (s *slow) Line(ctx context.Context, account, address string, channel canonical.Channel) (tenant.Line, error) {
	if err := wait(ctx, s.line); err != nil {
		return tenant.Line{}, err
	}
	return s.directory.Line(ctx, account, address, channel)
}

// Publish is a queue that takes nothing.
func (s *slow) Publish(ctx context.Context, _ ...queue.Message) error {
	if err := wait(ctx, s.place); err != nil {
		return err
	}
	if s.panics {
		panic("5551234567")
	}
	return fault.New(fault.Retryable, "queue_down", nil)
}

func (s *slow) Note(ctx context.Context, pointers ...store.Record) error {
	if err := wait(ctx, s.note); err != nil {
		return err
	}
	return s.table.Note(ctx, pointers...)
}

func (s *slow) Write(ctx context.Context, changes ...store.Change) ([]store.Record, error) {
	return s.table.Write(ctx, changes...)
}

// both is a channel whose webhooks are a message and a receipt: two lanes.
type both struct{ batch }

func (b both) Decode(w Webhook) Content { return pair{list{w}} }

// pair is a webhook of both.
type pair struct{ list }

func (p pair) Parse() ([]Parsed, error) {
	message, err := p.list.Parse()
	if err != nil {
		return nil, err
	}
	receipt := message[0]
	receipt.Kind, receipt.Event.Type, receipt.Event.Direction = "receipt", canonical.TypeReceipt, canonical.Status
	receipt.Event.Receipt, receipt.Event.Recipient = &canonical.Receipt{State: "sent"}, receipt.Event.Sender
	return append(message, receipt), nil
}

// TestAWebhookOfTwoLanesIsAnsweredWithinItsTime is what took 12.8 seconds of 10: each step may take all that it has, and the answer
// still comes before the function's end, whatever that is.
func TestAWebhookOfTwoLanesIsAnsweredWithinItsTime(t *testing.T) {
	const (
		forever = time.Hour
		notes   = 2 // of a dead letter
		lines   = 2 // of a webhook
	)
	just := func(total time.Duration, hundredths, times int) time.Duration {
		return total*time.Duration(hundredths)/100/time.Duration(times) - time.Millisecond
	}
	for name, c := range map[string]struct {
		slow   func(total time.Duration, s *slow)
		status int
		kept   string // where the webhook is: spool, letter, or nowhere
	}{
		"all is slow, and the spool takes it": {func(total time.Duration, s *slow) {
			s.line, s.place, s.note = just(total, parseShare, lines), forever, just(total, spoolShare, 1)
		}, http.StatusAccepted, "spool"},
		"all is slow, and nothing takes it": {func(total time.Duration, s *slow) {
			s.line, s.place, s.note = just(total, parseShare, lines), forever, forever
		}, http.StatusServiceUnavailable, "nowhere"},
		"the look-up takes all it has, and the dead letter is slow": {func(total time.Duration, s *slow) {
			s.line, s.note = forever, just(total, deadLetterShare, notes)
		}, http.StatusAccepted, "letter"},
		"a queue panics at its end, and the dead letter is slow": {func(total time.Duration, s *slow) {
			s.line, s.place, s.panics, s.note = just(total, parseShare, lines), just(total, queueShare, 1), true, just(total, deadLetterShare, notes)
		}, http.StatusAccepted, "letter"},
		"a dead letter cannot be kept": {func(_ time.Duration, s *slow) { s.line, s.note = forever, forever }, http.StatusServiceUnavailable, "nowhere"},
		"the account cannot be read":   {func(_ time.Duration, s *slow) { s.account = forever }, http.StatusServiceUnavailable, "nowhere"},
	} {
		for _, total := range []time.Duration{3 * time.Second, 10 * time.Second, 29 * time.Second} {
			t.Run(name+" of "+total.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					world := &slow{table: memstore.New(), account: just(total, accountShare, 1)}
					c.slow(total, world)
					ring, id := keyringtest.New(), telemetry.Identity{}
					spool := NewSpool(world)
					a := New(ring, Parts{
						Channel: both{}, Directory: world, Peppers: world, Sinks: Sinks(world, spool),
						Lanes:       map[canonical.Type][]Sink{canonical.TypeReceipt: ReceiptSinks(world, spool)},
						DeadLetters: NewDeadLetters(ring, world, world, "1"), Logger: telemetry.NewLogger(io.Discard, id), Meter: telemetry.NewMeter(io.Discard, id),
					})
					ctx, cancel := context.WithTimeout(t.Context(), total) // the function's
					defer cancel()
					answer := a.Receive(ctx, webhook.Request{
						Method: http.MethodPost, Path: "/v1/accounts/shared/batch/events", Header: http.Header{"Token": {"token"}}, Body: []byte(`["one"]`),
					})
					if ctx.Err() != nil {
						t.Error("the function had ended")
					}
					spooled, letters, kept := 0, 0, "nowhere"
					for r := range world.table.All() {
						switch {
						case strings.HasPrefix(r.Partition, "spool/"):
							spooled++
						case strings.HasPrefix(r.Sort, "dead/"):
							if _, ok := deadletter.Read(r); ok {
								letters++
							}
						}
					}
					if spooled == 2 {
						kept = "spool"
					} else if letters == 1 {
						kept = "letter"
					}
					if answer.Status != c.status || kept != c.kept {
						t.Errorf("status %d, kept in %s (%d spooled, %d letters): want %d, %s", answer.Status, kept, spooled, letters, c.status, c.kept)
					}
				})
			})
		}
	}
}
