package dynamostore

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"signalbox/shared/aws/awsfault"
	"signalbox/shared/fault"
	"signalbox/shared/store"
)

// The statements, with the table at %: its name cannot hold a quotation mark. Everything else is a parameter.
const (
	insert      = `INSERT INTO "%" VALUE {'p': ?, 's': ?, 'v': ?, 'n': ?, 'd': ?, 'w': ?}`
	insertUntil = `INSERT INTO "%" VALUE {'p': ?, 's': ?, 'v': ?, 'n': ?, 'd': ?, 'w': ?, 'e': ?}`
	update      = `UPDATE "%" SET v=? SET n=? SET d=? SET w=? REMOVE e WHERE p=? AND s=? AND v=? AND (e IS MISSING OR e > ?)`
	updateUntil = `UPDATE "%" SET v=? SET n=? SET d=? SET w=? SET e=? WHERE p=? AND s=? AND v=? AND (e IS MISSING OR e > ?)`
)

// large is the most data, in bytes, of a change that shares a call: one that fails as a whole is sent again with all of its data.
const large = 64 << 10

// each is the changes of a WriteEach, by their index in it.
type each struct {
	changes  []store.Change
	outcomes []store.Outcome
	writer   []byte
	unknown  []bool // an attempt of unknown outcome was made
}

// WriteEach makes independent changes: several are the statements of a BatchExecuteStatement, which are conditional and billed as
// single writes are. What DynamoDB refuses as a statement is made by a call of its own: see ADR 25.
func (s *Store) WriteEach(ctx context.Context, changes ...store.Change) []store.Outcome {
	if err := store.ValidateWriteEach(changes); err != nil {
		return store.Failed(len(changes), err)
	}
	e := &each{changes: changes, outcomes: make([]store.Outcome, len(changes)), writer: make([]byte, writerSize), unknown: make([]bool, len(changes))}
	_, _ = rand.Read(e.writer) // it never fails
	var open, single []int
	for i, c := range changes {
		if len(changes) == 1 || len(c.Data) > large {
			single = append(single, i)
		} else {
			open = append(open, i)
		}
	}
	refused, hidden := s.statements(ctx, e, open)
	for _, i := range slices.Concat(single, refused, s.look(ctx, e, hidden)) {
		r, err := s.single(ctx, changes[i], e.writer)
		if conflict, ok := errors.AsType[*store.ConflictError](err); ok {
			if conflict.Index = i; e.unknown[i] {
				err = fault.New(fault.Retryable, CodeUnknown, nil)
			}
		}
		e.outcomes[i] = store.Outcome{Record: r, Err: err}
	}
	return e.outcomes
}

// statements tries open changes until each has an outcome, and returns those that DynamoDB refuses in this form and those whose
// condition failed without the item that was met. Only those are tried again of which it is not known that they are through.
func (s *Store) statements(ctx context.Context, e *each, open []int) (refused, hidden []int) {
	for attempt := 1; len(open) > 0; attempt++ {
		var again []int
		for k, reply := range s.execute(ctx, e, open) {
			i, fails := open[k], awsfault.Of(reply.err)
			switch {
			case reply.err == nil:
				e.outcomes[i] = store.Outcome{Record: written(e.changes[i])}
			case fails.Code == duplicate, fails.Code == failedCondition && len(reply.held) == 0:
				hidden = append(hidden, i)
			case fails.Code == failedCondition:
				e.conclude(i, reply.held)
			case fails.Code == refusedStatement, fails.Code == deniedStatement:
				refused = append(refused, i)
			default:
				e.unknown[i] = e.unknown[i] || fails.Unknown()
				e.outcomes[i].Err = sorted(fails)
				if worthwhile(fails) {
					again = append(again, i)
				}
			}
		}
		open = again
		if attempt == attempts || len(open) > 0 && !pause(ctx, attempt) {
			break
		}
	}
	return refused, hidden
}

// reply is what DynamoDB says of one statement.
type reply struct {
	err  error
	held item // what a condition that failed met
}

// execute makes one attempt and returns one reply a change.
func (s *Store) execute(ctx context.Context, e *each, open []int) []reply {
	in := &dynamodb.BatchExecuteStatementInput{}
	for _, i := range open {
		in.Statements = append(in.Statements, s.statement(e.changes[i], e.writer, time.Now()))
	}
	ctx, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	out, err := s.client.BatchExecuteStatement(ctx, in, once)
	if err == nil && len(out.Responses) != len(open) {
		err = &awsfault.Error{} // an answer that is not understood
	}
	replies := make([]reply, len(open))
	for k := range replies {
		if replies[k].err = err; err == nil && out.Responses[k].Error != nil {
			replies[k] = reply{exception(out.Responses[k].Error.Code), out.Responses[k].Error.Item}
		}
	}
	return replies
}

// The names of exceptions that are about one statement.
const (
	duplicate        = "DuplicateItemException"
	failedCondition  = "ConditionalCheckFailedException"
	refusedStatement = "ValidationException"
	deniedStatement  = "AccessDeniedException"
)

// exception returns a statement's error as that of a call of its own.
func exception(code types.BatchStatementErrorCodeEnum) *awsfault.Error {
	switch code {
	case types.BatchStatementErrorCodeEnumInternalServerError:
		return &awsfault.Error{Code: string(code), Status: http.StatusInternalServerError}
	case types.BatchStatementErrorCodeEnumRequestLimitExceeded:
		return &awsfault.Error{Code: string(code)}
	default: // ThrottlingError and ValidationError are exceptions, too
		return &awsfault.Error{Code: strings.TrimSuffix(string(code), "Error") + "Exception"}
	}
}

// statement returns the words for a Put by a writer.
func (s *Store) statement(c store.Change, writer []byte, now time.Time) types.BatchStatementRequest {
	r := after(c)
	words, key := insert, []types.AttributeValue{text(r.Partition), text(r.Sort)}
	values := []types.AttributeValue{number(r.Version), number(r.Number), binary(r.Data), binary(writer)}
	until := !r.Expires.IsZero()
	if until {
		words, values = insertUntil, append(values, number(r.Expires.Unix()))
	}
	parameters := slices.Concat(key, values)
	if c.Version != 0 {
		if words = update; until {
			words = updateUntil
		}
		parameters = slices.Concat(values, key, []types.AttributeValue{number(c.Version), number(now.Unix())})
	}
	return types.BatchStatementRequest{
		Statement: aws.String(strings.Replace(words, "%", *s.table, 1)), Parameters: parameters,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
}

// conclude sets the outcome of a change whose condition failed, by the item that was met.
func (e *each) conclude(i int, held item) {
	switch {
	case writtenBy(held, e.writer):
		r, err := readItem(held)
		e.outcomes[i] = store.Outcome{Record: r, Err: err}
	case e.unknown[i]:
		e.outcomes[i].Err = fault.New(fault.Retryable, CodeUnknown, nil)
	default:
		e.outcomes[i].Err = conflictWith(i, e.changes[i].Key, held)
	}
}

// look concludes changes that met an item which DynamoDB did not show, by one read for all. It returns those that met one that has
// expired, or is gone: an INSERT takes no condition, a Put does.
func (s *Store) look(ctx context.Context, e *each, hidden []int) (free []int) {
	if len(hidden) == 0 {
		return nil
	}
	keys := make([]store.Key, len(hidden))
	for k, i := range hidden {
		keys[k] = e.changes[i].Key
	}
	found, err := s.items(ctx, keys)
	for k, i := range hidden {
		held := found[keys[k]]
		switch conflict, ok := conflictWith(i, keys[k], held).(*store.ConflictError); { //nolint:errorlint // conflictWith returns it unwrapped
		case err != nil:
			e.outcomes[i].Err = err
		case ok && conflict.Held.Version == 0 && e.changes[i].Version == 0 && !e.unknown[i]:
			free = append(free, i)
		default:
			e.conclude(i, held)
		}
	}
	return free
}
