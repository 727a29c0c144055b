package chaos

import (
	"context"
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/dev/local/cloud"
	"signalbox/shared/queue/memqueue"

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

func TestTheMessagesOfAnEvent(t *testing.T) {
	form := base64.StdEncoding.EncodeToString([]byte("Body=a&MessageSid=SM1"))
	for name, c := range map[string]struct {
		event string
		want  []string
	}{
		"of a FIFO queue":         {string(batch("a", "b")), []string{"a", "b"}},
		"of a standard queue":     {`{"Records":[{"messageId":"m1"}]}`, []string{"m1"}},
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

func TestSpooledMessagesAreNoted(t *testing.T) {
	f := &factory{process: receiver + ".1", event: []byte(`{"body":"MessageSid=SM1"}`)}
	s := newStriker()
	s.setCloud(f)
	s.Pass(cloud.Call{Service: "dynamodb", Operation: "GetItem", Caller: receiver + ".1"}, func() {})
	if len(s.spooled) != 0 {
		t.Error("a read is not the spool")
	}
	s.Pass(cloud.Call{Service: "dynamodb", Operation: "BatchWriteItem", Caller: receiver + ".1"}, func() {})
	if !s.spooled["SM1"] || f.killed != 0 {
		t.Error("the message is not noted, or its process was killed")
	}
}

func TestClocksAreSkewedAndNothingElse(t *testing.T) {
	l := newLottery(1)
	digits := regexp.MustCompile(`"1[0-9]{12}"`)
	seen := map[int64]bool{}
	for range 50 {
		skewed := l.skew("Route", batch("a"))
		found := digits.Find(skewed)
		at, err := strconv.ParseInt(string(found[1:len(found)-1]), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		off := at - 1700000000000
		if off < -mostSkew.Milliseconds() || off > mostSkew.Milliseconds() {
			t.Fatalf("%d ms off", off)
		}
		seen[off] = true
		if string(digits.ReplaceAll(skewed, []byte(`"1700000000000"`))) != string(batch("a")) {
			t.Fatalf("something else changed: %s", skewed)
		}
	}
	if len(seen) < 10 {
		t.Errorf("only %d different skews", len(seen))
	}
}

func TestEveryQueueOperationFailsNowAndThen(t *testing.T) {
	l := newLottery(1)
	for operation := range memqueue.OperationChangeVisibility + 1 {
		before, after := 0, 0
		for range 2000 {
			f := l.queueFault(memqueue.Call{Operation: operation})
			if f.Before != nil {
				before++
			}
			if f.After != nil {
				after++
			}
		}
		if before == 0 || after == 0 || before+after > 300 {
			t.Errorf("operation %d fails %d times before and %d times after its effect", operation, before, after)
		}
	}
}
