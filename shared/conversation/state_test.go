package conversation_test

import (
	"testing"

	"signalbox/shared/conversation"
)

func TestExternalIDsOfConversationsAreFrozen(t *testing.T) {
	t.Parallel()
	const want = "054108387f646b6397d8603574d6d27b8612401ca8b4751e9a21a419fe025b66"
	s := conversation.State{Line: "number", Channel: "sms", Messages: 7}
	if got := s.ExternalID("demo", "t1_x"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	other := conversation.State{Line: "number", Channel: "rcs"}
	if s.ExternalID("demo", "t1_y") == want || s.ExternalID("other", "t1_x") == want || other.ExternalID("demo", "t1_x") == want {
		t.Error("another conversation has the same key")
	}
}
