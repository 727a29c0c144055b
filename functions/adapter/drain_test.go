package adapter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/queue/inorder"
	"signalbox/shared/spool"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
	"signalbox/shared/telemetry"

	"github.com/google/go-cmp/cmp"
)

// accepting is a queue that decides message by message.
type accepting struct {
	accepts func(queue.Message) bool
	got     []string
	calls   int
}

func (a *accepting) Publish(_ context.Context, messages ...queue.Message) error {
	a.calls++
	errs := make([]error, len(messages))
	failed := false
	for i, m := range messages {
		if a.accepts != nil && !a.accepts(m) {
			errs[i], failed = errors.New("refused"), true
			continue
		}
		a.got = append(a.got, m.ID)
	}
	if failed {
		return &queue.PartialError{Errs: errs}
	}
	return nil
}

// messages returns n messages of one group.
func messages(group string, n int) []queue.Message {
	var all []queue.Message
	for i := range n {
		all = append(all, queue.Message{ID: fmt.Sprintf("%s-%03d", group, i), Group: group, Body: []byte{0, 255}, Trace: "trace"})
	}
	return all
}

func identifiers(all []queue.Message) []string {
	var ids []string
	for _, m := range all {
		ids = append(ids, m.ID)
	}
	return ids
}

func newDrain(records SpoolStore, events queue.Publisher) (*Drain, *bytes.Buffer) {
	var output bytes.Buffer
	id := telemetry.Identity{Function: "SpoolDrain", Version: "1"}
	return &Drain{Records: records, Events: events, Margin: time.Second, Logger: telemetry.NewLogger(&output, id), Meter: telemetry.NewMeter(&output, id)}, &output
}

func left(s *memstore.Store) int {
	n := 0
	for range s.All() {
		n++
	}
	return n
}

func TestDrainKeepsTheOrderOfAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := memstore.New()
		spool := NewSpool(table)
		want := messages("group", 57)
		for _, m := range want[:30] {
			if err := spool.Publish(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		if err := spool.Publish(t.Context(), want[30:]...); err != nil {
			t.Fatal(err)
		}
		events := &accepting{}
		drain, _ := newDrain(table, events)
		if err := drain.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(identifiers(want), events.got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if left(table) != 0 {
			t.Errorf("%d records are left", left(table))
		}
	})
}

func TestDrainSendsWhatWasSpooled(t *testing.T) {
	table := memstore.New()
	want := queue.Message{ID: "id", Group: "group", Body: bytes.Repeat([]byte{0, 'a', 255}, queue.MaxBody/3), Trace: "trace"}
	if err := NewSpool(table).Publish(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	var got []queue.Message
	drain, _ := newDrain(table, publisher(func(all []queue.Message) error { got = append(got, all...); return nil }))
	if err := drain.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]queue.Message{want}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// publisher is a function that is a queue.
type publisher func(all []queue.Message) error

func (p publisher) Publish(_ context.Context, all ...queue.Message) error { return p(all) }

func TestDrainLeavesWhatIsNotAccepted(t *testing.T) {
	cases := map[string]struct {
		accepts func(queue.Message) bool
		left    int
	}{
		"everything refused":             {func(queue.Message) bool { return false }, 40},
		"one group refused":              {func(m queue.Message) bool { return m.Group != "a" }, 20},
		"refused from the middle of one": {func(m queue.Message) bool { return m.Group != "a" || m.ID < "a-013" }, 7},
		"everything accepted":            {func(queue.Message) bool { return true }, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			table := memstore.New()
			if spool.Shard("a", spool.Shards) == spool.Shard("b", spool.Shards) {
				t.Fatal("the groups of this test must be in two shards")
			}
			if err := NewSpool(table).Publish(t.Context(), append(messages("a", 20), messages("b", 20)...)...); err != nil {
				t.Fatal(err)
			}
			events := &accepting{accepts: c.accepts}
			drain, _ := newDrain(table, events)
			err := drain.Run(t.Context())
			if (err != nil) != (c.left > 0) || left(table) != c.left {
				t.Errorf("error %v, %d left, want %d", err, left(table), c.left)
			}
			events.accepts = nil
			if err := drain.Run(t.Context()); err != nil || left(table) != 0 {
				t.Errorf("the next run: error %v, %d left", err, left(table))
			}
			for _, group := range []string{"a", "b"} {
				got := slices.DeleteFunc(slices.Clone(events.got), func(id string) bool { return !strings.HasPrefix(id, group) })
				if diff := cmp.Diff(identifiers(messages(group, 20)), got); diff != "" {
					t.Errorf("group %s -want +got:\n%s", group, diff)
				}
			}
		})
	}
}

func TestDrainStopsKnockingAtAClosedDoor(t *testing.T) {
	table := memstore.New()
	for i := range 40 {
		if err := NewSpool(table).Publish(t.Context(), messages(fmt.Sprint("group", i), 1)...); err != nil {
			t.Fatal(err)
		}
	}
	events := &accepting{accepts: func(queue.Message) bool { return false }}
	drain, _ := newDrain(table, events)
	if err := drain.Run(t.Context()); err == nil || events.calls != 1 || left(table) != 40 {
		t.Errorf("error %v after %d calls, %d left", err, events.calls, left(table))
	}
}

// TestDrainPassesWhatTheQueueWillNeverTake is what starved all other shards: one message that was refused for itself.
func TestDrainPassesWhatTheQueueWillNeverTake(t *testing.T) {
	table := memstore.New()
	for i := range 40 {
		if err := NewSpool(table).Publish(t.Context(), messages(fmt.Sprint("group", i), 12)...); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	events := publisher(func(all []queue.Message) error {
		return inorder.Publish(t.Context(), all, func(_ context.Context, part []queue.Message) ([]error, error) {
			errs := make([]error, len(part))
			for i, m := range part {
				if errs[i] = fault.New(fault.Permanent, "refused", nil); !strings.HasSuffix(m.Group, "7") || !strings.HasSuffix(m.ID, "-003") {
					errs[i] = nil
					got = append(got, m.ID)
				}
			}
			return errs, nil
		})
	})
	drain, _ := newDrain(table, events)
	for range 2 {
		if err := drain.Run(t.Context()); err == nil {
			t.Error("a run that left something behind says nothing")
		}
	}
	const stuck, behind = 4, 9 // groups 7, 17, 27 and 37, from their fourth message on
	if want := 40*12 - stuck*behind; len(got) != want || left(table) != stuck*behind {
		t.Errorf("%d sent, %d left, want %d and %d", len(got), left(table), want, stuck*behind)
	}
}

func TestDrainCrashedBeforeRemovingSendsTheSameAgain(t *testing.T) {
	crash := true
	table := memstore.New(memstore.Faulty(func(c memstore.Call) memstore.Fault {
		if crash && c.Operation == memstore.Write {
			return memstore.Before
		}
		return memstore.None
	}))
	want := messages("group", 3)
	if err := NewSpool(table).Publish(t.Context(), want...); err != nil {
		t.Fatal(err)
	}
	events := &accepting{}
	drain, _ := newDrain(table, events)
	if err := drain.Run(t.Context()); err == nil {
		t.Error("a failed removal was not told")
	}
	crash = false
	if err := drain.Run(t.Context()); err != nil || left(table) != 0 {
		t.Errorf("error %v, %d left", err, left(table))
	}
	ids := identifiers(want)
	if diff := cmp.Diff(append(slices.Clone(ids), ids...), events.got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDrainsMayOverlap(t *testing.T) {
	table := memstore.New()
	if err := NewSpool(table).Publish(t.Context(), messages("group", 5)...); err != nil {
		t.Fatal(err)
	}
	other, _ := newDrain(table, &accepting{})
	drain, _ := newDrain(table, publisher(func([]queue.Message) error { return other.Run(context.Background()) }))
	if err := drain.Run(t.Context()); err != nil || left(table) != 0 {
		t.Errorf("error %v, %d left", err, left(table))
	}
}

func TestDrainIsBoundedByItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := memstore.New()
		if err := NewSpool(table).Publish(t.Context(), messages("group", 100)...); err != nil {
			t.Fatal(err)
		}
		drain, _ := newDrain(table, publisher(func([]queue.Message) error { time.Sleep(time.Second); return nil }))
		ctx, cancel := context.WithTimeout(t.Context(), 4500*time.Millisecond)
		defer cancel()
		if err := drain.Run(ctx); err != nil || left(table) != 60 {
			t.Errorf("error %v, %d left, want none and 60: four batches fit", err, left(table))
		}
	})
}

func TestDrainPassesWhatItCannotRead(t *testing.T) {
	table := memstore.New()
	bad := store.Record{Key: store.Key{Partition: spool.Waiting(spool.Shard("group", spool.Shards)), Sort: "0"}, Data: []byte("{")}
	if err := table.Note(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	if err := NewSpool(table).Publish(t.Context(), messages("group", 1)...); err != nil {
		t.Fatal(err)
	}
	events := &accepting{}
	drain, output := newDrain(table, events)
	if err := drain.Run(t.Context()); err != nil || len(events.got) != 1 || left(table) != 1 {
		t.Errorf("error %v, sent %q, %d left", err, events.got, left(table))
	}
	if !strings.Contains(output.String(), "SpoolUnreadable") {
		t.Error("the unreadable record was not counted")
	}
}

func TestSpoolTellsAFailure(t *testing.T) {
	table := memstore.New(memstore.Faulty(func(memstore.Call) memstore.Fault { return memstore.Before }))
	if err := NewSpool(table).Publish(t.Context(), messages("group", 1)...); err == nil {
		t.Error("nothing was kept and no error told")
	}
}

func TestDrainSendsWhatIsDue(t *testing.T) {
	tests := map[string]struct {
		wait time.Duration // from when everything was written until the drain runs
		want []string
	}{
		"nothing is due":                           {59 * time.Second, nil},
		"what is due, and not what comes after":    {time.Minute, []string{"soon"}},
		"after a day without a drain, all of them": {24 * time.Hour, []string{"soon", "later", "last"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				table, now := memstore.New(), time.Now()
				for id, after := range map[string]time.Duration{"soon": time.Minute, "later": time.Hour, "last": 23 * time.Hour} {
					record := spool.Due(now.Add(after), queue.Message{ID: id, Group: "group", Body: []byte("body")})
					for range 2 { // a router that was killed writes it again
						if err := table.Note(t.Context(), record); err != nil {
							t.Fatal(err)
						}
					}
				}
				time.Sleep(tt.wait)
				events := &accepting{}
				drain, output := newDrain(memstore.New(), events)
				drain.Due = table
				for range 2 {
					if err := drain.Run(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if diff := cmp.Diff(tt.want, events.got); diff != "" || left(table) != 3-len(tt.want) {
					t.Errorf("%d are left\n%s%s", left(table), diff, output)
				}
			})
		})
	}
}

// TestDrainSendsDueOnesAgain that the queue took before the drain died.
func TestDrainSendsDueOnesAgain(t *testing.T) {
	dies := true
	table := memstore.New(memstore.Faulty(func(c memstore.Call) memstore.Fault {
		if c.Operation == memstore.Write && dies {
			return memstore.Before
		}
		return memstore.None
	}))
	if err := table.Note(t.Context(), spool.Due(time.Now(), queue.Message{ID: "id", Group: "group"})); err != nil {
		t.Fatal(err)
	}
	events := &accepting{}
	drain, _ := newDrain(memstore.New(), events)
	drain.Due = table
	if err := drain.Run(t.Context()); err == nil {
		t.Error("the drain says that it removed what it did not")
	}
	dies = false
	if err := drain.Run(t.Context()); err != nil || len(events.got) != 2 || left(table) != 0 {
		t.Errorf("error %v, sent %q, %d left", err, events.got, left(table))
	}
}
