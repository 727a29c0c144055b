package adapter

import (
	"testing"

	"signalbox/shared/queue"
)

func TestWithoutASealerNothingLeavesTheAdapter(t *testing.T) {
	var sent []queue.Message
	defer func() {
		if failed := recover(); failed == nil || len(sent) > 0 {
			t.Errorf("it went on (%v) and sent %d messages", failed, len(sent))
		}
	}()
	receive(t, nil, batch{}, publisher(func(all []queue.Message) error {
		sent = append(sent, all...)
		return nil
	}), "token", `["one"]`)
}
