package sqsqueue_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/shared/aws/sqsqueue"
	"signalbox/shared/dev/local/cloud/inprocess"
	local "signalbox/shared/dev/local/cloud/sqs"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/queue/memqueue"
)

// roundTrip is an http.RoundTripper.
type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip is of http.RoundTripper.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// onMemory is a queue over a queue in memory; each call's operation is counted.
func onMemory(q *memqueue.Queue, calls *[]string) ring2 {
	transport := inprocess.Transport{Handler: local.New(q)}
	client := newClient(roundTrip(func(r *http.Request) (*http.Response, error) {
		*calls = append(*calls, strings.TrimPrefix(r.Header.Get("X-Amz-Target"), local.Target))
		return transport.RoundTrip(r)
	}), "http://sqs.test")
	return newRing2(client, local.URL("http://sqs.test", q.Options().Name))
}

func TestPublishMakesOneCallAndNeverRetries(t *testing.T) {
	injected := errors.New("injected")
	for name, wrong := range map[string]memqueue.Fault{
		"accepted":               {},
		"unavailable":            {Before: injected},
		"the connection was cut": {After: injected},
		"throttled":              {Before: &memqueue.Error{Code: memqueue.CodeThrottled, Sender: true}},
		"the entry failed":       {Entries: map[int]error{0: injected}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := memqueue.New(memqueue.Options{Name: "q.fifo"})
				q.Inject(func(memqueue.Call) memqueue.Fault { return wrong })
				var calls []string
				began := time.Now()
				err := onMemory(q, &calls).Publish(t.Context(), queue.Message{ID: "1", Group: "g", Body: []byte("x")})
				if (err == nil) != (wrong.Before == nil && wrong.After == nil && wrong.Entries == nil) {
					t.Errorf("answered %v", err)
				}
				if diff := cmp.Diff([]string{"SendMessageBatch"}, calls); diff != "" {
					t.Error(diff)
				}
				if took := time.Since(began); took != 0 {
					t.Errorf("waited %v", took)
				}
			})
		})
	}
}

func TestFaults(t *testing.T) {
	reply := func(status int, query, body string) roundTrip {
		return func(*http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: status, Header: http.Header{"X-Amzn-Query-Error": {query}, "Content-Type": {"application/x-amz-json-1.0"}},
				Body: io.NopCloser(strings.NewReader(body)),
			}, nil
		}
	}
	refusal := func(code string) string {
		return fmt.Sprintf(`{"__type":"com.amazonaws.sqs#%s","message":"quotes +15551234567"}`, code)
	}
	entry := func(code string) string {
		return fmt.Sprintf(`{"Failed":[{"Id":"0","Code":"%s","Message":"quotes +15551234567","SenderFault":true}]}`, code)
	}
	for name, test := range map[string]struct {
		reply roundTrip
		kind  fault.Kind
		code  string
	}{
		"throttled":              {reply(400, "RequestThrottled;Sender", refusal("RequestThrottled")), fault.Throttled, sqsqueue.CodeThrottled},
		"throttled in general":   {reply(400, "", refusal("ThrottlingException")), fault.Throttled, sqsqueue.CodeThrottled},
		"KMS throttled":          {reply(400, "KMS.ThrottlingException;Sender", refusal("KmsThrottled")), fault.Throttled, sqsqueue.CodeThrottled},
		"too long":               {reply(400, "AWS.SimpleQueueService.BatchRequestTooLong;Sender", refusal("BatchRequestTooLong")), fault.Permanent, sqsqueue.CodeRefused},
		"no such queue":          {reply(400, "AWS.SimpleQueueService.NonExistentQueue;Sender", refusal("QueueDoesNotExist")), fault.Retryable, queue.CodeMissing},
		"no permission":          {reply(403, "", refusal("AccessDeniedException")), fault.Retryable, sqsqueue.CodeNoAccess},
		"unavailable":            {reply(503, "", refusal("ServiceUnavailable")), fault.Retryable, sqsqueue.CodeUnavailable},
		"no JSON":                {reply(502, "", "<html>"), fault.Retryable, sqsqueue.CodeUnavailable},
		"an entry refused":       {reply(200, "", entry("InvalidMessageContents")), fault.Permanent, sqsqueue.CodeRefused},
		"an entry throttled":     {reply(200, "", entry("RequestThrottled")), fault.Throttled, sqsqueue.CodeThrottled},
		"an entry failed":        {reply(200, "", entry("InternalError")), fault.Retryable, sqsqueue.CodeUnavailable},
		"an entry not answered":  {reply(200, "", `{}`), fault.Retryable, sqsqueue.CodeUnanswered},
		"an answer about others": {reply(200, "", `{"Successful":[{"Id":"7","MessageId":"m","MD5OfMessageBody":""}],"Failed":[{"Id":"x","Code":"y"}]}`), fault.Retryable, sqsqueue.CodeUnanswered},
		"a checksum that differs": {
			reply(200, "", `{"Successful":[{"Id":"0","MessageId":"m","MD5OfMessageBody":"00000000000000000000000000000000"}]}`),
			fault.Retryable, sqsqueue.CodeUnavailable,
		},
		"no network": {func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, fault.Retryable, sqsqueue.CodeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			q := sqsqueue.New(newClient(test.reply, "http://sqs.test"), "http://sqs.test/0/q.fifo")
			err := q.Publish(t.Context(), queue.Message{ID: "1", Group: "g", Body: []byte("secret")})
			if _, ok := errors.AsType[*queue.PartialError](err); !ok {
				t.Fatalf("answered %v", err)
			}
			sorted := fault.Of(err)
			if sorted.Kind != test.kind || sorted.Code != test.code {
				t.Errorf("sorted as %v %v, want %v %v", sorted.Kind, sorted.Code, test.kind, test.code)
			}
			if said := sorted.Error(); strings.Contains(said, "+1555") || strings.Contains(said, "secret") {
				t.Errorf("says %q", said)
			}
		})
	}
}

func TestPublishEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := roundTrip(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
		defer cancel()
		began := time.Now()
		err := sqsqueue.New(newClient(hang, "http://sqs.test"), "http://sqs.test/0/q.fifo").Publish(ctx, queue.Message{ID: "1", Group: "g", Body: []byte("x")})
		if fault.Of(err).Kind != fault.Retryable || time.Since(began) != 700*time.Millisecond {
			t.Errorf("answered %v after %v", err, time.Since(began))
		}
	})
}

func TestBodiesThatSQSRefuses(t *testing.T) {
	for name, test := range map[string]struct{ body, want string }{ // want "" is refused
		"a character JSON need not escape": {"{\"text\":\"a\ufffeb\uffff\"}", `{"text":"a\ufffeb\uffff"}`},
		"the same where it is no JSON":     {"a\ufffeb", ""},
		"a control character":              {"a\x00b", ""},
		"what is not UTF-8":                {"\xff", ""},
		"any other character":              {"\"\u0085\u2028\ufffd\U0010ffff\"", "\"\u0085\u2028\ufffd\U0010ffff\""},
	} {
		t.Run(name, func(t *testing.T) {
			q := memqueue.New(memqueue.Options{Name: "q.fifo"})
			var calls []string
			err := onMemory(q, &calls).Publish(t.Context(), queue.Message{ID: "1", Group: "g", Body: []byte(test.body)})
			if test.want == "" {
				if fault.Of(err).Kind != fault.Permanent || len(calls) != 0 {
					t.Errorf("answered %v after %d calls", err, len(calls))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for h := range q.All() {
				if string(h.Body) != test.want {
					t.Errorf("the body became %q", h.Body)
				}
			}
		})
	}
}

func TestSettlingMoreThanTenMakesACallForEachTen(t *testing.T) {
	q := memqueue.New(memqueue.Options{Name: "q.fifo"})
	var calls []string
	client := onMemory(q, &calls)
	var receipts []string
	for i := range 12 {
		m := queue.Message{ID: fmt.Sprint(i), Group: fmt.Sprint(i), Body: []byte("x")}
		if err := client.Publish(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		delivered, err := client.Receive(t.Context(), memqueue.Request{Max: 1})
		if err != nil || len(delivered) != 1 {
			t.Fatalf("received %v, %v", delivered, err)
		}
		receipts = append(receipts, delivered[0].ReceiptHandle)
	}
	calls = nil
	receipts[11] = "nonsense"
	waits := make([]sqsqueue.Wait, len(receipts))
	for i, r := range receipts {
		waits[i] = sqsqueue.Wait{ReceiptHandle: r, For: 1500 * time.Millisecond}
	}
	err := client.Queue.ChangeVisibility(t.Context(), waits...)
	partial, ok := errors.AsType[*queue.PartialError](err)
	if !ok || len(partial.Errs) != 12 {
		t.Fatalf("answered %v", err)
	}
	for i, err := range partial.Errs {
		if (err != nil) != (i == 11) {
			t.Errorf("receipt %d: %v", i, err)
		}
	}
	want := []string{"ChangeMessageVisibilityBatch", "ChangeMessageVisibilityBatch"}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Error(diff)
	}
}

func TestWaitsAreRoundedUpToSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := memqueue.New(memqueue.Options{Name: "q.fifo"})
		var calls []string
		client := onMemory(q, &calls)
		if err := client.Publish(t.Context(), queue.Message{ID: "1", Group: "g", Body: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		delivered, err := client.Receive(t.Context(), memqueue.Request{Max: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Queue.ChangeVisibility(t.Context(), sqsqueue.Wait{ReceiptHandle: delivered[0].ReceiptHandle, For: 1001 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if again, err := client.Receive(t.Context(), memqueue.Request{Max: 1, Wait: 10 * time.Second}); err != nil || len(again) != 1 || time.Since(began) != 2*time.Second {
			t.Errorf("received %v, %v after %v", again, err, time.Since(began))
		}
	})
}

// BenchmarkCodec is the price of the SDK and the local cloud together, without a network.
func BenchmarkCodec(b *testing.B) {
	q := memqueue.New(memqueue.Options{Name: "q.fifo"})
	client := newRing2(newClient(inprocess.Transport{Handler: local.New(q)}, "http://sqs.test"), "http://sqs.test/0/q.fifo")
	body := []byte(`{"text":"` + strings.Repeat("x", 1500) + `"}`)
	n := 0
	publish := func() {
		n++
		if err := client.Publish(b.Context(), queue.Message{ID: fmt.Sprint(n), Group: fmt.Sprint(n % 100), Body: body}); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("publish", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			publish()
		}
	})
	b.Run("publish, receive, delete", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			publish()
			delivered, err := client.Receive(b.Context(), memqueue.Request{Max: 1})
			if err != nil || len(delivered) != 1 {
				b.Fatal(err, len(delivered))
			}
			if _, err := client.Delete(b.Context(), delivered[0].ReceiptHandle); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestAStandardQueueTakesManyMessagesOfOneGroupInOneCall(t *testing.T) {
	q := memqueue.New(memqueue.Options{Name: "q", Standard: true})
	var calls []string
	messages := make([]queue.Message, 25)
	for i := range messages {
		messages[i] = queue.Message{ID: fmt.Sprint(i), Group: "tenant", Body: []byte("x")}
	}
	over := onMemory(q, &calls)
	if err := over.Publish(t.Context(), messages...); err != nil || len(calls) != 3 {
		t.Errorf("%d calls, %v", len(calls), err)
	}
	got, err := over.Receive(t.Context(), memqueue.Request{Max: 10})
	if err != nil || len(got) != 10 {
		t.Fatalf("%d messages, %v", len(got), err)
	}
	for _, d := range got { // the group is for fairness; the id and a sequence a standard queue does not have
		if d.Group != "tenant" || len(d.ID) != len("00000000-0000-4000-8000-000000000000") || d.Sequence != "" {
			t.Errorf("group %q, id %q, sequence %q", d.Group, d.ID, d.Sequence)
		}
	}
}
