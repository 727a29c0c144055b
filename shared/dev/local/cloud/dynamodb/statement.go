package dynamodb

import (
	"context"
	"errors"
	"strings"

	"signalbox/shared/dev/local/cloud/awsjson"
	"signalbox/shared/fault"
	"signalbox/shared/store"
	"signalbox/shared/store/memstore"
)

// form is a statement that the store writes, around the table's name, and its parameters in order.
type form struct{ before, after, parameters string }

func forms() [4]form {
	return [...]form{
		{`INSERT INTO "`, `" VALUE {'p': ?, 's': ?, 'v': ?, 'n': ?, 'd': ?, 'w': ?}`, "psvndw"},
		{`INSERT INTO "`, `" VALUE {'p': ?, 's': ?, 'v': ?, 'n': ?, 'd': ?, 'w': ?, 'e': ?}`, "psvndwe"},
		{`UPDATE "`, `" SET v=? SET n=? SET d=? SET w=? REMOVE e WHERE p=? AND s=? AND v=? AND (e IS MISSING OR e > ?)`, "vndwpsVN"},
		{`UPDATE "`, `" SET v=? SET n=? SET d=? SET w=? SET e=? WHERE p=? AND s=? AND v=? AND (e IS MISSING OR e > ?)`, "vndwepsVN"},
	}
}

type batchExecuteStatementRequest struct{ Statements []statementRequest }

type statementRequest struct {
	Statement                           string
	Parameters                          []attribute
	ReturnValuesOnConditionCheckFailure string
}

// statementReply is what became of one statement.
type statementReply struct {
	TableName string          `json:",omitempty"`
	Error     *statementError `json:",omitempty"`
}

type statementError struct {
	Code, Message string
	Item          item `json:",omitempty"`
}

// read returns the change of a statement, the writer's token and the table's name.
func (s *statementRequest) read() (change store.Change, token, table string, err error) {
	for _, known := range forms() {
		rest, begins := strings.CutPrefix(s.Statement, known.before)
		name, ends := strings.CutSuffix(rest, known.after)
		if !begins || !ends || strings.Contains(name, `"`) || len(s.Parameters) != len(known.parameters) || s.ReturnValuesOnConditionCheckFailure != "ALL_OLD" {
			continue
		}
		values := item{}
		for i, parameter := range known.parameters {
			values[string(parameter)] = s.Parameters[i]
		}
		f := fields{what: "a statement", item: values}
		if f.has("V") {
			change.Version = f.number("V")
			if err := checkNow(f.number("N")); err != nil {
				return change, "", "", err
			}
			delete(values, "V")
			delete(values, "N")
		}
		version := change.Version
		if change.Record, token, err = readItem(values); err == nil && (token == "" || change.Version != version+1) {
			err = awsjson.NotUnderstood("a statement without a writer, or that does not count its version up")
		}
		change.Version = version
		return change, token, name, errors.Join(f.err, err)
	}
	return change, "", "", awsjson.NotUnderstood("the statement %q with %d parameters", s.Statement, len(s.Parameters))
}

func (h *Handler) batchExecuteStatement(ctx context.Context, in batchExecuteStatementRequest, fault Fault) (any, error) {
	if len(in.Statements) == 0 || len(in.Statements) > store.MaxWrite {
		return nil, awsjson.NotUnderstood("a BatchExecuteStatement of %d statements", len(in.Statements))
	}
	replies := make([]statementReply, len(in.Statements))
	execute := make([]func() *statementError, len(in.Statements)) // once all are understood and allowed
	for i, s := range in.Statements {
		change, token, name, err := s.read()
		if err != nil {
			return nil, err
		}
		action := "PartiQLUpdate"
		if change.Version == 0 {
			action = "PartiQLInsert"
		}
		table, err := h.table(ctx, action, name, change.Key)
		if err != nil {
			return nil, err
		}
		replies[i].TableName = name
		execute[i] = func() *statementError { return h.execute(ctx, table, change, token) }
	}
	for i := range replies {
		switch {
		case fault == Busy:
			replies[i].Error = &statementError{Code: "TransactionConflict", Message: "injected"}
		case fault == Unprocessed && i >= len(replies)/2:
			replies[i].Error = &statementError{Code: "ThrottlingError", Message: "injected"}
		default:
			replies[i].Error = execute[i]()
		}
	}
	return map[string]any{"Responses": replies}, nil
}

// execute makes one change. A duplicate is not shown: nothing says that AWS does.
func (h *Handler) execute(ctx context.Context, table *memstore.Store, change store.Change, token string) *statementError {
	before := table.Look(change.Key)[0]
	duplicate := &statementError{Code: "DuplicateItem", Message: "Duplicate primary key exists in table"}
	if change.Version == 0 && before.Version != 0 { // expired or not
		h.wrote(writeUnits(wire(before), nil))
		return duplicate
	}
	now, met, err := table.WriteAs(ctx, token, change)
	if err == nil {
		h.wrote(writeUnits(wire(before), wire(memstore.Stored{Record: now[0], Token: token})))
		return nil
	}
	h.wrote(writeUnits(wire(met), nil))
	switch _, conflicts := errors.AsType[*store.ConflictError](err); {
	case !conflicts:
		return &statementError{Code: "InternalServerError", Message: fault.Of(err).Code}
	case change.Version == 0:
		return duplicate
	default:
		return &statementError{Code: "ConditionalCheckFailed", Message: "The conditional request failed", Item: wire(met)}
	}
}
