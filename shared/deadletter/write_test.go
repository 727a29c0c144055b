package deadletter_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/deadletter"
	"signalbox/shared/fault"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"

	"github.com/google/go-cmp/cmp"
)

func record() deadletter.Record {
	first := time.Now().Add(-time.Hour).UTC()
	return deadletter.Record{
		ID: "e1.hubspot", Tenant: "demo", Stage: deadletter.StageDeliver("hubspot"), Kind: "permanent", Code: "bad_row", Reason: "bad_row",
		Attempts: 2, First: first, Last: first.Add(time.Minute), FunctionVersion: "7", EventID: "e1", Group: "t1_x", Trace: "00-a-b-01", Body: []byte("body"),
	}
}

// held returns what lies beside the event, and the parts of its body put together.
func held(t *testing.T, s *memstore.Store, rec deadletter.Record) (deadletter.Record, []byte) {
	t.Helper()
	records, err := s.Get(t.Context(), deadletter.Key(rec))
	if err != nil {
		t.Fatal(err)
	}
	got, ok := deadletter.Read(records[0])
	if !ok {
		t.Fatalf("no dead letter at %v", deadletter.Key(rec))
	}
	body := got.Body
	for n := range got.Parts {
		parts, err := s.Get(t.Context(), deadletter.PartKey(got, n))
		if err != nil {
			t.Fatal(err)
		}
		body = append(body, parts[0].Data...)
	}
	return got, body
}

func pointers(t *testing.T, s *memstore.Store, tenant string, day time.Time) int {
	t.Helper()
	page, _, err := s.List(t.Context(), store.Range{Partition: deadletter.Day(tenant, day)})
	if err != nil {
		t.Fatal(err)
	}
	return len(page)
}

func TestWhatIsWrittenIsFoundByEventAndByDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, rec := memstore.New(), record()
		for range 2 {
			if err := deadletter.Write(t.Context(), s, rec); err != nil {
				t.Fatal(err)
			}
		}
		got, _ := held(t, s, rec)
		if diff := cmp.Diff(rec, got); diff != "" {
			t.Error(diff)
		}
		if n := pointers(t, s, "demo", rec.Last); n != 1 {
			t.Errorf("%d pointers", n)
		}
	})
}

func TestTheLaterDeadLetterOfAnEventAndStageIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, first := memstore.New(), record()
		second := first
		second.ID, second.Generation, second.Code, second.Last = "e1.hubspot:1", 1, "other", first.Last.Add(time.Minute)
		echo := second
		echo.Reason, echo.Last = "given up before", second.Last.Add(time.Minute)
		for _, rec := range []deadletter.Record{first, second, first, echo} {
			if err := deadletter.Write(t.Context(), s, rec); err != nil {
				t.Fatal(err)
			}
		}
		if got, _ := held(t, s, first); got.Code != "other" || got.Generation != 1 || got.Reason != second.Reason {
			t.Errorf("held: %+v", got)
		}
		if n := pointers(t, s, "demo", first.Last); n != 3 {
			t.Errorf("%d pointers, want one for each time", n)
		}
	})
}

func TestABodyOfAnySizeIsKept(t *testing.T) {
	for _, size := range []int{0, 1, 200 << 10, 200<<10 + 1, 700 << 10} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, rec := memstore.New(), record()
				rec.Body = bytes.Repeat([]byte{0xfe}, size)
				if err := deadletter.Write(t.Context(), s, rec); err != nil {
					t.Fatal(err)
				}
				if _, body := held(t, s, rec); !bytes.Equal(body, rec.Body) {
					t.Errorf("%d bytes, want %d", len(body), size)
				}
			})
		})
	}
}

func TestWhatNeverBecameAnEventBelongsToNobody(t *testing.T) {
	rec := deadletter.Record{ID: "w1", Stage: deadletter.StageReceive, BytesKey: "bytes/w1"}
	if got, want := deadletter.Key(rec), (store.Key{Partition: "_/event/w1", Sort: "dead/receive"}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	if got, want := deadletter.PartKey(rec, 3), (store.Key{Partition: "bytes/w1", Sort: "part/0003"}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestARecordThatCannotBeFoundAgainIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(*deadletter.Record){
		"no id":    func(r *deadletter.Record) { r.ID = "" },
		"no stage": func(r *deadletter.Record) { r.Stage = "" },
		"no time":  func(r *deadletter.Record) { r.Last = time.Time{} },
	} {
		t.Run(name, func(t *testing.T) {
			rec := record()
			spoil(&rec)
			if f := fault.Of(deadletter.Write(t.Context(), memstore.New(), rec)); f == nil || f.Kind != fault.Permanent {
				t.Errorf("%v", f)
			}
		})
	}
}

func TestAFailureAtAnyCallIsMendedByWritingAgain(t *testing.T) {
	for _, how := range []memstore.Fault{memstore.Throttled, memstore.Before, memstore.After} {
		for n := 1; n <= 4; n++ { // the pointer, two parts, the record
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				s := memstore.New(memstore.Faulty(func(memstore.Call) memstore.Fault {
					if calls++; calls == n {
						return how
					}
					return memstore.None
				}))
				rec := record()
				rec.Body = bytes.Repeat([]byte("x"), 300<<10)
				if err := deadletter.Write(t.Context(), s, rec); !errors.Is(err, memstore.ErrInjected) {
					t.Errorf("call %d: %v", n, err)
				}
				if err := deadletter.Write(t.Context(), s, rec); err != nil {
					t.Errorf("again: %v", err)
				}
				if _, body := held(t, s, rec); !bytes.Equal(body, rec.Body) || pointers(t, s, "demo", rec.Last) != 1 {
					t.Errorf("fault %d at call %d: not whole", how, n)
				}
			})
		}
	}
}
