package inorder_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/queue/inorder"
)

// sizes makes messages such as "a1:400", of group a with 400 KiB, and "-1:0", of no group.
func sizes(words string, kib map[string]int) []queue.Message {
	var all []queue.Message
	for name := range strings.FieldsSeq(words) {
		m := queue.Message{ID: name, Group: name[:1], Body: make([]byte, kib[name]<<10)}
		if m.Group == "-" {
			m.Group = ""
		}
		all = append(all, m)
	}
	return all
}

func TestPublish(t *testing.T) {
	whole := errors.New("the call failed")
	tests := map[string]struct {
		messages string
		kib      map[string]int
		refuse   string // ids whose entry fails
		fail     int    // the call, from 1, that fails as a whole
		calls    string // batches, separated by bars
		failed   string // ids that the error names, with h for held back
	}{
		"one message is one call":                          {messages: "a1", calls: "a1"},
		"one message that is refused":                      {messages: "a1", refuse: "a1", calls: "a1", failed: "a1"},
		"one call that fails":                              {messages: "a1", fail: 1, calls: "a1", failed: "a1"},
		"messages of a group go one after another":         {messages: "a1 a2 a3", calls: "a1|a2|a3"},
		"messages without a group go together":             {messages: "-1 -2 -3", calls: "-1 -2 -3"},
		"a refusal without a group holds nothing back":     {messages: "-1 -2 -3", refuse: "-1", calls: "-1 -2 -3", failed: "-1"},
		"a refusal holds back its group":                   {messages: "a1 b1 a2 b2 a3", refuse: "a1", calls: "a1 b1|b2", failed: "a1 a2h a3h"},
		"after a failed call nothing is sent":              {messages: "a1 b1 a2 c1 b2", fail: 1, calls: "a1 b1 c1", failed: "a1 b1 a2h c1 b2h"},
		"what was accepted before stays accepted":          {messages: "a1 b1 a2 a3", fail: 2, calls: "a1 b1|a2", failed: "a2 a3h"},
		"a small message does not overtake its group":      {messages: "a1 b1 b2", kib: map[string]int{"a1": 600, "b1": 600, "b2": 1}, calls: "a1|b1|b2"},
		"a small message of another group may go first":    {messages: "a1 b1 c1", kib: map[string]int{"a1": 600, "b1": 600, "c1": 1}, calls: "a1 c1|b1"},
		"too large a message is not sent":                  {messages: "a1", kib: map[string]int{"a1": 1025}, failed: "a1"},
		"too large a message holds back its group, only":   {messages: "a1 b1 a2", kib: map[string]int{"a1": 1025}, calls: "b1", failed: "a1 a2h"},
		"too large a message behind one that is in flight": {messages: "a1 a2 a3", kib: map[string]int{"a2": 1025}, calls: "a1", failed: "a2 a3h"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			all := sizes(test.messages, test.kib)
			var calls []string
			err := inorder.Publish(t.Context(), all, func(_ context.Context, batch []queue.Message) ([]error, error) {
				names, errs := []string{}, make([]error, len(batch))
				for i, m := range batch {
					names = append(names, m.ID)
					if strings.Contains(test.refuse, m.ID) {
						errs[i] = errors.New("refused")
					}
				}
				calls = append(calls, strings.Join(names, " "))
				if len(calls) == test.fail {
					return nil, whole
				}
				return errs, nil
			})
			if got := strings.Join(calls, "|"); got != test.calls {
				t.Errorf("called %q, want %q", got, test.calls)
			}
			if got := named(t, all, err); got != test.failed {
				t.Errorf("the error names %q, want %q", got, test.failed)
			}
		})
	}
}

// named returns the ids of what was not accepted.
func named(t *testing.T, all []queue.Message, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	partial, ok := errors.AsType[*queue.PartialError](err)
	if !ok || len(partial.Errs) != len(all) {
		t.Fatalf("answered %v", err)
	}
	var names []string
	for i, err := range partial.Errs {
		switch {
		case err == nil:
		case fault.Of(err).Code == inorder.CodeHeldBack:
			names = append(names, all[i].ID+"h")
		default:
			names = append(names, all[i].ID)
		}
	}
	return strings.Join(names, " ")
}

func TestPublishUnorderedFillsBatches(t *testing.T) {
	all := make([]queue.Message, 25)
	for i := range all {
		all[i] = queue.Message{ID: string(rune('a' + i)), Group: "tenant"}
	}
	var sizes []int
	err := inorder.PublishUnordered(t.Context(), all, func(_ context.Context, batch []queue.Message) ([]error, error) {
		sizes = append(sizes, len(batch))
		errs := make([]error, len(batch))
		if len(sizes) == 1 {
			errs[0] = errors.New("refused")
		}
		for _, m := range batch {
			if m.Group != "tenant" {
				t.Errorf("%s has group %q", m.ID, m.Group)
			}
		}
		return errs, nil
	})
	partial, ok := errors.AsType[*queue.PartialError](err)
	if !ok || len(sizes) != 3 || sizes[0] != 10 || sizes[2] != 5 {
		t.Fatalf("batches of %v, %v", sizes, err)
	}
	for i, err := range partial.Errs {
		if (err != nil) != (i == 0) {
			t.Errorf("message %d: %v", i, err)
		}
	}
}
