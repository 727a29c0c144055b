package chaos

import (
	"context"
	"encoding/base64"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/local/cloud"

	"github.com/google/go-cmp/cmp"
)

// batch is the event of a queue's messages.
func batch(ids ...string) []byte {
	records := ""
	for i, id := range ids {
		if i > 0 {
			records += ","
		}
		records += fmt.Sprintf(`{"messageId":"m","attributes":{"MessageDeduplicationId":%q,"SentTimestamp":"1700000000000"}}`, id)
	}
	return []byte(`{"Records":[` + records + `]}`)
}

// factory is one process that has an event at hand.
type factory struct {
	process string
	event   []byte
	killed  int
}

func (f *factory) Processes(string) []string { return []string{f.process} }

func (f *factory) KillIf(process string, allowed func([]byte) bool) bool {
	if process != f.process || !allowed(f.event) {
		return false
	}
	f.killed++
	return true
}

func (f *factory) FreezeIf(process string, allowed func([]byte) bool, d time.Duration) bool {
	if process != f.process || !allowed(f.event) {
		return false
	}
	time.Sleep(d)
	return true
}

func TestTheMessagesOfAnEvent(t *testing.T) {
	form := base64.StdEncoding.EncodeToString([]byte("Body=a&MessageSid=SM1"))
	for name, c := range map[string]struct {
		event string
		want  []string
	}{
		"of a FIFO queue":         {string(batch("a", "b")), []string{"a", "b"}},
		"of a standard queue":     {`{"Records":[{"messageId":"m1"}]}`, []string{"m1"}},
		"of an outreach":          {`{"body":"{\"id\":\"out_1\",\"from\":\"+1\"}","isBase64Encoded":false}`, []string{"out_1"}},
		"of a webhook":            {`{"body":"` + form + `","isBase64Encoded":true}`, []string{"SM1"}},
		"of a schedule":           {`{"detail-type":"Scheduled Event"}`, nil},
		"of nothing":              {``, nil},
		"of what is no JSON":      {`x`, nil},
		"of a body that is wrong": {`{"body":"%","isBase64Encoded":true}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, messagesOf([]byte(c.event))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNoMessageIsKilledAThirdTimeAtAStage(t *testing.T) {
	f := &factory{process: "Route.1"}
	s := newStriker()
	s.setCloud(f)
	for i, c := range []struct {
		process string
		event   []byte
		want    bool
	}{
		{"Route.1", batch("a"), true},
		{"Route.2", batch("a", "b"), true},
		{"Route.3", batch("b", "a"), false}, // the third of a
		{"Route.3", batch("b"), true},
		{"Route.4", batch("b"), false},
		{"Deliver.1", batch("a"), true}, // another stage
		{"Route.5", nil, true},          // nothing at hand
	} {
		f.process, f.event = c.process, c.event
		if got := s.kill(c.process, Strike{}); got != c.want {
			t.Errorf("%d: %v, want %v", i, got, c.want)
		}
	}
	if s.total != 5 || f.killed != 5 {
		t.Errorf("%d kills are counted, %d were done", s.total, f.killed)
	}
}

func TestATimeOutCountsAsAKill(t *testing.T) {
	f := &factory{process: "Route.1", event: batch("a")}
	s := newStriker()
	s.setCloud(f)
	for range mostKills {
		s.ended(local.Invocation{Function: "Route", Failed: true, Event: batch("b")}) // it was killed, and that was counted
		s.ended(local.Invocation{Function: "Route", Failed: true, TimedOut: true, Event: batch("a")})
	}
	if s.kill("Route.1", Strike{}) {
		t.Error("a message whose functions timed out twice was killed")
	}
	if f.event = batch("b"); !s.kill("Route.1", Strike{}) {
		t.Error("another message was spared")
	}
}

func TestAStrikeMeetsItsBoundary(t *testing.T) {
	put := cloud.Call{Service: "dynamodb", Operation: "PutItem", Caller: "Route.1"}
	for name, after := range map[string]bool{"before": false, "after": true} {
		t.Run(name, func(t *testing.T) {
			f := &factory{process: "Route.1", event: batch("a")}
			s := newStriker()
			s.setCloud(f)
			w := &waiting{Strike{Boundary: boundaryOf(put), After: after}, make(chan struct{})}
			s.due = append(s.due, w)
			effects := 0
			effect := func() { effects++ }
			if !s.Pass(cloud.Call{Service: "sqs", Operation: "SendMessageBatch", Caller: "Route.1"}, effect) || effects != 1 {
				t.Error("another call did not pass")
			}
			if s.Pass(put, effect) {
				t.Error("the call was answered")
			}
			if got := effects == 2; got != after {
				t.Errorf("the call had its effect: %v", got)
			}
			select {
			case <-w.over:
			default:
				t.Error("the strike is not over")
			}
			if !s.Pass(put, effect) {
				t.Error("it was carried out twice")
			}
		})
	}
}

func TestAStrikeWhoseBoundaryDoesNotComeIsOneAtAnyMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &factory{process: "Route.1", event: batch("a")}
		s := newStriker()
		s.setCloud(f)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		s.run(ctx, []Strike{{Boundary: Boundary{"Route", "kms", "Decrypt"}}, {Random: true, Boundary: Boundary{Function: "Route"}}})
		if f.killed != 2 || s.total != 2 || len(s.due) != 0 || time.Since(began) < patience {
			t.Errorf("%d kills, %d due after %s", f.killed, len(s.due), time.Since(began))
		}
	})
}

// none has no process.
type none struct{ factory }

func (none) Processes(string) []string { return nil }

func TestAStrikeThatFindsNothingToKillEndsAndIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStriker()
		s.setCloud(&none{})
		began := time.Now()
		s.run(t.Context(), []Strike{{Boundary: Boundary{"Route", "kms", "Decrypt"}}, {Random: true, Boundary: Boundary{Function: "Drain"}}})
		if took := time.Since(began); took > patience+searches+time.Second {
			t.Errorf("it took %s", took)
		}
		want := map[string]int{"Route before kms Decrypt": 1, "Drain at any moment": 1}
		if diff := cmp.Diff(want, s.missed); diff != "" || s.total > 0 || len(s.due) > 0 {
			t.Errorf("%d kills, %d due, %s", s.total, len(s.due), diff)
		}
	})
}

func TestSpooledMessagesAreNoted(t *testing.T) {
	s, held := newStriker(), ""
	s.spool = func() []string { return []string{held} }
	for _, operation := range []string{"GetItem", "PutItem", "BatchWriteItem"} {
		held = operation
		s.Pass(cloud.Call{Service: "dynamodb", Operation: operation, Caller: "Twilio" + receiver + ".1"}, func() { held = "e-" + operation })
	}
	if diff := cmp.Diff(map[string]bool{"e-PutItem": true, "e-BatchWriteItem": true}, s.spooled); diff != "" {
		t.Error("a read is not the spool, and a write is seen when it had its effect", diff)
	}
}

func TestARequestOrAReplyGetsLost(t *testing.T) {
	for name, c := range map[string]struct {
		request, reply, answered bool
		effects                  int
	}{
		"nothing":     {false, false, true, 1},
		"the request": {true, false, false, 0},
		"the reply":   {false, true, false, 1},
	} {
		s := newStriker()
		s.loses = func(cloud.Call) (bool, bool) { return c.request, c.reply }
		effects := 0
		if answered := s.Pass(cloud.Call{Service: "kms"}, func() { effects++ }); answered != c.answered || effects != c.effects {
			t.Errorf("%s: answered %v after %d effects", name, answered, effects)
		}
	}
}

func TestACallToATableHangsOnceItHadItsEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &factory{process: "Route.1", event: batch("a")}
		s := newStriker()
		s.setCloud(f)
		s.hangs = func() bool { return true }
		put, send := cloud.Call{Service: "dynamodb", Operation: "PutItem", Caller: "Route.1"}, cloud.Call{Service: "sqs", Operation: "SendMessageBatch", Caller: "Route.1"}
		began, effects := time.Now(), 0
		effect := func() { effects++ }
		if !s.Pass(send, effect) || time.Since(began) > 0 {
			t.Error("a call to a queue hung")
		}
		for n := range mostKills {
			if s.Pass(put, effect) || time.Since(began) != time.Duration(n+1)*hanging {
				t.Errorf("a call was answered after %s", time.Since(began))
			}
		}
		if !s.Pass(put, effect) || time.Since(began) != mostKills*hanging {
			t.Error("it hung for a message that had had its share")
		}
		if s.kill("Route.1", Strike{}) || f.killed != 0 {
			t.Error("a message that had had its share was killed")
		}
		if effects != 2+mostKills {
			t.Errorf("%d calls had their effect", effects)
		}
	})
}
