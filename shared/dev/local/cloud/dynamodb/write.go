package dynamodb

import (
	"context"
	"errors"
	"slices"
	"time"

	"signalbox/shared/dev/local/cloud/awsjson"
	"signalbox/shared/fault"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
)

// The conditions and updates that the store writes.
const (
	isAbsent   = "attribute_not_exists(p) OR e <= :now"
	isVersion  = "v = :v AND (attribute_not_exists(e) OR e > :now)"
	isWithin   = "n >= :low AND n <= :high AND (attribute_not_exists(e) OR e > :now)"
	isBelow    = "attribute_not_exists(p) OR n < :n OR e <= :now"
	add        = "SET n = n + :by, v = v + :one, w = :w"
	raise      = "SET n = :n, d = :d, v = if_not_exists(v, :zero) + :one, w = :w REMOVE e"
	raiseUntil = "SET n = :n, d = :d, v = if_not_exists(v, :zero) + :one, w = :w, e = :e"
)

// writeRequest is a write alone, or one part of a transaction.
type writeRequest struct {
	TableName                           string
	Key                                 item
	Item                                item
	ConditionExpression                 string
	UpdateExpression                    string
	ExpressionAttributeValues           item
	ReturnValues                        string
	ReturnValuesOnConditionCheckFailure string
}

// decoded is a write that was understood.
type decoded struct {
	store.Change
	token string
	noted bool // unconditional
}

// change reads a write of an operation: PutItem, UpdateItem, DeleteItem, or ConditionCheckItem in a transaction.
func (w *writeRequest) change(operation string) (decoded, error) {
	var d decoded
	var err error
	switch {
	case operation == "PutItem" && w.Key == nil && w.UpdateExpression == "":
		d.Record, d.token, err = readItem(w.Item)
	case operation != "PutItem" && w.Item == nil && (operation == "UpdateItem") == (w.UpdateExpression != ""):
		d.Key, err = readKey(w.Key)
	default:
		err = awsjson.NotUnderstood("a %s with this selection of Key, Item and UpdateExpression", operation)
	}
	if err != nil {
		return d, err
	}
	if operation == "PutItem" && w.ConditionExpression == "" && len(w.ExpressionAttributeValues) == 0 {
		if d.noted = true; d.Version != 1 || d.token != "" {
			return d, awsjson.NotUnderstood("an unconditional PutItem of version %d", d.Version)
		}
		return d, nil
	}
	if w.ReturnValuesOnConditionCheckFailure != "ALL_OLD" {
		return d, awsjson.NotUnderstood("a condition without ALL_OLD on its failure")
	}
	return d, w.condition(operation, &d)
}

func (w *writeRequest) condition(operation string, d *decoded) error {
	f := fields{what: "a write", item: w.ExpressionAttributeValues}
	now, written := f.number(":now"), d.Version
	kind := map[string]store.Kind{"PutItem": store.Put, "DeleteItem": store.Delete, "ConditionCheckItem": store.Check}[operation]
	switch {
	case w.ConditionExpression == isAbsent && w.UpdateExpression == "":
		d.Kind, d.Version = kind, 0
	case w.ConditionExpression == isVersion && w.UpdateExpression == "":
		d.Kind, d.Version = kind, f.number(":v")
	case w.ConditionExpression == isWithin && w.UpdateExpression == add:
		d.Kind = store.Add
		d.Number, d.token = f.number(":by"), string(f.binary(":w"))
		if !d.bound(f.number(":low"), f.number(":high")) || f.number(":one") != 1 {
			return awsjson.NotUnderstood("an addition whose values do not belong together")
		}
	case w.ConditionExpression == isBelow && (w.UpdateExpression == raise || w.UpdateExpression == raiseUntil):
		d.Kind = store.Raise
		d.Number, d.Data, d.token = f.number(":n"), f.binary(":d"), string(f.binary(":w"))
		if w.UpdateExpression == raiseUntil {
			d.Expires = time.Unix(f.number(":e"), 0)
		}
		if f.number(":zero") != 0 || f.number(":one") != 1 {
			return awsjson.NotUnderstood("a raise whose values do not belong together")
		}
	default:
		return awsjson.NotUnderstood("the condition %q with the update %q", w.ConditionExpression, w.UpdateExpression)
	}
	if err := f.done(); err != nil {
		return err
	}
	if operation == "PutItem" && written != d.Version+1 {
		return awsjson.NotUnderstood("a PutItem that does not count its version up")
	}
	return checkNow(now)
}

// bound finds the Bound that gives this window; false when none does.
func (d *decoded) bound(low, high int64) bool {
	if low > high {
		d.Bound = -1
		return low == 1 && high == 0
	}
	d.Bound = high + d.Number
	return low == -d.Number
}

func (h *Handler) writeItem(ctx context.Context, operation string, in writeRequest) (any, error) {
	returned := map[string]string{"UpdateItem": "ALL_NEW"}[operation]
	if in.ReturnValues != returned {
		return nil, awsjson.NotUnderstood("a %s with ReturnValues %q", operation, in.ReturnValues)
	}
	d, err := in.change(operation)
	if err != nil {
		return nil, err
	}
	table, err := h.table(ctx, operation, in.TableName, d.Key)
	if err != nil {
		return nil, err
	}
	before := wire(table.Look(d.Key)[0])
	if d.noted {
		h.wrote(writeUnits(before, in.Item))
		return map[string]any{}, translate(table.Note(ctx, d.Record), nil)
	}
	now, met, err := table.WriteAs(ctx, d.token, d.Change)
	if err != nil {
		h.wrote(writeUnits(before, nil))
		return nil, translate(err, wire(met))
	}
	after := wire(memstore.Stored{Record: now[0], Token: d.token})
	h.wrote(writeUnits(before, after))
	if operation == "UpdateItem" {
		return map[string]any{"Attributes": after}, nil
	}
	return map[string]any{}, nil
}

// translate returns the store's error as DynamoDB's.
func translate(err error, met item) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*store.ConflictError](err); ok {
		conflict := failed("ConditionalCheckFailedException", "The conditional request failed")
		if met != nil {
			conflict.Fields = map[string]any{"Item": met}
		}
		return conflict
	}
	switch f := fault.Of(err); f.Kind {
	case fault.Throttled:
		return failed("ProvisionedThroughputExceededException", f.Code)
	case fault.Permanent:
		return awsjson.NotUnderstood("%v", err)
	default:
		return awsjson.Internal()
	}
}

type batchWriteItemRequest struct {
	RequestItems map[string][]batchWrite
}

type batchWrite struct {
	PutRequest *struct{ Item item }
}

func (h *Handler) batchWriteItem(ctx context.Context, in batchWriteItemRequest, fault Fault) (any, error) {
	left := map[string][]batchWrite{}
	for name, writes := range in.RequestItems {
		if len(writes) == 0 || len(writes) > store.MaxWrite || len(in.RequestItems) != 1 {
			return nil, awsjson.NotUnderstood("a BatchWriteItem of %d tables with %d writes", len(in.RequestItems), len(writes))
		}
		if fault == Unprocessed {
			left[name] = writes[len(writes)/2:]
			writes = writes[:len(writes)/2]
		}
		if err := h.putAll(ctx, name, writes); err != nil {
			return nil, err
		}
	}
	return map[string]any{"UnprocessedItems": left}, nil
}

func (h *Handler) putAll(ctx context.Context, name string, writes []batchWrite) error {
	pointers, keys := make([]store.Record, len(writes)), make([]store.Key, len(writes))
	for i, write := range writes {
		if write.PutRequest == nil {
			return awsjson.NotUnderstood("a BatchWriteItem that does not put")
		}
		r, token, err := readItem(write.PutRequest.Item)
		if err != nil {
			return err
		}
		if slices.Contains(keys[:i], r.Key) || r.Version != 1 || token != "" {
			return awsjson.NotUnderstood("a BatchWriteItem with a key twice or a version that is not 1")
		}
		pointers[i], keys[i] = r, r.Key
	}
	table, err := h.table(ctx, "BatchWriteItem", name, keys...)
	if err != nil {
		return err
	}
	for i, held := range table.Look(keys...) {
		h.wrote(writeUnits(wire(held), writes[i].PutRequest.Item))
	}
	return translate(table.Note(ctx, pointers...), nil)
}
