package queuetest

import "time"

func redriveCases() map[string]testCase {
	limited := Settings{Visibility: short, MaxReceives: 2}
	return map[string]testCase{
		"a message received too often moves to the dead letters and unblocks its group": {Settings: limited, run: moved},
		"dead letters keep the order of their group": {Settings: limited, run: func(e env) {
			e.send("a1 a2 a3")
			for range 2 {
				for _, d := range e.expect(10, "a1 a2 a3") {
					e.mustHide(d, 0)
				}
			}
			e.expect(10, "")
			e.same(e.receiveFrom(e.DeadLetters, 10, 0), "a1 a2 a3")
		}},
		"dead letters take a message whose id they have seen": {Settings: limited, run: func(e env) {
			if _, err := e.DeadLetters.Send(e.Context(), messages("a1")...); err != nil {
				e.Fatal(err)
			}
			e.send("a1")
			for range 2 {
				e.mustHide(e.expect(1, "a1")[0], 0)
			}
			e.expect(1, "")
			e.same(e.receiveFrom(e.DeadLetters, 10, 0), "a1 a1")
		}},
		"a message is forgotten when its retention is over, which unblocks its group": {
			Settings: Settings{Retention: time.Minute, Visibility: time.Hour}, takes: 2 * time.Minute,
			run: func(e env) {
				e.send("a1")
				e.expect(1, "a1")
				time.Sleep(time.Minute - time.Second)
				e.send("a2")
				e.expect(1, "")
				time.Sleep(time.Second)
				e.expect(1, "a2")
			},
		},
	}
}

func moved(e env) {
	sent := e.send("a1 a2")
	for range 2 {
		e.mustHide(e.expect(1, "a1")[0], 0)
	}
	e.expect(1, "a2")
	dead := e.receiveFrom(e.DeadLetters, 10, 0)
	e.same(dead, "a1")
	if dead[0].Group != "group-a" || dead[0].MessageID != sent[0].MessageID || dead[0].MovedFrom == "" {
		e.Errorf("%+v became %+v", sent[0], dead[0])
	}
	if errs := e.errs(e.DeadLetters.Delete(e.Context(), dead[0].ReceiptHandle)); errs[0] != nil {
		e.Error(errs[0])
	}
}
