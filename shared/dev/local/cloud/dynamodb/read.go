package dynamodb

import (
	"context"
	"slices"
	"strings"

	"signalbox/shared/dev/local/cloud/awsjson"
	"signalbox/shared/store"
)

type getItemRequest struct {
	TableName      string
	Key            item
	ConsistentRead bool
}

func (h *Handler) getItem(ctx context.Context, in getItemRequest) (any, error) {
	found, err := h.lookAll(ctx, "GetItem", in.TableName, keysOfTable{[]item{in.Key}, in.ConsistentRead}, 1)
	if err != nil || len(found) == 0 {
		return map[string]any{}, err
	}
	return map[string]any{"Item": found[0]}, nil
}

type keysOfTable struct {
	Keys           []item
	ConsistentRead bool
}

type batchGetItemRequest struct {
	RequestItems map[string]keysOfTable
}

func (h *Handler) batchGetItem(ctx context.Context, in batchGetItemRequest, fault Fault) (_ any, err error) {
	responses, left := map[string][]item{}, map[string]keysOfTable{}
	for name, asked := range in.RequestItems {
		if len(asked.Keys) == 0 || len(asked.Keys) > store.MaxGet || len(in.RequestItems) != 1 {
			return nil, awsjson.NotUnderstood("a BatchGetItem of %d tables with %d keys", len(in.RequestItems), len(asked.Keys))
		}
		taken := len(asked.Keys)
		if fault == Unprocessed {
			taken /= 2
			left[name] = keysOfTable{Keys: asked.Keys[taken:], ConsistentRead: asked.ConsistentRead}
		}
		if responses[name], err = h.lookAll(ctx, "BatchGetItem", name, asked, taken); err != nil {
			return nil, err
		}
	}
	return map[string]any{"Responses": responses, "UnprocessedKeys": left}, nil
}

// lookAll returns what is under the first of the keys.
func (h *Handler) lookAll(ctx context.Context, operation, name string, asked keysOfTable, taken int) ([]item, error) {
	keys := make([]store.Key, len(asked.Keys))
	for i, wanted := range asked.Keys {
		k, err := readKey(wanted)
		if err != nil {
			return nil, err
		}
		if slices.Contains(keys[:i], k) {
			return nil, awsjson.NotUnderstood("a %s with a key twice", operation)
		}
		keys[i] = k
	}
	table, err := h.table(ctx, operation, name, keys...)
	if err != nil {
		return nil, err
	}
	items := []item{}
	for _, held := range table.Look(keys[:taken]...) {
		found := wire(held)
		h.readUnits(size(found), asked.ConsistentRead)
		if found != nil {
			items = append(items, found)
		}
	}
	return items, nil
}

type queryRequest struct {
	TableName                 string
	KeyConditionExpression    string
	FilterExpression          string
	ExpressionAttributeValues item
	ExclusiveStartKey         item
	ScanIndexForward          *bool
	ConsistentRead            bool
	Limit                     *int
}

// The expressions of a query.
const (
	inPartition = "p = :p"
	withPrefix  = "p = :p AND begins_with(s, :prefix)"
	isLive      = "attribute_not_exists(e) OR e > :now"
)

func (h *Handler) query(ctx context.Context, in queryRequest) (any, error) {
	r, now, err := in.read()
	if err != nil {
		return nil, err
	}
	table, err := h.table(ctx, "Query", in.TableName, store.Key{Partition: r.Partition})
	if err != nil {
		return nil, err
	}
	page, end := table.Walk(r)
	looked, items := 0, []item{}
	for _, s := range page {
		i := wire(s)
		looked += size(i)
		if s.Expires.IsZero() || s.Expires.Unix() > now {
			items = append(items, i)
		}
	}
	h.readUnits(looked, in.ConsistentRead)
	reply := map[string]any{"Items": items, "Count": len(items), "ScannedCount": len(page)}
	if !end {
		last := page[len(page)-1]
		reply["LastEvaluatedKey"] = item{"p": text(last.Partition), "s": text(last.Sort)}
	}
	return reply, nil
}

func (q *queryRequest) read() (r store.Range, now int64, err error) {
	f := fields{what: "a Query", item: q.ExpressionAttributeValues}
	r.Partition, now = f.text(":p"), f.number(":now")
	switch q.KeyConditionExpression {
	case inPartition:
	case withPrefix:
		if r.Prefix = f.text(":prefix"); r.Prefix == "" {
			return r, 0, awsjson.NotUnderstood("a Query with an empty :prefix")
		}
	default:
		return r, 0, awsjson.NotUnderstood("the key condition %q", q.KeyConditionExpression)
	}
	if q.FilterExpression != isLive {
		return r, 0, awsjson.NotUnderstood("the filter %q", q.FilterExpression)
	}
	if err := f.done(); err != nil {
		return r, 0, err
	}
	if err := checkNow(now); err != nil {
		return r, 0, err
	}
	if q.ExclusiveStartKey != nil {
		start, err := readKey(q.ExclusiveStartKey)
		if err != nil {
			return r, 0, err
		}
		if start.Partition != r.Partition || !strings.HasPrefix(start.Sort, r.Prefix) {
			// DynamoDB's own words.
			return r, 0, &awsjson.Error{
				Status: 400, Type: awsjson.CodeNotUnderstood,
				Message: "The provided starting key is outside query boundaries based on provided conditions",
			}
		}
		r.After = start.Sort
	}
	if q.Limit != nil {
		if r.Limit = *q.Limit; r.Limit < 1 {
			return r, 0, awsjson.NotUnderstood("the limit %d", r.Limit)
		}
	}
	r.Descending = q.ScanIndexForward != nil && !*q.ScanIndexForward
	return r, now, nil
}
