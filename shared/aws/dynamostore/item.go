package dynamostore

import (
	"bytes"
	"errors"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"signalbox/shared/fault"
	"signalbox/shared/store"
)

// The attributes of an item. Their names are part of every item's size, so they are one letter each.
const (
	partitionName = "p" // S, partition key
	sortName      = "s" // S, sort key; DynamoDB sorts strings by their UTF-8 bytes
	versionName   = "v" // N
	numberName    = "n" // N, always there
	dataName      = "d" // B, always there
	expiresName   = "e" // N, seconds since 1970; the table's TTL attribute; not there: never
	writerName    = "w" // B, the token of the Write that wrote it; a noted pointer has none
)

type item = map[string]types.AttributeValue

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func binary(b []byte) types.AttributeValue {
	if b == nil {
		b = []byte{}
	}
	return &types.AttributeValueMemberB{Value: b}
}

func keyItem(k store.Key) item {
	return item{partitionName: text(k.Partition), sortName: text(k.Sort)}
}

// fullItem is a record as it is put, with r.Version. The writer may be nil.
func fullItem(r store.Record, writer []byte) item {
	i := keyItem(r.Key)
	i[versionName], i[numberName], i[dataName] = number(r.Version), number(r.Number), binary(r.Data)
	if !r.Expires.IsZero() {
		i[expiresName] = number(r.Expires.Unix())
	}
	if writer != nil {
		i[writerName] = binary(writer)
	}
	return i
}

var errForeign = errors.New("dynamostore: an item was not written by this package")

// readItem returns the record of an item, expired or not, or a permanent fault for an item that is none of ours.
func readItem(i item) (store.Record, error) {
	var r store.Record
	var err error
	fail := func(e error) {
		if err == nil && e != nil {
			err = fault.New(fault.Permanent, CodeForeign, errForeign)
		}
	}
	r.Partition, r.Sort = readText(i[partitionName], fail), readText(i[sortName], fail)
	r.Version, r.Number = readNumber(i[versionName], fail), readNumber(i[numberName], fail)
	if e, ok := i[expiresName]; ok {
		r.Expires = time.Unix(readNumber(e, fail), 0).UTC()
	}
	data, ok := i[dataName].(*types.AttributeValueMemberB)
	if !ok {
		fail(errForeign)
	} else if len(data.Value) > 0 {
		r.Data = data.Value
	}
	return r, err
}

func readText(a types.AttributeValue, fail func(error)) string {
	s, ok := a.(*types.AttributeValueMemberS)
	if !ok {
		fail(errForeign)
		return ""
	}
	return s.Value
}

func readNumber(a types.AttributeValue, fail func(error)) int64 {
	n, ok := a.(*types.AttributeValueMemberN)
	if !ok {
		fail(errForeign)
		return 0
	}
	value, err := strconv.ParseInt(n.Value, 10, 64)
	fail(err)
	return value
}

// writtenBy reports whether the item is the work of this writer.
func writtenBy(i item, writer []byte) bool {
	w, ok := i[writerName].(*types.AttributeValueMemberB)
	return ok && bytes.Equal(w.Value, writer)
}

// seen returns the record as a reader at now sees it: an expired one is absent.
func seen(r store.Record, now time.Time) store.Record {
	if expired(r, now) {
		return store.Record{Key: r.Key}
	}
	return r
}

func expired(r store.Record, now time.Time) bool {
	return !r.Expires.IsZero() && now.Unix() >= r.Expires.Unix()
}
