package dynamostore_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"signalbox/shared/aws/dynamostore"
	cloud "signalbox/shared/dev/local/cloud/dynamodb"
	"signalbox/shared/dev/local/cloud/inprocess"
	"signalbox/shared/fault"
	"signalbox/shared/store"
)

// wordsOf returns "made", "conflict" or the code of the fault of each outcome.
func wordsOf(outcomes []store.Outcome) string {
	words := make([]string, len(outcomes))
	for i, o := range outcomes {
		words[i] = codeOf(o.Err)
		if o.Err == nil {
			words[i] = "made"
		}
	}
	return strings.Join(words, " ")
}

// TestLostRepliesOfStatements: what DynamoDB says of a call or of one of its statements, while b is held by somebody else.
func TestLostRepliesOfStatements(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		fails  []cloud.Fault // of the calls in turn
		update bool          // of records that are there, at their versions
		want   string
		calls  map[string]int
	}{
		"nothing fails": {want: "made conflict made", calls: map[string]int{"BatchExecuteStatement": 1, "BatchGetItem": 1}},
		"what meets itself was made, what meets another has not lost for certain": {
			fails: []cloud.Fault{cloud.Lost}, want: "made store_outcome_unknown made", calls: map[string]int{"BatchExecuteStatement": 2, "BatchGetItem": 1},
		},
		"an update that meets itself was made": {
			fails: []cloud.Fault{cloud.After}, update: true, want: "made store_outcome_unknown made", calls: map[string]int{"BatchExecuteStatement": 2},
		},
		"an update that meets another has lost, and shows it": {update: true, want: "made conflict made", calls: map[string]int{"BatchExecuteStatement": 1}},
		"a call without effect is made again":                 {fails: []cloud.Fault{cloud.Throttled, cloud.Throttled}, want: "made conflict made", calls: map[string]int{"BatchExecuteStatement": 3, "BatchGetItem": 1}},
		"a call that never gets through": {
			fails: []cloud.Fault{cloud.Before, cloud.Before, cloud.Before}, want: "store_failed store_failed store_failed",
			calls: map[string]int{"BatchExecuteStatement": 3},
		},
		"of statements only those that are not through are repeated": {
			fails: []cloud.Fault{cloud.Unprocessed}, want: "made conflict made", calls: map[string]int{"BatchExecuteStatement": 2, "BatchGetItem": 1},
		},
		"statements that stay busy": {
			fails: []cloud.Fault{cloud.Busy, cloud.Busy, cloud.Busy}, want: "store_busy store_busy store_busy", calls: map[string]int{"BatchExecuteStatement": 3},
		},
		"what was met cannot be read": {
			fails: []cloud.Fault{cloud.None, cloud.Before, cloud.Before, cloud.Before}, want: "made store_failed made",
			calls: map[string]int{"BatchExecuteStatement": 1, "BatchGetItem": 3},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				armed := 1000
				w := newWorld(t, inProcess, func(call cloud.Call) cloud.Fault {
					if k := call.Number - armed; k >= 0 && k < len(c.fails) {
						return c.fails[k]
					}
					return cloud.None
				})
				before, version := []string{"b"}, int64(0)
				if c.update {
					before, version = []string{"a", "b", "b", "c"}, 1
				}
				versions := map[string]int64{}
				for _, sort := range before {
					if _, err := w.Write(t.Context(), put(sort, versions[sort])); err != nil {
						t.Fatal(err)
					}
					versions[sort]++
				}
				w.cloud.Reset()
				armed = len(before) + 1
				outcomes := w.WriteEach(t.Context(), put("a", version), put("b", version), put("c", version))
				if got := wordsOf(outcomes); got != c.want {
					t.Errorf("%s, want %s", got, c.want)
				}
				if d := cmp.Diff(c.calls, w.cloud.Usage().Calls); d != "" {
					t.Error(d)
				}
				held, err := w.held.Get(t.Context(), key("a"), key("b"), key("c"))
				if err != nil {
					t.Fatal(err)
				}
				for i, o := range outcomes {
					if o.Err == nil && !cmp.Equal(o.Record, held[i]) {
						t.Errorf("outcome %d says %v, held is %v", i, o.Record, held[i])
					}
				}
			})
		})
	}
}

// TestWhatIsRefusedAsAStatementIsMadeAlone: so that nothing but the number of calls depends on what no document says for certain.
func TestWhatIsRefusedAsAStatementIsMadeAlone(t *testing.T) {
	t.Parallel()
	for sentence, answer := range map[string]struct {
		status int
		body   string
	}{
		"each statement":    {http.StatusOK, `{"Responses":[{"Error":{"Code":"ValidationError"}},{"Error":{"Code":"AccessDenied"}},{"Error":{"Code":"ValidationError"}}]}`},
		"the call":          {http.StatusBadRequest, `{"__type":"com.amazonaws.dynamodb.v20120810#ValidationException","message":"x"}`},
		"the call, by role": {http.StatusBadRequest, `{"__type":"com.amazon.coral.service#AccessDeniedException","message":"x"}`},
		"a condition that does not say what it met": {
			http.StatusOK, `{"Responses":[{"Error":{"Code":"ConditionalCheckFailed"}},{"Error":{"Code":"DuplicateItem"}},{"Error":{"Code":"ConditionalCheckFailed"}}]}`,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(next http.Handler) http.RoundTripper {
				return inprocess.Transport{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), "BatchExecuteStatement") {
						next.ServeHTTP(w, r)
						return
					}
					w.WriteHeader(answer.status)
					_, _ = io.WriteString(w, answer.body)
				})}
			})
			if _, err := w.Write(t.Context(), put("b", 0)); err != nil {
				t.Fatal(err)
			}
			if got := wordsOf(w.WriteEach(t.Context(), put("a", 0), put("b", 0), put("c", 0))); got != "made conflict made" {
				t.Error(got)
			}
		})
	}
}

func TestAnswersToStatementsThatAreNotUnderstood(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		body, code string
		kind       fault.Kind
	}{
		"one reply too few":    {`{"Responses":[{}]}`, dynamostore.CodeFailed, fault.Retryable},
		"a server's error":     {`{"Responses":[{"Error":{"Code":"InternalServerError"}},{"Error":{"Code":"InternalServerError"}}]}`, dynamostore.CodeFailed, fault.Retryable},
		"no table":             {`{"Responses":[{"Error":{"Code":"ResourceNotFound"}},{"Error":{"Code":"ResourceNotFound"}}]}`, dynamostore.CodeDenied, fault.Retryable},
		"patience":             {`{"Responses":[{"Error":{"Code":"RequestLimitExceeded"}},{"Error":{"Code":"ProvisionedThroughputExceeded"}}]}`, dynamostore.CodeThrottled, fault.Throttled},
		"something new":        {`{"Responses":[{"Error":{"Code":"New"}},{"Error":{"Code":"New"}}]}`, dynamostore.CodeFailed, fault.Retryable},
		"a collection is full": {`{"Responses":[{"Error":{"Code":"ItemCollectionSizeLimitExceeded"}},{"Error":{"Code":"ItemCollectionSizeLimitExceeded"}}]}`, dynamostore.CodeRefused, fault.Permanent},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(http.Handler) http.RoundTripper {
					return inprocess.Transport{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, c.body) })}
				})
				for _, o := range w.WriteEach(t.Context(), put("a", 0), put("b", 0)) {
					if f := fault.Of(o.Err); o.Err == nil || f.Kind != c.kind || f.Code != c.code {
						t.Errorf("%v", o.Err)
					}
				}
			})
		})
	}
}

// TestStatementsAreBilledAsSingleWritesAre: ten small records are ten units and one call, and values are never in the text.
func TestStatementsAreBilledAsSingleWritesAre(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var bodies bytes.Buffer
	w := newWorld(t, func(next http.Handler) http.RoundTripper {
		return inprocess.Transport{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			mu.Lock()
			bodies.Write(body)
			mu.Unlock()
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(w, r)
		})}
	})
	var changes []store.Change
	for i := range 10 {
		changes = append(changes, put(strings.Repeat("secret", i+1), 0))
	}
	for range 2 {
		if got := wordsOf(w.WriteEach(t.Context(), changes...)); strings.Count(got, "made") != 10 {
			t.Fatal(got)
		}
		for i := range changes {
			changes[i].Version++
		}
	}
	if u := w.cloud.Usage(); u.WriteUnits != 20 || u.ReadUnits != 0 || !maps.Equal(u.Calls, map[string]int{"BatchExecuteStatement": 2}) {
		t.Errorf("%+v", u)
	}
	for _, statement := range strings.Split(bodies.String(), `"Statement":`)[1:] {
		if text, _, _ := strings.Cut(statement, `"}`); strings.Contains(text, "secret") {
			t.Errorf("the text holds a value: %s", text)
		}
	}
}
