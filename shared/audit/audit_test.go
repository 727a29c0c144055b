package audit_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"signalbox/shared/audit"
	"signalbox/shared/fault"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
)

func TestEntriesStayAsTheyWereWritten(t *testing.T) {
	for name, tamper := range map[string]func(*store.Record) *store.Change{
		"an entry is changed": func(r *store.Record) *store.Change {
			r.Data = []byte(strings.Replace(string(r.Data), "reason 1", "reason x", 1))
			return &store.Change{Kind: store.Put, Record: *r}
		},
		"an entry is taken out": func(r *store.Record) *store.Change { return &store.Change{Kind: store.Delete, Record: *r} },
		"nothing":               func(*store.Record) *store.Change { return nil },
	} {
		for n := range 3 {
			t.Run(fmt.Sprintf("%s %d", name, n), func(t *testing.T) {
				s := memstore.New()
				chain := audit.Of(s, "demo", "redrive")
				for i := range 3 {
					e := audit.Entry{At: time.Now(), Action: "redrive", By: "ops", Reason: "reason 1", Subjects: []string{fmt.Sprint(i)}}
					if err := chain.Append(t.Context(), e); err != nil {
						t.Fatal(err)
					}
				}
				page, _, err := s.List(t.Context(), store.Range{Partition: "demo/audit/redrive"})
				if err != nil || len(page) != 4 {
					t.Fatal(err, len(page))
				}
				change := tamper(&page[n])
				if change != nil {
					if _, err := s.Write(t.Context(), *change); err != nil {
						t.Fatal(err)
					}
				}
				entries, err := chain.Entries(t.Context())
				if change == nil && (err != nil || len(entries) != 3 || entries[2].Subjects[0] != "2") {
					t.Errorf("%v %+v", err, entries)
				}
				if change != nil && (err == nil || fault.Of(err).Code != audit.CodeBroken) {
					t.Errorf("nobody noticed: %v", err)
				}
			})
		}
	}
}

func TestWritersSideBySideMakeOneChain(t *testing.T) {
	s := memstore.New()
	chain := audit.Of(s, "demo", "redrive")
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for range 5 {
				err := chain.Append(t.Context(), audit.Entry{Action: "redrive"})
				for err != nil && fault.Of(err).Code == audit.CodeContended {
					err = chain.Append(t.Context(), audit.Entry{Action: "redrive"})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	if entries, err := chain.Entries(t.Context()); err != nil || len(entries) != 20 {
		t.Errorf("%d entries: %v", len(entries), err)
	}
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		by, reason string
		problems   int
	}{
		"a name and a ticket":  {"ada", "INC0012345: mapping was missing until 2026-11-23", 0},
		"nobody and no reason": {"", "", 2},
		"a phone number":       {"ada", "asked by +1 (555) 765-4321", 1},
		"a mail address":       {"ada@example.com", "broken", 1},
		"a novel":              {"ada", strings.Repeat("a", 301), 1},
		"no text":              {"ada", "\xff", 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := audit.Check(c.by, c.reason); len(got) != c.problems {
				t.Errorf("%v", got)
			}
		})
	}
}
