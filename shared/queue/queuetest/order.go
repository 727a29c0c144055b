package queuetest

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"signalbox/shared/queue"
	"signalbox/shared/queue/memqueue"

	"github.com/google/go-cmp/cmp"
)

func orderCases() map[string]testCase {
	return map[string]testCase{
		"messages of a group come in the order they were sent, several in one receive": {run: func(e env) {
			e.send("a1")
			e.send("a2")
			e.send("a3")
			e.expect(10, "a1 a2 a3")
		}},
		"as many as possible of one group come before the next group": {run: func(e env) {
			e.send("a1 b1")
			e.send("a2 b2")
			e.expect(10, "a1 a2 b1 b2")
		}},
		"nothing behind a message in flight is handed out": {run: func(e env) {
			e.send("a1 a2 a3")
			first := e.expect(1, "a1")
			e.expect(10, "")
			e.delete(first...)
			e.expect(10, "a2 a3")
		}},
		"of a group what comes before its first message in flight is handed out": {run: prefix},
		"a group in flight does not hold up another": {run: func(e env) {
			e.send("a1 a2 b1")
			e.expect(1, "a1")
			e.expect(10, "b1")
		}},
		"sequence numbers have twenty digits and grow over all groups":    {run: sequences},
		"eight consumers see every group in order and every message once": {takes: 6 * time.Second, run: consumers},
	}
}

func prefix(e env) {
	e.send("a1 a2 a3 a4")
	first := e.expect(3, "a1 a2 a3")
	e.mustHide(first[0], 0)
	e.mustHide(first[2], 0)
	again := e.expect(10, "a1")
	e.expect(10, "")
	e.delete(again...)
	e.expect(10, "")
	e.mustHide(first[1], 0)
	e.expect(10, "a2 a3 a4")
}

func sequences(e env) {
	digits := regexp.MustCompile(`^\d{20}$`)
	last := ""
	of := map[string]string{}
	for name := range strings.FieldsSeq("a1 b1 a2 c1 b2 a3") {
		s := e.send(name)[0].Sequence
		if !digits.MatchString(s) || s <= last {
			e.Fatalf("sequence number %q after %q", s, last)
		}
		last, of[name] = s, s
	}
	for _, d := range e.receive(10) {
		if d.Sequence != of[d.ID] {
			e.Errorf("%s was sent as %s and received as %s", d.ID, of[d.ID], d.Sequence)
		}
	}
}

// consumers lets eight receivers compete; each works on what it received for a while and now and then gives it back.
func consumers(e env) {
	const groups, each, workers = 12, 10, 8
	want := map[string][]string{}
	for n := range each {
		for g := range groups {
			m := queue.Message{ID: fmt.Sprintf("%d-%d", g, n), Group: fmt.Sprintf("group-%d", g), Body: []byte("x")}
			if err := e.Queue.Publish(e.Context(), m); err != nil {
				e.Fatal(err)
			}
			want[m.Group] = append(want[m.Group], m.ID)
		}
	}
	var mu sync.Mutex
	got, total := map[string][]string{}, 0
	work := func(d memqueue.Delivery) (back bool) {
		mu.Lock()
		defer mu.Unlock()
		if d.Attempt == 1 && len(d.ID)%3 == 0 && total%5 == 0 {
			return true
		}
		got[d.Group] = append(got[d.Group], d.ID)
		total++
		return false
	}
	var all sync.WaitGroup
	for range workers {
		all.Go(func() { e.consume(work) })
	}
	all.Wait()
	if diff := cmp.Diff(want, got); diff != "" {
		e.Error(diff)
	}
}

// consume receives until nothing comes, works on each message, and gives back the rest of a group behind one that goes back.
func (e env) consume(work func(memqueue.Delivery) bool) {
	for {
		deliveries, err := e.Queue.Receive(e.Context(), memqueue.Request{Max: 4, Wait: 3 * time.Second})
		if err != nil {
			e.Errorf("receive: %v", err)
			return
		}
		if len(deliveries) == 0 {
			return
		}
		stopped := map[string]bool{}
		for _, d := range deliveries {
			if stopped[d.Group] || work(d) {
				stopped[d.Group] = true
				continue
			}
			if errs, err := e.Queue.Delete(e.Context(), d.ReceiptHandle); err != nil || errs[0] != nil {
				e.Errorf("delete %s: %v %v", d.ID, err, errs)
			}
		}
		for _, d := range deliveries {
			if stopped[d.Group] { // of those that were deleted nothing is to be changed: the refusal is ignored
				_, _ = e.Queue.ChangeVisibility(e.Context(), memqueue.Wait{ReceiptHandle: d.ReceiptHandle})
			}
		}
	}
}
