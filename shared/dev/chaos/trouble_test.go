package chaos

import (
	"regexp"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/dev/local/cloud"
	"signalbox/shared/dev/local/cloud/dynamodb"
	"signalbox/shared/queue"
	"signalbox/shared/queue/memqueue"
)

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
	entries := map[int]int{}
	for operation := range memqueue.OperationChangeVisibility + 1 {
		before, after := 0, 0
		for range 2000 {
			f := l.queueFault(memqueue.Call{Operation: operation, Messages: make([]queue.Message, 3)})
			if f.Before != nil {
				before++
			}
			if f.After != nil {
				after++
			}
			for i := range f.Entries {
				entries[i]++
			}
		}
		if before == 0 || after == 0 || before+after > 300 {
			t.Errorf("operation %d fails %d times before and %d times after its effect", operation, before, after)
		}
	}
	if len(entries) != 3 {
		t.Errorf("entries of batches fail so: %v", entries)
	}
}

func TestEveryCallToATableFailsNowAndThen(t *testing.T) {
	l := newLottery(1)
	for _, operation := range []string{"GetItem", "PutItem", "BatchGetItem", "TransactWriteItems", "BatchExecuteStatement"} {
		seen := map[dynamodb.Fault]int{}
		for range 4000 {
			seen[l.tableFault(dynamodb.Call{Operation: operation})]++
		}
		if seen[dynamodb.None] != 4000 {
			t.Fatalf("%s fails while nothing is to: %v", operation, seen)
		}
		l.on.Store(true)
		for range 4000 {
			seen[l.tableFault(dynamodb.Call{Operation: operation})]++
		}
		l.on.Store(false)
		for f := dynamodb.Throttled; f <= dynamodb.Unprocessed; f++ {
			wants := f != dynamodb.Busy && f != dynamodb.Unprocessed ||
				f == dynamodb.Busy && slices.Contains([]string{"PutItem", "TransactWriteItems", "BatchExecuteStatement"}, operation) ||
				f == dynamodb.Unprocessed && slices.Contains([]string{"BatchGetItem", "BatchExecuteStatement"}, operation)
			if (seen[f] > 0) != wants || seen[f] > 150 {
				t.Errorf("fault %d of %s: %d times", f, operation, seen[f])
			}
		}
	}
}

func TestCallsForKeysAndSecretsGetLostNowAndThen(t *testing.T) {
	l := newLottery(1)
	for _, on := range []bool{false, true} {
		l.on.Store(on)
		for _, service := range []string{"kms", "secretsmanager", "sqs"} {
			requests, replies := 0, 0
			for range 1000 {
				request, reply := l.loses(cloud.Call{Service: service})
				if request {
					requests++
				}
				if reply {
					replies++
				}
			}
			if some := on && service != "sqs"; (requests > 0) != some || (replies > 0) != some || requests+replies > 300 {
				t.Errorf("%s, on %v: %d requests and %d replies of 1,000", service, on, requests, replies)
			}
		}
	}
}

func TestOnlySomeCallsHang(t *testing.T) {
	l := newLottery(1)
	hung := 0
	for range 30_000 {
		if l.hangs() {
			t.Fatal("a call hangs while nothing is to")
		}
	}
	l.on.Store(true)
	for range 30_000 {
		if l.hangs() {
			hung++
		}
	}
	if hung == 0 || hung > 30 {
		t.Errorf("%d of 30,000 calls hang", hung)
	}
}

func TestOutagesBeginAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLottery(1)
		go l.carry(t.Context(), []Outage{{At: time.Second, For: 100 * time.Millisecond}, {At: 2 * time.Second, For: time.Second}})
		began := time.Now()
		for _, c := range []struct {
			at     time.Duration
			closed bool
		}{
			{500 * time.Millisecond, false},
			{1050 * time.Millisecond, true},
			{1500 * time.Millisecond, false},
			{2500 * time.Millisecond, true},
			{3500 * time.Millisecond, false},
		} {
			time.Sleep(time.Until(began.Add(c.at)))
			if got := l.closed.Load(); got != c.closed {
				t.Errorf("after %s: closed is %v", c.at, got)
			}
		}
	})
}
