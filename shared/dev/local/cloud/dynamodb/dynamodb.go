// Package dynamodb is a thin codec: DynamoDB's API over memory stores, as far as the product's store uses it. It knows the
// literal expressions of that store and no other, refuses everything else by name, counts the units that a call would cost,
// and fails calls where it is told to.
// See https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/Welcome.html.
package dynamodb

import (
	"context"
	"net/http"
	"sync"
	"time"

	"signalbox/shared/dev/local/cloud/awsjson"
	"signalbox/shared/store/memstore"
)

// Prefix of X-Amz-Target.
const Prefix = "DynamoDB_20120810"

// Handler is the service. It is safe for concurrent use.
type Handler struct {
	service awsjson.Service
	tables  map[string]*memstore.Store
	choose  func(Call) Fault

	mu           sync.Mutex
	usage        Usage
	calls        int
	transactions map[string]*transaction // by ClientRequestToken
}

// Call is what is about to happen.
type Call struct {
	Operation string // PutItem, Query, ...
	Number    int    // 1 for the first call of this Handler
}

// Fault is how a call fails.
type Fault uint8

// The faults.
const (
	None        Fault = iota
	Throttled         // refused without effect
	Before            // status 500, without effect
	After             // status 500, after the effect
	Dropped           // no reply, without effect
	Lost              // no reply, after the effect
	Busy              // another transaction holds the record, or each of a batch's statements'; without effect
	Unprocessed       // of a batch: the second half is left over (of one: that one), of statements as throttled
)

// Option changes a Handler.
type Option func(*Handler)

// Faulty asks choose how each call is to fail.
func Faulty(choose func(Call) Fault) Option { return func(h *Handler) { h.choose = choose } }

// Refused tells of every request that was not understood: the client keeps no message of an error.
func Refused(tell func(message string)) Option {
	return func(h *Handler) { h.service.Refused = tell }
}

// New returns the service over tables by name.
func New(tables map[string]*memstore.Store, options ...Option) *Handler {
	h := &Handler{tables: tables, usage: Usage{Calls: map[string]int{}}, transactions: map[string]*transaction{}}
	h.service = awsjson.Service{Prefix: Prefix, Version: "1.0", Handle: h.handle}
	for _, o := range options {
		o(h)
	}
	return h
}

// ServeHTTP serves one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.service.ServeHTTP(w, r) }

func (h *Handler) handle(ctx context.Context, operation string, body []byte) (any, error) {
	fault := h.begin(operation)
	switch fault {
	case Throttled:
		return nil, &awsjson.Error{
			Status: http.StatusBadRequest, Type: "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException", Message: "injected",
		}
	case Before:
		return nil, awsjson.Internal()
	case Dropped:
		return nil, awsjson.Drop
	case Busy:
		if operation != "BatchExecuteStatement" {
			return nil, busy(operation)
		}
	default:
	}
	reply, err := h.operate(ctx, operation, body, fault)
	switch fault {
	case After:
		return nil, awsjson.Internal()
	case Lost:
		return nil, awsjson.Drop
	default:
		return reply, err
	}
}

func (h *Handler) begin(operation string) Fault {
	h.mu.Lock()
	h.calls++
	h.usage.Calls[operation]++
	call := Call{Operation: operation, Number: h.calls}
	h.mu.Unlock()
	if h.choose == nil {
		return None
	}
	return h.choose(call)
}

func (h *Handler) operate(ctx context.Context, operation string, body []byte, fault Fault) (any, error) {
	switch operation {
	case "GetItem":
		return h.getItem(body)
	case "BatchGetItem":
		return h.batchGetItem(body, fault)
	case "Query":
		return h.query(body)
	case "PutItem", "UpdateItem", "DeleteItem":
		return h.writeItem(ctx, operation, body)
	case "BatchWriteItem":
		return h.batchWriteItem(ctx, body, fault)
	case "TransactWriteItems":
		return h.transactWriteItems(ctx, body)
	case "BatchExecuteStatement":
		return h.batchExecuteStatement(ctx, body, fault)
	default:
		return nil, awsjson.NotUnderstood("%s", operation)
	}
}

func (h *Handler) table(name string) (*memstore.Store, error) {
	if t := h.tables[name]; t != nil {
		return t, nil
	}
	return nil, &awsjson.Error{
		Status: http.StatusBadRequest, Type: "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
		Message: "Requested resource not found",
	}
}

func busy(operation string) error {
	if operation == "TransactWriteItems" {
		return cancelled([]reason{{Code: "TransactionConflict"}})
	}
	return &awsjson.Error{
		Status: http.StatusBadRequest, Type: "com.amazonaws.dynamodb.v20120810#TransactionConflictException", Message: "injected",
	}
}

// clockTolerance is how far a client's :now may be from ours: both run on one machine, or in one bubble.
const clockTolerance = time.Minute

func checkNow(seconds int64) error {
	if d := time.Since(time.Unix(seconds, 0)); d.Abs() > clockTolerance {
		return awsjson.NotUnderstood("a :now that is %s off", d.Truncate(time.Second))
	}
	return nil
}
