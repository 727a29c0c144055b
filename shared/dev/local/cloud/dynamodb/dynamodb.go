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
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
)

// Handler is the service. It is safe for concurrent use.
type Handler struct {
	awsjson.Service
	Faulty func(Call) Fault // says how each call is to fail; may be nil
	tables map[string]*memstore.Store

	mu    sync.Mutex
	usage Usage
	calls int

	transacting  sync.Mutex
	transactions map[string]transaction // done, by ClientRequestToken
}

// Call is what is about to happen.
type Call struct {
	Operation string // PutItem, Query, ...
	Number    int    // 1 for the first call of this Handler
	Request   []byte // its JSON
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

// New returns the service over tables by name.
func New(tables map[string]*memstore.Store) *Handler {
	h := &Handler{tables: tables, transactions: map[string]transaction{}}
	h.Reset()
	h.Service = awsjson.Service{Prefix: "DynamoDB_20120810", Version: "1.0", Handle: h.handle}
	return h
}

func (h *Handler) handle(ctx context.Context, operation string, body []byte) (any, error) {
	fault := h.begin(operation, body)
	switch fault {
	case Throttled:
		return nil, failed("ProvisionedThroughputExceededException", "injected")
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

func (h *Handler) begin(operation string, body []byte) Fault {
	h.mu.Lock()
	h.calls++
	h.usage.Calls[operation]++
	call := Call{Operation: operation, Number: h.calls, Request: body}
	h.mu.Unlock()
	if h.Faulty == nil {
		return None
	}
	return h.Faulty(call)
}

func (h *Handler) operate(ctx context.Context, operation string, body []byte, fault Fault) (any, error) {
	switch operation {
	case "GetItem":
		return awsjson.Do(operation, body, func(in getItemRequest) (any, error) { return h.getItem(ctx, in) })
	case "BatchGetItem":
		return awsjson.Do(operation, body, func(in batchGetItemRequest) (any, error) { return h.batchGetItem(ctx, in, fault) })
	case "Query":
		return awsjson.Do(operation, body, func(in queryRequest) (any, error) { return h.query(ctx, in) })
	case "PutItem", "UpdateItem", "DeleteItem":
		return awsjson.Do(operation, body, func(in writeRequest) (any, error) { return h.writeItem(ctx, operation, in) })
	case "BatchWriteItem":
		return awsjson.Do(operation, body, func(in batchWriteItemRequest) (any, error) { return h.batchWriteItem(ctx, in, fault) })
	case "TransactWriteItems":
		return awsjson.Do(operation, body, func(in transactWriteItemsRequest) (any, error) { return h.transactWriteItems(ctx, in) })
	case "BatchExecuteStatement":
		return awsjson.Do(operation, body, func(in batchExecuteStatementRequest) (any, error) { return h.batchExecuteStatement(ctx, in, fault) })
	default:
		return nil, awsjson.NotUnderstood("%s", operation)
	}
}

// table returns a table for an action on records with these keys, if the caller may do it.
func (h *Handler) table(ctx context.Context, action, name string, keys ...store.Key) (*memstore.Store, error) {
	for _, k := range keys {
		if err := awsjson.Allow(ctx, "dynamodb:"+action, awsjson.ARN("dynamodb", "table/"+name), k.Partition); err != nil {
			return nil, err
		}
	}
	if t := h.tables[name]; t != nil {
		return t, nil
	}
	return nil, failed("ResourceNotFoundException", "Requested resource not found")
}

func failed(kind, message string) *awsjson.Error {
	return &awsjson.Error{Status: http.StatusBadRequest, Type: "com.amazonaws.dynamodb.v20120810#" + kind, Message: message}
}

func busy(operation string) error {
	if operation == "TransactWriteItems" {
		return cancelled([]reason{{Code: "TransactionConflict"}})
	}
	return failed("TransactionConflictException", "injected")
}

// clockTolerance is how far a client's :now may be from ours: both run on one machine, or in one bubble.
const clockTolerance = time.Minute

func checkNow(seconds int64) error {
	if d := time.Since(time.Unix(seconds, 0)); d.Abs() > clockTolerance {
		return awsjson.NotUnderstood("a :now that is %s off", d.Truncate(time.Second))
	}
	return nil
}
