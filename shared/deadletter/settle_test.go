package deadletter_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/deadletter"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
)

func TestSettle(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(t *testing.T, s *memstore.Store, rec deadletter.Record)
		state     deadletter.State
		as        int
	}{
		"what was put back says so": {nil, deadletter.Redriven, 2},
		"a newer dead letter stays open": {func(t *testing.T, s *memstore.Store, rec deadletter.Record) {
			rec.ID, rec.Last = rec.ID+":1", time.Now()
			if err := deadletter.Write(t.Context(), s, rec); err != nil {
				t.Fatal(err)
			}
		}, deadletter.Open, 0},
		"the highest generation stands": {func(t *testing.T, s *memstore.Store, rec deadletter.Record) {
			records, err := s.Get(t.Context(), deadletter.Key(rec))
			if err != nil {
				t.Fatal(err)
			}
			if err := deadletter.Settle(t.Context(), s, records[0], deadletter.Redriven, 3); err != nil {
				t.Fatal(err)
			}
		}, deadletter.Redriven, 3},
		"a copy of the dead letter changes nothing": {func(t *testing.T, s *memstore.Store, rec deadletter.Record) {
			if err := deadletter.Write(t.Context(), s, rec); err != nil {
				t.Fatal(err)
			}
		}, deadletter.Redriven, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, rec := memstore.New(), record()
				if err := deadletter.Write(t.Context(), s, rec); err != nil {
					t.Fatal(err)
				}
				records, err := s.Get(t.Context(), deadletter.Key(rec))
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				if c.meanwhile != nil {
					c.meanwhile(t, s, rec)
				}
				if err := deadletter.Settle(t.Context(), s, records[0], deadletter.Redriven, 2); err != nil {
					t.Fatal(err)
				}
				got, body := held(t, s, rec)
				if got.State != c.state || got.RedrivenAs != c.as || string(body) != "body" {
					t.Errorf("state %q as %d, body %q", got.State, got.RedrivenAs, body)
				}
				if c.state == deadletter.Redriven && !got.SettledAt.Equal(time.Now().Truncate(time.Millisecond)) {
					t.Errorf("settled at %v", got.SettledAt)
				}
				// A copy that comes later still changes nothing.
				if err := deadletter.Write(t.Context(), s, rec); err != nil {
					t.Fatal(err)
				}
				if again, _ := held(t, s, rec); again.State != c.state {
					t.Errorf("a copy made it %q", again.State)
				}
			})
		})
	}
}

// TestAnOlderReleaseKeepsWhatANewerOneWroteInADeadLetter when it settles it.
func TestAnOlderReleaseKeepsWhatANewerOneWroteInADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, rec := memstore.New(), record()
		if err := deadletter.Write(t.Context(), s, rec); err != nil {
			t.Fatal(err)
		}
		key := deadletter.Key(rec)
		records, err := s.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		records[0].Data = append([]byte(`{"assignee":"ops",`), records[0].Data[1:]...)
		if _, err := s.Write(t.Context(), store.Change{Kind: store.Put, Record: records[0]}); err != nil {
			t.Fatal(err)
		}
		if records, err = s.Get(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if err := deadletter.Settle(t.Context(), s, records[0], deadletter.Redriven, 1); err != nil {
			t.Fatal(err)
		}
		if records, err = s.Get(t.Context(), key); err != nil || !strings.Contains(string(records[0].Data), `"assignee":"ops"`) {
			t.Errorf("%s, %v", records[0].Data, err)
		}
	})
}

func TestStagesOfCRMsAreTakenApart(t *testing.T) {
	for stage, want := range map[string]string{
		deadletter.StageDeliver("sales-2"): "sales-2", deadletter.StageReceipts("sales"): "sales",
		deadletter.StageRoute: "none", deadletter.StageRouteReceipts: "none", deadletter.StageReceive: "none", "": "none",
	} {
		of, name, ok := deadletter.CutStage(stage)
		if !ok {
			name = "none"
		}
		if name != want || ok && of(name) != stage {
			t.Errorf("%q is of %q", stage, name)
		}
	}
}
