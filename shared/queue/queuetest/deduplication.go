package queuetest

import (
	"time"

	"signalbox/shared/queue/memqueue"
)

func deduplicationCases() map[string]testCase {
	return map[string]testCase{
		"a repetition is answered with the first message's identity and not delivered": {run: func(e env) {
			first := e.send("a1")[0]
			e.repeated(first, e.send("a1")[0])
			e.expect(10, "a1")
		}},
		"a repetition within one batch is one message": {run: func(e env) {
			sent := e.send("a1 a2 a1")
			e.repeated(sent[0], sent[2])
			e.expect(10, "a1 a2")
		}},
		"deduplication survives delete": {run: func(e env) {
			first := e.send("a1")[0]
			e.delete(e.expect(10, "a1")...)
			e.repeated(first, e.send("a1")[0])
			e.expect(10, "")
		}},
		"the window is five minutes from the first send, not from the last": {takes: 5 * time.Minute, run: func(e env) {
			first := e.send("a1")[0]
			e.delete(e.expect(10, "a1")...)
			time.Sleep(5*time.Minute - time.Second)
			e.repeated(first, e.send("a1")[0])
			time.Sleep(time.Second)
			if again := e.send("a1")[0]; again.MessageID == first.MessageID || again.Sequence <= first.Sequence {
				e.Errorf("after five minutes the same id was answered %v, the first time %v", again, first)
			}
			e.expect(10, "a1")
		}},
		"with scope messageGroup one id in two groups is two messages": {run: func(e env) {
			both := messages("a1 b1")
			both[1].ID = both[0].ID
			sent, err := e.Queue.Send(e.Context(), both...)
			if err != nil {
				e.Fatal(err)
			}
			if sent[0].MessageID == sent[1].MessageID {
				e.Errorf("both are %s", sent[0].MessageID)
			}
			if n := len(e.receive(10)); n != 2 {
				e.Errorf("received %d messages", n)
			}
		}},
		"with scope queue one id in two groups is one message": {Settings: Settings{PerQueue: true}, run: func(e env) {
			both := messages("a1 b1")
			both[1].ID = both[0].ID
			sent, err := e.Queue.Send(e.Context(), both...)
			if err != nil {
				e.Fatal(err)
			}
			e.repeated(sent[0], sent[1])
			e.expect(10, "a1")
		}},
	}
}

func (e env) repeated(first, again memqueue.Sent) {
	e.Helper()
	if again != first {
		e.Errorf("a repetition was answered %v, the first %v", again, first)
	}
}
