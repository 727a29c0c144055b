package hubspot

import (
	"context"
	"net/http"

	"signalbox/shared/fault"
)

// maxBatch is how many inputs HubSpot takes in one batch call.
const maxBatch = 100

// input is one row of a batch call. ID is what the caller knows the row by.
type input struct {
	ID         string            `json:"id,omitempty"`
	IDProperty string            `json:"idProperty,omitempty"`
	TraceID    string            `json:"objectWriteTraceId,omitempty"`
	Properties map[string]string `json:"properties,omitempty"`
}

// row is what became of one input.
type row struct {
	object written
	err    error
}

// written is what is used of the answer to a write, which holds every property of the record.
type written struct {
	ID      string `json:"id"`
	TraceID string `json:"objectWriteTraceId"`
}

type writeReply struct {
	Results []written `json:"results"`
	Errors  []refusal `json:"errors"`
}

// readReply is the answer to a read or a search.
type readReply struct {
	Results []object  `json:"results"`
	Errors  []refusal `json:"errors"`
}

// write upserts or updates (verb) records and answers one row an input. An ID that comes twice goes into a later call:
// HubSpot refuses a batch that holds it twice.
func (p *portal) write(ctx context.Context, kind, verb string, inputs []input) []row {
	rows := make([]row, len(inputs))
	left := make([]int, len(inputs))
	for i := range inputs {
		left[i] = i
	}
	for len(left) > 0 {
		var now, later []int
		seen := make(map[string]bool, len(left))
		for _, i := range left {
			if seen[inputs[i].ID] || len(now) == maxBatch {
				later = append(later, i)
				continue
			}
			seen[inputs[i].ID] = true
			now = append(now, i)
		}
		p.writeDistinct(ctx, kind, verb, inputs, now, rows)
		left = later
	}
	return rows
}

// writeDistinct writes the inputs at. When HubSpot refuses them together, or says nothing about some, those are sent alone:
// one bad row never fails its neighbours.
func (p *portal) writeDistinct(ctx context.Context, kind, verb string, inputs []input, at []int, rows []row) {
	sent := make([]input, len(at))
	for k, i := range at {
		sent[k] = inputs[i]
		sent[k].TraceID = inputs[i].ID
	}
	request := struct {
		Inputs []input `json:"inputs"`
	}{sent}
	var reply writeReply
	err := p.call(ctx, http.MethodPost, p.routes.batch(kind, verb), request, &reply)
	var alone []int
	switch {
	case err != nil && (len(at) == 1 || fault.Of(err).Kind != fault.Permanent):
		for _, i := range at {
			rows[i].err = err
		}
		return
	case err != nil:
		alone = at
	case len(at) == 1:
		rows[at[0]] = reply.only()
		return
	default:
		alone = reply.spread(inputs, at, rows)
	}
	for _, i := range alone {
		p.writeDistinct(ctx, kind, verb, inputs, []int{i}, rows)
	}
}

// only returns the row of a call with one input.
func (r writeReply) only() row {
	switch {
	case len(r.Results) > 0 && r.Results[0].ID != "":
		return row{object: r.Results[0]}
	case len(r.Errors) > 0:
		return row{err: r.Errors[0].sort(http.StatusBadRequest, 0)}
	default:
		return row{err: fault.New(fault.Permanent, codeSilent, nil)}
	}
}

// spread gives every input at its result or error and answers those that got neither.
func (r writeReply) spread(inputs []input, at []int, rows []row) (silent []int) {
	results := make(map[string]written, len(r.Results))
	for _, o := range r.Results {
		results[o.TraceID] = o
	}
	errs := make(map[string]error)
	for _, e := range r.Errors {
		for _, id := range append(e.Context.TraceIDs, e.Context.IDs...) { // rows that do not exist are named by their ids
			errs[id] = e.sort(http.StatusBadRequest, 0)
		}
	}
	for _, i := range at {
		id := inputs[i].ID
		switch o, err := results[id], errs[id]; {
		case o.ID != "":
			rows[i] = row{object: o}
		case err != nil:
			rows[i] = row{err: err}
		default:
			silent = append(silent, i)
		}
	}
	return silent
}

// read returns the records found under ids, which are values of idProperty (empty: HubSpot's ids). Those that do not exist
// are left out. A batch read sees every write at once, which a search does not.
func (p *portal) read(ctx context.Context, kind, idProperty string, ids, properties []string) ([]object, error) {
	var found []object
	for len(ids) > 0 {
		n := min(len(ids), maxBatch)
		inputs := make([]input, 0, n)
		for _, id := range ids[:n] {
			inputs = append(inputs, input{ID: id})
		}
		request := struct {
			IDProperty string   `json:"idProperty,omitempty"`
			Inputs     []input  `json:"inputs"`
			Properties []string `json:"properties"`
			History    []string `json:"propertiesWithHistory"`
		}{idProperty, inputs, properties, []string{}}
		var reply readReply
		if err := p.call(ctx, http.MethodPost, p.routes.batch(kind, "read"), request, &reply); err != nil && !is(err, codeNotFound) {
			return nil, err
		}
		for _, e := range reply.Errors {
			if err := e.sort(http.StatusBadRequest, 0); err.Code != codeNotFound {
				return nil, err
			}
		}
		found, ids = append(found, reply.Results...), ids[n:]
	}
	return found, nil
}
