package dynamodb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"time"

	"signalbox/shared/dev/local/cloud/awsjson"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
)

// remembered is how long a ClientRequestToken makes a repeat a no-op.
const remembered = 10 * time.Minute

// transaction is what was done for a ClientRequestToken.
type transaction struct {
	body  []byte
	until time.Time
}

type transactWriteItemsRequest struct {
	ClientRequestToken string
	TransactItems      []transactPart
}

// transactPart is one write by its kind.
type transactPart map[string]*writeRequest

// reason is why one part of a transaction was cancelled.
type reason struct {
	Code    string
	Message string `json:",omitempty"`
	Item    item   `json:",omitempty"`
}

func cancelled(reasons []reason) error {
	err := failed("TransactionCanceledException", "Transaction cancelled, please refer cancellation reasons for specific reasons")
	err.Fields = map[string]any{"CancellationReasons": reasons}
	return err
}

// transactWriteItems makes one transaction at a time. The repeat of one that was done has no effect.
func (h *Handler) transactWriteItems(ctx context.Context, in transactWriteItemsRequest) (any, error) {
	table, changes, writer, err := h.readParts(ctx, in.TransactItems)
	if err != nil {
		return nil, err
	}
	token := in.ClientRequestToken
	if token == "" || len(token) > 36 {
		return nil, awsjson.NotUnderstood("a transaction with a ClientRequestToken of %d characters", len(token))
	}
	body, err := json.Marshal(in.TransactItems) // in one order: the SDK writes maps in any
	if err != nil {
		return nil, err
	}
	h.transacting.Lock()
	defer h.transacting.Unlock()
	maps.DeleteFunc(h.transactions, func(_ string, t transaction) bool { return time.Now().After(t.until) })
	earlier, repeat := h.transactions[token]
	switch {
	case !repeat:
		err = h.transact(ctx, table, changes, writer)
	case !bytes.Equal(earlier.body, body):
		err = failed("IdempotentParameterMismatchException", "the token was used with another request")
	}
	if err != nil {
		return nil, err
	}
	h.transactions[token] = transaction{body, time.Now().Add(remembered)}
	return map[string]any{}, nil
}

func (h *Handler) readParts(ctx context.Context, parts []transactPart) (table *memstore.Store, changes []store.Change, token string, err error) {
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
		if table, err = h.table(ctx, operation, name, d.Key); err != nil {
			return nil, nil, "", err
		}
		token = max(token, d.token)
		changes = append(changes, d.Change)
	}
	return table, changes, token, nil
}

// one returns the single write of a part and its operation.
func (p transactPart) one() (w *writeRequest, operation string) {
	known := map[string]string{"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
	for kind, w := range p {
		if operation := known[kind]; operation != "" && len(p) == 1 {
			return w, operation
		}
	}
	return nil, ""
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
