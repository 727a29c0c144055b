package dynamodb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"signalbox/shared/dev/local/cloud/awsjson"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
)

// remembered is how long a ClientRequestToken makes a repeat a no-op.
const remembered = 10 * time.Minute

// transaction is what is known of a ClientRequestToken.
type transaction struct {
	body  []byte
	done  bool
	until time.Time
}

type transactWriteItemsRequest struct {
	ClientRequestToken string
	TransactItems      []transactPart
}

type transactPart struct {
	Put, Update, Delete, ConditionCheck *writeRequest
}

// reason is why one part of a transaction was cancelled.
type reason struct {
	Code    string
	Message string `json:",omitempty"`
	Item    item   `json:",omitempty"`
}

func cancelled(reasons []reason) error {
	return &awsjson.Error{
		Status: http.StatusBadRequest, Type: "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
		Message: "Transaction cancelled, please refer cancellation reasons for specific reasons",
		Fields:  map[string]any{"CancellationReasons": reasons},
	}
}

func (h *Handler) transactWriteItems(ctx context.Context, body []byte) (any, error) {
	in, err := awsjson.Read[transactWriteItemsRequest]("TransactWriteItems", body)
	if err != nil {
		return nil, err
	}
	table, changes, token, err := h.readParts(in.TransactItems)
	if err != nil {
		return nil, err
	}
	same, err := json.Marshal(in.TransactItems) // in one order: the SDK writes maps in any
	if err != nil {
		return nil, err
	}
	repeat, err := h.enter(in.ClientRequestToken, same)
	if err != nil || repeat {
		return map[string]any{}, err
	}
	err = h.transact(ctx, table, changes, token)
	h.leave(in.ClientRequestToken, err == nil)
	if err != nil {
		return nil, err
	}
	return map[string]any{}, nil
}

func (h *Handler) readParts(parts []transactPart) (table *memstore.Store, changes []store.Change, token string, err error) {
	if len(parts) < 2 || len(parts) > store.MaxWrite {
		return nil, nil, "", awsjson.NotUnderstood("a transaction of %d parts", len(parts))
	}
	name := ""
	for _, p := range parts {
		w, operation := p.one()
		if w == nil || w.ReturnValues != "" || (name != "" && w.TableName != name) {
			return nil, nil, "", awsjson.NotUnderstood("a part of a transaction that is not one write to one table")
		}
		name = w.TableName
		d, err := w.change(operation)
		if err != nil {
			return nil, nil, "", err
		}
		if d.noted || (token != "" && d.token != "" && d.token != token) {
			return nil, nil, "", awsjson.NotUnderstood("a transaction with a part without condition, or of two writers")
		}
		token = max(token, d.token)
		changes = append(changes, d.Change)
	}
	table, err = h.table(name)
	return table, changes, token, err
}

// one returns the single write of a part and its operation.
func (p transactPart) one() (w *writeRequest, operation string) {
	count := 0
	for name, part := range map[string]*writeRequest{
		"PutItem": p.Put, "UpdateItem": p.Update, "DeleteItem": p.Delete, "ConditionCheck": p.ConditionCheck,
	} {
		if part != nil {
			w, operation = part, name
			count++
		}
	}
	if count != 1 {
		return nil, ""
	}
	return w, operation
}

func (h *Handler) transact(ctx context.Context, table *memstore.Store, changes []store.Change, token string) error {
	keys := make([]store.Key, len(changes))
	for i, c := range changes {
		keys[i] = c.Key
	}
	before := table.Look(keys...)
	_, met, err := table.WriteAs(ctx, token, changes...)
	after := table.Look(keys...)
	for i := range changes {
		h.wrote(2 * writeUnits(wire(before[i]), wire(after[i]))) // a transaction prepares, then commits
	}
	conflict, ok := errors.AsType[*store.ConflictError](err)
	if !ok {
		return translate(err, nil)
	}
	reasons := make([]reason, len(changes))
	for i := range reasons {
		reasons[i].Code = "None"
	}
	reasons[conflict.Index] = reason{Code: "ConditionalCheckFailed", Message: "The conditional request failed", Item: wire(met)}
	return cancelled(reasons)
}

// enter reports whether a token is the repeat of a transaction that was done.
func (h *Handler) enter(token string, body []byte) (repeat bool, err error) {
	if token == "" || len(token) > 36 {
		return false, awsjson.NotUnderstood("a transaction with a ClientRequestToken of %d characters", len(token))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, t := range h.transactions {
		if t.done && time.Now().After(t.until) {
			delete(h.transactions, name)
		}
	}
	t := h.transactions[token]
	switch {
	case t == nil:
		h.transactions[token] = &transaction{body: body}
		return false, nil
	case !t.done:
		return false, &awsjson.Error{
			Status: http.StatusBadRequest, Type: "com.amazonaws.dynamodb.v20120810#TransactionInProgressException", Message: "in progress",
		}
	case !bytes.Equal(t.body, body):
		return false, &awsjson.Error{
			Status:  http.StatusBadRequest,
			Type:    "com.amazonaws.dynamodb.v20120810#IdempotentParameterMismatchException",
			Message: "the token was used with another request",
		}
	default:
		return true, nil
	}
}

func (h *Handler) leave(token string, done bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !done {
		delete(h.transactions, token)
		return
	}
	t := h.transactions[token]
	t.done, t.until = true, time.Now().Add(remembered)
}
