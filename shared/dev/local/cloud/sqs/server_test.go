package sqs_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"signalbox/shared/dev/local/cloud/awsjson"
	"signalbox/shared/dev/local/cloud/sqs"
	"signalbox/shared/queue"
	"signalbox/shared/queue/memqueue"
)

// traceMD5 was computed by another implementation of the checksum.
const (
	traceMD5 = "bea2564b4c828908d0473cae38673bfa"
	trace    = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
)

// call makes one request and returns status, error header and the decoded body.
func call(t *testing.T, s http.Handler, target, body string) (status int, queryError string, answer map[string]any) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", target)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("answered %q: %v", w.Body, err)
	}
	if got := w.Header().Get("Content-Type"); got != "application/x-amz-json-1.0" {
		t.Errorf("the content type is %q", got)
	}
	return w.Code, w.Header().Get("X-Amzn-Query-Error"), answer
}

func newQueue() (*memqueue.Queue, *sqs.Server) {
	dead := memqueue.New(memqueue.Options{Name: "dead.fifo"})
	q := memqueue.New(memqueue.Options{Name: "q.fifo", Visibility: 180 * time.Second, MaxReceives: 1000, DeadLetters: dead})
	return q, sqs.New(q, dead)
}

func TestRefusals(t *testing.T) {
	send := func(entries string) string { return `{"QueueUrl":"http://x/0/q.fifo","Entries":[` + entries + `]}` }
	const entry = `{"Id":"1","MessageBody":"x","MessageGroupId":"g","MessageDeduplicationId":"d"}`
	for name, test := range map[string]struct {
		operation, body string
		code, query     string
	}{
		"an attribute that nobody asks":  {"GetQueueAttributes", `{"QueueUrl":"q.fifo","AttributeNames":["All"]}`, awsjson.CodeNotUnderstood, ""},
		"an operation that nobody sends": {"PurgeQueue", `{}`, awsjson.CodeNotUnderstood, ""},
		"a field that nobody sends":      {"SendMessageBatch", send(strings.Replace(entry, "}", `,"DelaySeconds":1}`, 1)), awsjson.CodeNotUnderstood, ""},
		"another message attribute": {
			"SendMessageBatch", send(strings.Replace(entry, "}", `,"MessageAttributes":{"x":{"DataType":"String","StringValue":"y"}}}`, 1)),
			awsjson.CodeNotUnderstood, "",
		},
		"what is no JSON": {"ReceiveMessage", `{`, awsjson.CodeNotUnderstood, ""},
		"no such queue":   {"ReceiveMessage", `{"QueueUrl":"http://x/0/other"}`, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"},
		"an empty batch":  {"SendMessageBatch", send(""), "EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest"},
		"one id twice":    {"SendMessageBatch", send(entry + "," + entry), "BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"},
		"an id that is none": {
			"DeleteMessageBatch", send(`{"Id":"a b","ReceiptHandle":"x"}`), "InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId",
		},
		"too many": {
			"ChangeMessageVisibilityBatch", send(strings.TrimSuffix(strings.Repeat(`{"Id":"?","ReceiptHandle":"x"},`, 11), ",")),
			"TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
		},
		"too long a wait": {"ReceiveMessage", `{"QueueUrl":"q.fifo","WaitTimeSeconds":21}`, "InvalidParameterValue", ""},
	} {
		t.Run(name, func(t *testing.T) {
			q, s := newQueue()
			for i := range 11 {
				test.body = strings.Replace(test.body, "?", string(rune('a'+i)), 1)
			}
			status, query, answer := call(t, s, sqs.Target+test.operation, test.body)
			if test.query == "" {
				test.query = test.code
			}
			kind, older := "com.amazonaws.sqs#"+test.code, test.query+";Sender"
			if test.code == awsjson.CodeNotUnderstood { // which is none of SQS's
				kind, older = test.code, ""
			}
			if status != http.StatusBadRequest || query != older || answer["__type"] != kind {
				t.Errorf("answered %d %q %v", status, query, answer)
			}
			if answer["message"] == "" || q.Counters() != (memqueue.Counters{}) {
				t.Errorf("answered %v, counted %+v", answer, q.Counters())
			}
		})
	}
	t.Run("another service", func(t *testing.T) {
		_, s := newQueue()
		if status, _, _ := call(t, s, "DynamoDB_20120810.GetItem", `{}`); status != http.StatusBadRequest {
			t.Errorf("answered %d", status)
		}
	})
}

func TestSendAndReceive(t *testing.T) {
	q, s := newQueue()
	status, _, answer := call(t, s, sqs.Target+"SendMessageBatch", `{"QueueUrl":"http://x/0/q.fifo","Entries":[
		{"Id":"a","MessageBody":"derp","MessageGroupId":"g","MessageDeduplicationId":"d",
		 "MessageAttributes":{"traceparent":{"DataType":"String","StringValue":"`+trace+`"}}},
		{"Id":"b","MessageBody":"\u0001","MessageGroupId":"g2","MessageDeduplicationId":"d"},
		{"Id":"c","MessageBody":"x","MessageDeduplicationId":"d"}]}`)
	if status != http.StatusOK {
		t.Fatalf("answered %d %v", status, answer)
	}
	var held memqueue.Held
	for held = range q.All() {
		break
	}
	want := map[string]any{
		"Successful": []any{map[string]any{
			"Id": "a", "MessageId": held.MessageID, "SequenceNumber": held.Sequence,
			"MD5OfMessageBody": "58fd9edd83341c29f1aebba81c31e257", "MD5OfMessageAttributes": traceMD5,
		}},
		"Failed": []any{
			map[string]any{"Id": "b", "Code": "InvalidMessageContents", "Message": "The message contains characters outside the allowed set.", "SenderFault": true},
			map[string]any{"Id": "c", "Code": "MissingParameter", "Message": "the group is not 1 to 128 printable ASCII characters", "SenderFault": true},
		},
	}
	if diff := cmp.Diff(want, answer); diff != "" {
		t.Error(diff)
	}

	_, _, answer = call(t, s, sqs.Target+"ReceiveMessage", `{"QueueUrl":"q.fifo","MaxNumberOfMessages":10,
		"MessageSystemAttributeNames":["MessageGroupId"],"MessageAttributeNames":["traceparent"]}`)
	want = map[string]any{"Messages": []any{map[string]any{
		"MessageId": held.MessageID, "ReceiptHandle": "q.fifo#" + held.Sequence + "#1", "Body": "derp",
		"MD5OfBody": "58fd9edd83341c29f1aebba81c31e257", "MD5OfMessageAttributes": traceMD5,
		"Attributes":        map[string]any{"MessageGroupId": "g"},
		"MessageAttributes": map[string]any{"traceparent": map[string]any{"DataType": "String", "StringValue": trace}},
	}}}
	if diff := cmp.Diff(want, answer); diff != "" {
		t.Error(diff)
	}
}

func TestALostReplyCutsTheConnection(t *testing.T) {
	q, s := newQueue()
	q.Inject(func(memqueue.Call) memqueue.Fault { return memqueue.Fault{After: errors.New("injected")} })
	server := httptest.NewServer(s)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader(
		`{"QueueUrl":"q.fifo","Entries":[{"Id":"1","MessageBody":"x","MessageGroupId":"g","MessageDeduplicationId":"d"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", sqs.Target+"SendMessageBatch")
	reply, err := server.Client().Do(r)
	if err == nil {
		_ = reply.Body.Close()
		t.Errorf("answered %d", reply.StatusCode)
	}
	if c := q.Counters(); c.Sent != 1 {
		t.Errorf("counted %+v", c)
	}
}

func TestALostReplyThatSQSWordsIsThatError(t *testing.T) {
	q, s := newQueue()
	q.Inject(func(memqueue.Call) memqueue.Fault {
		return memqueue.Fault{After: &memqueue.Error{Code: memqueue.CodeInternal, Reason: "injected"}}
	})
	status, _, answer := call(t, s, sqs.Target+"SendMessageBatch",
		`{"QueueUrl":"q.fifo","Entries":[{"Id":"1","MessageBody":"x","MessageGroupId":"g","MessageDeduplicationId":"d"}]}`)
	if c := q.Counters(); status != http.StatusInternalServerError || c.Sent != 1 {
		t.Errorf("answered %d: %v, counted %+v", status, answer, c)
	}
}

func TestEventIsWhatLambdaSends(t *testing.T) {
	q, _ := newQueue()
	if err := q.Publish(t.Context(), queue.Message{ID: "1", Group: "g", Body: []byte("derp"), Trace: trace}); err != nil {
		t.Fatal(err)
	}
	deliveries, err := q.Receive(t.Context(), memqueue.Request{})
	if err != nil {
		t.Fatal(err)
	}
	deliveries[0].MovedFrom = "source.fifo"
	m := sqs.Event("q.fifo", deliveries).Records[0]
	if m.MessageID != deliveries[0].MessageID || m.ReceiptHandle != deliveries[0].ReceiptHandle || m.Body != "derp" ||
		m.MD5OfBody != "58fd9edd83341c29f1aebba81c31e257" || m.MD5OfAttributes != traceMD5 ||
		m.EventSourceARN != "arn:aws:sqs:us-east-1:000000000000:q.fifo" || m.MessageAttributes["traceparent"].StringValue != trace {
		t.Errorf("the record is %+v", m)
	}
	for name, want := range map[string]string{
		"MessageGroupId": "g", "MessageDeduplicationId": "1", "ApproximateReceiveCount": "1", "SequenceNumber": deliveries[0].Sequence,
		"DeadLetterQueueSourceArn": "arn:aws:sqs:us-east-1:000000000000:source.fifo",
	} {
		if m.Attributes[name] != want {
			t.Errorf("%s is %q, want %q", name, m.Attributes[name], want)
		}
	}
}
