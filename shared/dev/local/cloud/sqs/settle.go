package sqs

import (
	"context"
	"time"

	"signalbox/shared/queue/memqueue"
)

type deleteEntry struct {
	Id            string //nolint:revive // the protocol's name
	ReceiptHandle string
}

type deleteBatch struct {
	named
	Entries []deleteEntry
}

type visibilityEntry struct {
	Id                string //nolint:revive // the protocol's name
	ReceiptHandle     string
	VisibilityTimeout int
}

type changeVisibilityBatch struct {
	named
	Entries []visibilityEntry
}

// succeeded is an entry that succeeded where nothing else is to be said.
type succeeded struct {
	Id string //nolint:revive // the protocol's name
}

func (s *Server) deleteBatch(ctx context.Context, q *memqueue.Queue, r deleteBatch) (any, error) {
	id := func(e deleteEntry) string { return e.Id }
	if err := distinct(r.Entries, id); err != nil {
		return nil, err
	}
	receipts := make([]string, len(r.Entries))
	for i, e := range r.Entries {
		receipts[i] = e.ReceiptHandle
	}
	errs, err := q.Delete(ctx, receipts...)
	return batchOf(r.Entries, id, errs, err)
}

func (s *Server) changeVisibilityBatch(ctx context.Context, q *memqueue.Queue, r changeVisibilityBatch) (any, error) {
	id := func(e visibilityEntry) string { return e.Id }
	if err := distinct(r.Entries, id); err != nil {
		return nil, err
	}
	waits := make([]memqueue.Wait, len(r.Entries))
	for i, e := range r.Entries {
		waits[i] = memqueue.Wait{ReceiptHandle: e.ReceiptHandle, For: time.Duration(e.VisibilityTimeout) * time.Second}
	}
	errs, err := q.ChangeVisibility(ctx, waits...)
	return batchOf(r.Entries, id, errs, err)
}

// batchOf returns a batch whose entries say no more than that they succeeded.
func batchOf[Entry any](entries []Entry, id func(Entry) string, errs []error, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	var answer batchResult[succeeded]
	for i, e := range entries {
		if errs[i] != nil {
			answer.Failed = append(answer.Failed, failure(id(e), errs[i]))
			continue
		}
		answer.Successful = append(answer.Successful, succeeded{id(e)})
	}
	return answer, nil
}
