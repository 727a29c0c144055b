package dynamostore

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"signalbox/shared/fault"
	"signalbox/shared/store"
)

// The conditions. Expiry is compared, never left to DynamoDB's deletion, which may take days.
const (
	isAbsent   = "attribute_not_exists(p) OR e <= :now"
	isVersion  = "v = :v AND (attribute_not_exists(e) OR e > :now)"
	isWithin   = "n >= :low AND n <= :high AND (attribute_not_exists(e) OR e > :now)"
	isBelow    = "attribute_not_exists(p) OR n < :n OR e <= :now"
	add        = "SET n = n + :by, v = v + :one, w = :w"
	raise      = "SET n = :n, d = :d, v = if_not_exists(v, :zero) + :one, w = :w REMOVE e"
	raiseUntil = "SET n = :n, d = :d, v = if_not_exists(v, :zero) + :one, w = :w, e = :e"
)

// writerSize is the length of a writer's token: enough that none repeats, little enough to cost no write unit.
const writerSize = 12

// expression is one change in DynamoDB's words.
type expression struct {
	key       item
	put       item    // of Put: the whole item
	update    *string // of Add and Raise
	condition *string
	values    item
}

// express returns the words for a change by a writer.
func express(c store.Change, writer []byte, now time.Time) expression {
	e := expression{key: keyItem(c.Key), values: item{":now": number(now.Unix())}}
	switch c.Kind {
	case store.Add:
		e.condition, e.update = aws.String(isWithin), aws.String(add)
		low, high := window(c.Number, c.Bound)
		e.values[":low"], e.values[":high"] = number(low), number(high)
		e.values[":by"], e.values[":one"], e.values[":w"] = number(c.Number), number(1), binary(writer)
	case store.Raise:
		e.condition, e.update = aws.String(isBelow), aws.String(raise)
		e.values[":n"], e.values[":d"], e.values[":w"] = number(c.Number), binary(c.Data), binary(writer)
		e.values[":zero"], e.values[":one"] = number(0), number(1)
		if !c.Expires.IsZero() {
			e.update = aws.String(raiseUntil)
			e.values[":e"] = number(c.Expires.Unix())
		}
	default:
		e.condition = aws.String(isAbsent)
		if c.Version != 0 {
			e.condition = aws.String(isVersion)
			e.values[":v"] = number(c.Version)
		}
		e.put = fullItem(after(c), writer)
	}
	return e
}

// window returns the numbers to which d can be added with a sum within 0..bound; low is above high when there are none,
// which is why the condition is not BETWEEN: DynamoDB refuses an empty one.
func window(d, bound int64) (low, high int64) {
	if bound < 0 || d == math.MinInt64 {
		return 1, 0
	}
	if high = bound - d; d < 0 && high < bound {
		high = math.MaxInt64
	}
	return -d, high
}

// after returns the record that a Put leaves.
func after(c store.Change) store.Record {
	r := c.Record
	r.Version++
	if !r.Expires.IsZero() {
		r.Expires = time.Unix(r.Expires.Unix(), 0).UTC()
	}
	if len(r.Data) == 0 {
		r.Data = nil
	}
	return r
}

// written returns the record that a Put left, with data of its own.
func written(c store.Change) store.Record {
	r := after(c)
	r.Data = bytes.Clone(r.Data)
	return r
}

// Write makes all changes or none. Of several it returns no more than the changes tell: the Key alone for Add and Raise, Key
// and Version for Check; DynamoDB says nothing after a transaction.
func (s *Store) Write(ctx context.Context, changes ...store.Change) ([]store.Record, error) {
	if err := store.ValidateWrite(changes); err != nil {
		return nil, err
	}
	if len(changes) == 0 {
		return []store.Record{}, nil
	}
	if len(changes) == 1 && changes[0].Kind == store.Check {
		return s.check(ctx, changes[0])
	}
	writer := make([]byte, writerSize)
	_, _ = rand.Read(writer) // it never fails
	if len(changes) > 1 {
		return s.transact(ctx, changes, writer)
	}
	r, err := s.single(ctx, changes[0], writer)
	if err != nil {
		return nil, err
	}
	return []store.Record{r}, nil
}

// check is a Check alone: one consistent read instead of a transaction of two write units.
func (s *Store) check(ctx context.Context, c store.Change) ([]store.Record, error) {
	r, err := s.one(ctx, c.Key)
	if err != nil {
		return nil, err
	}
	if r.Version != c.Version {
		return nil, &store.ConflictError{Held: r}
	}
	return []store.Record{r}, nil
}

// single makes one change by one plain write.
func (s *Store) single(ctx context.Context, c store.Change, writer []byte) (store.Record, error) {
	var left item
	unknown, err := try(ctx, c.Kind != store.Add, func(ctx context.Context) (err error) {
		left, err = s.send(ctx, c.Kind, express(c, writer, time.Now()))
		return err
	})
	conflict, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	switch {
	case ok && writtenBy(conflict.Item, writer):
		return readItem(conflict.Item)
	case ok && unknown:
		return store.Record{}, fault.New(fault.Retryable, CodeUnknown, nil)
	case ok:
		return store.Record{}, conflictWith(0, c.Key, conflict.Item)
	case err != nil:
		return store.Record{}, sorted(err)
	case c.Kind == store.Put:
		return written(c), nil
	case c.Kind == store.Delete:
		return store.Record{Key: c.Key}, nil
	default:
		return readItem(left)
	}
}

// send makes one attempt and returns the item that an update left.
func (s *Store) send(ctx context.Context, k store.Kind, e expression) (item, error) {
	const old = types.ReturnValuesOnConditionCheckFailureAllOld
	switch k {
	case store.Put:
		_, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: s.table, Item: e.put, ConditionExpression: e.condition, ExpressionAttributeValues: e.values,
			ReturnValuesOnConditionCheckFailure: old,
		}, once)
		return nil, err
	case store.Delete:
		_, err := s.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: s.table, Key: e.key, ConditionExpression: e.condition, ExpressionAttributeValues: e.values,
			ReturnValuesOnConditionCheckFailure: old,
		}, once)
		return nil, err
	default:
		out, err := s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: s.table, Key: e.key, UpdateExpression: e.update,
			ConditionExpression: e.condition, ExpressionAttributeValues: e.values,
			ReturnValues: types.ReturnValueAllNew, ReturnValuesOnConditionCheckFailure: old,
		}, once)
		if err != nil {
			return nil, err
		}
		return out.Attributes, nil
	}
}

// conflictWith returns the conflict of a change with the item that was held.
func conflictWith(index int, k store.Key, held item) error {
	if len(held) == 0 {
		return &store.ConflictError{Index: index, Held: store.Record{Key: k}}
	}
	r, err := readItem(held)
	if err != nil {
		return err
	}
	return &store.ConflictError{Index: index, Held: seen(r, time.Now())}
}

// transact makes several changes at once.
func (s *Store) transact(ctx context.Context, changes []store.Change, writer []byte) ([]store.Record, error) {
	// The parts are made once: DynamoDB recognises a token only with the same request.
	now := time.Now()
	in := &dynamodb.TransactWriteItemsInput{ClientRequestToken: aws.String(hex.EncodeToString(writer))}
	for _, c := range changes {
		in.TransactItems = append(in.TransactItems, s.part(c.Kind, express(c, writer, now)))
	}
	_, err := try(ctx, repeatable, func(ctx context.Context) error {
		_, err := s.client.TransactWriteItems(ctx, in, once)
		return err
	})
	if cancelled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		if i := reasonIndex(cancelled.CancellationReasons, reasonConflict); i >= 0 && i < len(changes) {
			return nil, conflictWith(i, changes[i].Key, cancelled.CancellationReasons[i].Item)
		}
	}
	if err != nil {
		return nil, sorted(err)
	}
	records := make([]store.Record, len(changes))
	for i, c := range changes {
		records[i].Key = c.Key
		switch c.Kind {
		case store.Put:
			records[i] = written(c)
		case store.Check:
			records[i].Version = c.Version
		default:
		}
	}
	return records, nil
}

// part is one change of a transaction.
func (s *Store) part(k store.Kind, e expression) types.TransactWriteItem {
	const old = types.ReturnValuesOnConditionCheckFailureAllOld
	switch k {
	case store.Put:
		return types.TransactWriteItem{Put: &types.Put{
			TableName: s.table, Item: e.put, ConditionExpression: e.condition, ExpressionAttributeValues: e.values,
			ReturnValuesOnConditionCheckFailure: old,
		}}
	case store.Delete:
		return types.TransactWriteItem{Delete: &types.Delete{
			TableName: s.table, Key: e.key, ConditionExpression: e.condition, ExpressionAttributeValues: e.values,
			ReturnValuesOnConditionCheckFailure: old,
		}}
	case store.Check:
		return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			TableName: s.table, Key: e.key, ConditionExpression: e.condition, ExpressionAttributeValues: e.values,
			ReturnValuesOnConditionCheckFailure: old,
		}}
	default:
		return types.TransactWriteItem{Update: &types.Update{
			TableName: s.table, Key: e.key, UpdateExpression: e.update,
			ConditionExpression: e.condition, ExpressionAttributeValues: e.values,
			ReturnValuesOnConditionCheckFailure: old,
		}}
	}
}
