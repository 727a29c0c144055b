// Package dynamostore keeps records in one DynamoDB table: partition key p and sort key s, both strings, and TTL on e. Each
// change of the port is one literal condition and, where it is an update, one literal update expression.
//
// A call is tried a few times, briefly; everything longer is the queue's affair. What makes that safe for a conditional
// write, whose reply may be lost after its effect, is the writer's token: every Write draws one and leaves it in the items
// it writes, and a second attempt that meets its own token has succeeded. A conflict without the token, after an attempt
// whose outcome is unknown, is neither won nor lost for certain: it is a retryable fault, so that the caller looks again.
// Add alone is not tried again after an unknown outcome, since it could count twice. A transaction carries its token as
// ClientRequestToken, which DynamoDB recognises for ten minutes.
package dynamostore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"signalbox/shared/fault"
	"signalbox/shared/store"
)

// Store is a store.Store over one table. It is safe for concurrent use.
type Store struct {
	client *dynamodb.Client
	table  *string
}

var _ store.Store = (*Store)(nil)

// New returns the Store of a table.
func New(client *dynamodb.Client, table string) *Store {
	return &Store{client: client, table: aws.String(table)}
}

// Get returns one record a key, read consistently: GetItem for one, BatchGetItem for several.
func (s *Store) Get(ctx context.Context, keys ...store.Key) ([]store.Record, error) {
	if err := store.ValidateGet(keys); err != nil {
		return nil, err
	}
	switch len(keys) {
	case 0:
		return []store.Record{}, nil
	case 1:
		r, err := s.one(ctx, keys[0])
		if err != nil {
			return nil, err
		}
		return []store.Record{r}, nil
	default:
		return s.many(ctx, keys)
	}
}

func (s *Store) one(ctx context.Context, k store.Key) (store.Record, error) {
	var out *dynamodb.GetItemOutput
	in := &dynamodb.GetItemInput{TableName: s.table, Key: keyItem(k), ConsistentRead: aws.Bool(true)}
	_, err := try(ctx, repeatable, func(ctx context.Context) (err error) {
		out, err = s.client.GetItem(ctx, in, once)
		return err
	})
	if err != nil {
		return store.Record{}, sorted(err)
	}
	if len(out.Item) == 0 {
		return store.Record{Key: k}, nil
	}
	r, err := readItem(out.Item)
	return seen(r, time.Now()), err
}

func (s *Store) many(ctx context.Context, keys []store.Key) ([]store.Record, error) {
	found, err := s.items(ctx, keys)
	if err != nil {
		return nil, err
	}
	records := make([]store.Record, len(keys))
	for i, k := range keys {
		records[i].Key = k
		if len(found[k]) == 0 {
			continue
		}
		r, err := readItem(found[k])
		if err != nil {
			return nil, err
		}
		records[i] = seen(r, time.Now())
		records[i].Data = slices.Clone(records[i].Data)
	}
	return records, nil
}

// items returns what lies under keys, expired or not.
func (s *Store) items(ctx context.Context, keys []store.Key) (map[store.Key]item, error) {
	found := make(map[store.Key]item, len(keys))
	var open []item
	for _, k := range keys { // DynamoDB refuses a key named twice
		if _, twice := found[k]; !twice {
			found[k] = nil
			open = append(open, keyItem(k))
		}
	}
	for failed := 0; len(open) > 0; {
		items, left, err := s.batch(ctx, open)
		if err != nil {
			return nil, err
		}
		for _, i := range items {
			r, err := readItem(i)
			if err != nil {
				return nil, err
			}
			found[r.Key] = i
		}
		if failed, err = progress(ctx, failed, len(left) < len(open)); err != nil {
			return nil, err
		}
		open = left
	}
	return found, nil
}

// batch reads some of the keys and returns those that DynamoDB left: a reply holds 16 MB, and throttling takes items singly.
func (s *Store) batch(ctx context.Context, keys []item) (items, left []item, err error) {
	var out *dynamodb.BatchGetItemOutput
	in := &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
		*s.table: {Keys: keys, ConsistentRead: aws.Bool(true)},
	}}
	_, err = try(ctx, repeatable, func(ctx context.Context) (err error) {
		out, err = s.client.BatchGetItem(ctx, in, once)
		return err
	})
	if err != nil {
		return nil, nil, sorted(err)
	}
	return out.Responses[*s.table], out.UnprocessedKeys[*s.table].Keys, nil
}

// The literals of List.
const (
	inPartition = "p = :p"
	withPrefix  = "p = :p AND begins_with(s, :prefix)"
	isLive      = "attribute_not_exists(e) OR e > :now"
)

// peek is how many items are looked at to learn whether anything live follows a full page.
const peek = 25

// List returns one page. DynamoDB counts a page before it filters and stops without knowing whether anything follows; so a
// page is filled by further queries, and one item more is asked for than the page takes.
func (s *Store) List(ctx context.Context, r store.Range) (page []store.Record, more bool, err error) {
	if err := store.ValidateList(r); err != nil {
		return nil, false, err
	}
	start, any := bounds(r)
	if !any {
		return nil, false, nil
	}
	width := r.Limit
	for {
		in := s.query(r, start)
		switch {
		case r.Limit > 0:
			in.Limit = aws.Int32(int32(min(r.Limit+1-len(page), 1<<20))) //nolint:gosec // bounded by the line's own min
		case len(page) > 0:
			in.Limit = aws.Int32(peek)
		}
		var out *dynamodb.QueryOutput
		_, err := try(ctx, repeatable, func(ctx context.Context) (err error) {
			out, err = s.client.Query(ctx, in, once)
			return err
		})
		if err != nil {
			return nil, false, sorted(err)
		}
		if page, err = appendItems(page, out.Items); err != nil {
			return nil, false, err
		}
		if width > 0 && len(page) > width {
			return page[:width], true, nil
		}
		if start = out.LastEvaluatedKey; len(start) == 0 {
			return page, false, nil
		}
		width = max(r.Limit, len(page))
	}
}

// bounds returns the start key of a query, nil for the beginning, and whether anything can be in the range at all: DynamoDB
// refuses a start that lies outside the prefix.
func bounds(r store.Range) (start item, any bool) {
	if r.After == "" {
		return nil, true
	}
	if strings.HasPrefix(r.After, r.Prefix) {
		return keyItem(store.Key{Partition: r.Partition, Sort: r.After}), true
	}
	return nil, (r.After < r.Prefix) != r.Descending
}

func (s *Store) query(r store.Range, start item) *dynamodb.QueryInput {
	in := &dynamodb.QueryInput{
		TableName:              s.table,
		KeyConditionExpression: aws.String(inPartition),
		FilterExpression:       aws.String(isLive),
		ExpressionAttributeValues: item{
			":p":   text(r.Partition),
			":now": number(time.Now().Unix()),
		},
		ExclusiveStartKey: start,
		ScanIndexForward:  aws.Bool(!r.Descending),
		ConsistentRead:    aws.Bool(!r.Stale),
	}
	if r.Prefix != "" {
		in.KeyConditionExpression = aws.String(withPrefix)
		in.ExpressionAttributeValues[":prefix"] = text(r.Prefix)
	}
	return in
}

func appendItems(page []store.Record, items []item) ([]store.Record, error) {
	for _, i := range items {
		r, err := readItem(i)
		if err != nil {
			return nil, err
		}
		page = append(page, r)
	}
	return page, nil
}

// Note puts pointers: PutItem for one, BatchWriteItem for several. Of pointers with one key the last is put.
func (s *Store) Note(ctx context.Context, pointers ...store.Record) error {
	if err := store.ValidateNote(pointers); err != nil {
		return err
	}
	open := make([]types.WriteRequest, 0, len(pointers))
	at := make(map[store.Key]int, len(pointers))
	for _, p := range pointers {
		p.Version = 1
		put := types.WriteRequest{PutRequest: &types.PutRequest{Item: fullItem(p, nil)}}
		if i, twice := at[p.Key]; twice {
			open[i] = put
			continue
		}
		at[p.Key] = len(open)
		open = append(open, put)
	}
	if len(open) == 1 {
		in := &dynamodb.PutItemInput{TableName: s.table, Item: open[0].PutRequest.Item}
		_, err := try(ctx, repeatable, func(ctx context.Context) error {
			_, err := s.client.PutItem(ctx, in, once)
			return err
		})
		return sorted(err)
	}
	return s.noteAll(ctx, open)
}

func (s *Store) noteAll(ctx context.Context, open []types.WriteRequest) error {
	for failed := 0; len(open) > 0; {
		var out *dynamodb.BatchWriteItemOutput
		in := &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{*s.table: open}}
		_, err := try(ctx, repeatable, func(ctx context.Context) (err error) {
			out, err = s.client.BatchWriteItem(ctx, in, once)
			return err
		})
		if err != nil {
			return sorted(err)
		}
		left := out.UnprocessedItems[*s.table]
		if failed, err = progress(ctx, failed, len(left) < len(open)); err != nil {
			return err
		}
		open = left
	}
	return nil
}

// progress counts the rounds in a row in which DynamoDB took nothing, waits after each, and gives up after a few.
func progress(ctx context.Context, failed int, some bool) (int, error) {
	if some {
		return 0, nil
	}
	failed++
	if failed == attempts || !pause(ctx, failed) {
		return failed, fault.New(fault.Throttled, CodeThrottled, nil)
	}
	return failed, nil
}
