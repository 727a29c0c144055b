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

// each returns the reply to a batch of inputs: what do makes of each, or why it is refused.
func each[In, Out any](inputs []In, do func(In) (Out, *refusal)) batchReply[Out] {
	now := stamp(time.Now())
	b := batchReply[Out]{Status: "COMPLETE", StartedAt: now, CompletedAt: now, Results: []Out{}}
	for _, in := range inputs {
		if out, refused := do(in); refused == nil {
			b.Results = append(b.Results, out)
		} else {
			b.Errors = append(b.Errors, refused.row())
		}
	}
	b.NumErrors = len(b.Errors)
	return b
}

// mixed returns a batch: with 207 where some of it was refused.
func mixed[T any](b batchReply[T]) reply {
	if len(b.Errors) > 0 {
		return reply{Status: http.StatusMultiStatus, Body: b}
	}
	return ok(b)
}

// batch is the request of batch/upsert and batch/update.
type batch struct{ Inputs []batchInput }

// refused refuses what HubSpot refuses as a whole: too many rows, an id twice, a property that is wrong.
func (s *Simulator) refused(t *table, b batch) reply {
	if answer := bounded(len(b.Inputs)); answer.Status != 0 {
		return answer
	}
	seen := make(map[string]bool, len(b.Inputs))
	var faults []propertyFault
	for _, row := range b.Inputs {
		_, allowed := s.find(t, row.IDProperty, row.ID, false)
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
	if answer := s.refused(t, in); answer.Status != 0 {
		return answer
	}
	return mixed(each(in.Inputs, func(row batchInput) (objectReply, *refusal) {
		shown, refused := s.writeRow(t, row, upsert)
		if refused != nil && row.TraceID != "" {
			refused = refused.about("objectWriteTraceId", row.TraceID)
		}
		return shown, refused
	}))
}

func (s *Simulator) writeRow(t *table, row batchInput, upsert bool) (objectReply, *refusal) {
	found, _ := s.find(t, row.IDProperty, row.ID, false)
	isNew, values := found == nil, maps.Clone(row.Properties)
	switch {
	case !isNew:
	case !upsert:
		return objectReply{}, problem("OBJECT_NOT_FOUND", "resource not found").about("ids", row.ID)
	case row.IDProperty == "":
		refused := problem("OBJECT_NOT_FOUND", "resource not found")
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
	var held []*record
	var absent []string
	for _, row := range in.Inputs {
		found, allowed := s.find(t, in.IDProperty, row.ID, true)
		switch {
		case !allowed:
			return invalid(notUnique)
		case found == nil:
			absent = append(absent, row.ID)
		default:
			held = append(held, found)
		}
	}
	b := each(held, func(r *record) (objectReply, *refusal) { return t.show(r, in.Properties), nil })
	if len(absent) > 0 {
		b.NumErrors, b.Errors = 1, []rowRefusal{problem("OBJECT_NOT_FOUND", "Could not get some objects").about("ids", absent...).row()}
	}
	return mixed(b)
}
