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
		return reply{status: http.StatusMultiStatus, body: b}
	}
	return ok(b)
}

// inputs decodes a batch and refuses what HubSpot refuses as a whole: too many rows, an id twice, a property that is wrong.
func (t *table) inputs(body []byte) ([]batchInput, reply) {
	var in struct {
		Inputs []batchInput `json:"inputs"`
	}
	if answer := decode(body, &in); answer.status != 0 {
		return nil, answer
	}
	if len(in.Inputs) == 0 || len(in.Inputs) > maxBatch {
		return nil, invalid("between 1 and 100 inputs are allowed")
	}
	seen := make(map[string]bool, len(in.Inputs))
	var faults []propertyFault
	for _, row := range in.Inputs {
		if row.ID == "" || row.Properties == nil {
			return nil, invalid("id and properties are required")
		}
		if seen[row.ID] {
			return nil, invalid("Duplicate IDs found in batch input: [" + row.ID + "]. IDs must be unique")
		}
		seen[row.ID] = true
		faults = append(faults, t.check(row.Properties)...)
	}
	if len(faults) > 0 {
		return nil, reply{status: http.StatusBadRequest, body: properties(faults)}
	}
	return in.Inputs, reply{}
}

// upsert returns batch/upsert: by HubSpot's id, or by a property with unique values.
func (s *Simulator) upsert(t *table, body []byte) reply {
	rows, answer := t.inputs(body)
	if answer.status != 0 {
		return answer
	}
	for _, row := range rows {
		if _, allowed := t.find(row.IDProperty, row.ID); !allowed {
			return invalid("idProperty does not have unique values")
		}
	}
	var results []objectReply
	var errors []rowRefusal
	for _, row := range rows {
		found, _ := t.find(row.IDProperty, row.ID)
		result, refused := s.upsertOne(t, found, row)
		if refused != nil {
			if row.TraceID != "" {
				*refused = refused.about("objectWriteTraceId", row.TraceID)
			}
			errors = append(errors, refused.row())
			continue
		}
		results = append(results, result)
	}
	return mixed(batched(results, errors))
}

func (s *Simulator) upsertOne(t *table, found *record, row batchInput) (objectReply, *refusal) {
	values := make(map[string]string, len(row.Properties)+1)
	maps.Copy(values, row.Properties)
	isNew := found == nil
	own := ""
	if isNew {
		if row.IDProperty == "" {
			refused := problem("OBJECT_NOT_FOUND", "resource not found")
			return objectReply{}, &refused
		}
		values[row.IDProperty] = row.ID
		if name := t.required(values); name != "" {
			refused := properties([]propertyFault{{Message: "a value is required", Error: "REQUIRED", Name: name}})
			return objectReply{}, &refused
		}
	} else {
		own = found.id
	}
	if _, refused, clashes := t.clash(own, values); clashes {
		return objectReply{}, &refused
	}
	if isNew {
		found = s.add(t, values)
	} else {
		s.set(t, found, values)
	}
	shown := t.show(found, nil)
	shown.New, shown.TraceID = &isNew, row.TraceID
	return shown, nil
}

// update returns batch/update.
func (s *Simulator) update(t *table, body []byte) reply {
	rows, answer := t.inputs(body)
	if answer.status != 0 {
		return answer
	}
	var results []objectReply
	var errors []rowRefusal
	for _, row := range rows {
		found, allowed := t.find(row.IDProperty, row.ID)
		if !allowed {
			return invalid("idProperty does not have unique values")
		}
		var refused refusal
		failed := found == nil
		if failed {
			refused = problem("OBJECT_NOT_FOUND", "resource not found").about("ids", row.ID)
		} else {
			_, refused, failed = t.clash(found.id, row.Properties)
		}
		if failed {
			if row.TraceID != "" {
				refused = refused.about("objectWriteTraceId", row.TraceID)
			}
			errors = append(errors, refused.row())
			continue
		}
		s.set(t, found, row.Properties)
		shown := t.show(found, nil)
		shown.TraceID = row.TraceID
		results = append(results, shown)
	}
	return mixed(batched(results, errors))
}

// read returns batch/read. What does not exist is named in one error.
func (s *Simulator) read(t *table, body []byte) reply {
	var in struct {
		IDProperty string `json:"idProperty"`
		Inputs     []struct {
			ID string `json:"id"`
		} `json:"inputs"`
		Properties []string  `json:"properties"`
		History    *[]string `json:"propertiesWithHistory"`
	}
	if answer := decode(body, &in); answer.status != 0 {
		return answer
	}
	if len(in.Inputs) == 0 || len(in.Inputs) > maxBatch || in.Properties == nil || in.History == nil {
		return invalid("inputs (between 1 and 100), properties and propertiesWithHistory are required")
	}
	var results []objectReply
	var absent []string
	for _, row := range in.Inputs {
		found, allowed := t.find(in.IDProperty, row.ID)
		switch {
		case !allowed:
			return invalid("idProperty does not have unique values")
		case found == nil:
			absent = append(absent, row.ID)
		default:
			results = append(results, t.show(found, in.Properties))
		}
	}
	if len(absent) == 0 {
		return ok(batched(results, nil))
	}
	return mixed(batched(results, []rowRefusal{problem("OBJECT_NOT_FOUND", "Could not get some objects").about("ids", absent...).row()}))
}
