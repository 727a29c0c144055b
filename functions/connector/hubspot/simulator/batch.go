package simulator

import (
	"maps"
	"net/http"
	"time"
)

// maxBatch is how many inputs one call may have.
const maxBatch = 100

// batchInput is one row of a batch call.
type batchInput struct {
	ID         string            `json:"id"`
	IDProperty string            `json:"idProperty"`
	TraceID    string            `json:"objectWriteTraceId"`
	Properties map[string]string `json:"properties"`
}

// batchReply is the reply to a batch call.
type batchReply[T any] struct {
	Status      string       `json:"status"`
	StartedAt   string       `json:"startedAt"`
	CompletedAt string       `json:"completedAt"`
	Results     []T          `json:"results"`
	NumErrors   int          `json:"numErrors,omitempty"`
	Errors      []rowRefusal `json:"errors,omitempty"`
}

func batched[T any](results []T, errors []rowRefusal) batchReply[T] {
	now := stamp(time.Now())
	if results == nil {
		results = []T{}
	}
	return batchReply[T]{"COMPLETE", now, now, results, len(errors), errors}
}

// mixed returns a batch: with 207 where some of it was refused.
func mixed[T any](b batchReply[T]) reply {
	if len(b.Errors) > 0 {
		return reply{Status: http.StatusMultiStatus, Body: b}
	}
	return ok(b)
}

// batch is the request of batch/upsert and batch/update.
type batch struct {
	Inputs []batchInput `json:"inputs"`
}

// refused refuses what HubSpot refuses as a whole: too many rows, an id twice, a property that is wrong.
func (b batch) refused(t *table) reply {
	if answer := bounded(len(b.Inputs)); answer.Status != 0 {
		return answer
	}
	seen := make(map[string]bool, len(b.Inputs))
	var faults []propertyFault
	for _, row := range b.Inputs {
		_, allowed := t.find(row.IDProperty, row.ID)
		switch {
		case row.ID == "" || row.Properties == nil:
			return invalid("id and properties are required")
		case seen[row.ID]:
			return invalid("Duplicate IDs found in batch input: [" + row.ID + "]. IDs must be unique")
		case !allowed:
			return invalid(notUnique)
		}
		seen[row.ID] = true
		faults = append(faults, t.check(row.Properties)...)
	}
	if len(faults) > 0 {
		return reply{Status: http.StatusBadRequest, Body: wrongProperties(faults)}
	}
	return reply{}
}

// bounded refuses a batch of too many rows, or none.
func bounded(rows int) reply {
	if rows == 0 || rows > maxBatch {
		return invalid("between 1 and 100 inputs are allowed")
	}
	return reply{}
}

const notUnique = "idProperty does not have unique values"

// write returns batch/upsert or batch/update: by HubSpot's id, or by a property with unique values.
func (s *Simulator) write(t *table, in batch, upsert bool) reply {
	if answer := in.refused(t); answer.Status != 0 {
		return answer
	}
	var results []objectReply
	var errors []rowRefusal
	for _, row := range in.Inputs {
		shown, refused := s.writeRow(t, row, upsert)
		if refused == nil {
			results = append(results, shown)
			continue
		}
		if row.TraceID != "" {
			*refused = refused.about("objectWriteTraceId", row.TraceID)
		}
		errors = append(errors, refused.row())
	}
	return mixed(batched(results, errors))
}

func (s *Simulator) writeRow(t *table, row batchInput, upsert bool) (objectReply, *refusal) {
	found, _ := t.find(row.IDProperty, row.ID)
	isNew, values := found == nil, maps.Clone(row.Properties)
	switch {
	case !isNew:
	case !upsert || row.IDProperty == "":
		refused := problem("OBJECT_NOT_FOUND", "resource not found")
		if !upsert {
			refused = refused.about("ids", row.ID)
		}
		return objectReply{}, &refused
	default:
		values[row.IDProperty] = row.ID
	}
	saved, answer := s.save(t, found, values)
	if refused, ok := answer.Body.(refusal); ok {
		return objectReply{}, &refused
	}
	shown := t.show(saved, nil)
	if shown.TraceID = row.TraceID; upsert {
		shown.New = &isNew
	}
	return shown, nil
}

// batchRead is the request of batch/read.
type batchRead struct {
	IDProperty string     `json:"idProperty"`
	Inputs     []endReply `json:"inputs"`
	Properties []string   `json:"properties"`
	History    *[]string  `json:"propertiesWithHistory"`
}

// read returns batch/read. What does not exist is named in one error.
func (s *Simulator) read(t *table, in batchRead) reply {
	if answer := bounded(len(in.Inputs)); answer.Status != 0 || in.Properties == nil || in.History == nil {
		return invalid("inputs (between 1 and 100), properties and propertiesWithHistory are required")
	}
	var results []objectReply
	var absent []string
	for _, row := range in.Inputs {
		found, allowed := t.find(in.IDProperty, row.ID)
		switch {
		case !allowed:
			return invalid(notUnique)
		case found == nil:
			absent = append(absent, row.ID)
		default:
			results = append(results, t.show(found, in.Properties))
		}
	}
	var errors []rowRefusal
	if len(absent) > 0 {
		errors = append(errors, problem("OBJECT_NOT_FOUND", "Could not get some objects").about("ids", absent...).row())
	}
	return mixed(batched(results, errors))
}
