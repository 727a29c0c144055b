package hubspot

import (
	"context"
	"net/http"
	"slices"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// maxBatch is how many inputs HubSpot takes in one batch call. How long a request may be is not told: one with a long body counts as several,
// one more for each heavy bytes, so that no request, and no reply, which repeats it, is of many megabytes.
const (
	maxBatch = 100
	heavy    = 8 << 10
)

// input is one row of a batch call. ID is what the caller knows the row by.
type input struct {
	ID         string            `json:"id,omitempty"`
	IDProperty string            `json:"idProperty,omitempty"`
	TraceID    string            `json:"objectWriteTraceId,omitempty"`
	Properties map[string]string `json:"properties,omitempty"`

	Associations []connector.Object `json:"associations,omitzero"`
}

// row is what became of one input.
type row struct {
	object written
	err    error
}

// written is what is used of the reply to a write, which holds every property of the record.
type written struct {
	ID      string `json:"id"`
	TraceID string `json:"objectWriteTraceId"`
	New     *bool  `json:"new"`
}

type writeReply struct {
	Results []written `json:"results"`
	Errors  []refusal `json:"errors"`
}

// readReply is the reply to a read or a search.
type readReply struct {
	Results []object  `json:"results"`
	Errors  []refusal `json:"errors"`
}

// write upserts, updates or creates (verb) records and returns one row an input. HubSpot refuses a batch that holds an ID twice; of a
// record that is created it is our own name for the row.
func (p *portal) write(ctx context.Context, kind, verb string, inputs []input) []row {
	rows := make([]row, len(inputs))
	connector.Rows{
		Most: maxBatch,
		Size: func(i int) int { return 1 + len(inputs[i].Properties[bodyProperty])/heavy },
		Keys: func(i int) []string { return []string{inputs[i].ID} },
		Call: func(at []int) ([]int, error) {
			sent := make([]input, len(at))
			for k, i := range at {
				sent[k] = inputs[i]
				if sent[k].TraceID = sent[k].ID; verb == "create" {
					sent[k].ID = ""
				}
			}
			var reply writeReply
			err := p.call(ctx, http.MethodPost, p.routes.batch(kind, verb), connector.Object{"inputs", sent}, &reply)
			switch {
			case fault.Is(err, codePropertyMissing) && len(at) > 1: // perhaps not every row has the property
				return at, nil
			case err != nil:
				return nil, err
			case len(at) == 1:
				rows[at[0]] = reply.only()
				return nil, nil
			default:
				return reply.spread(inputs, at, rows), nil
			}
		},
		Fail: func(i int, err error) { rows[i].err = err },
	}.Send(connector.Indices(len(inputs)))
	return rows
}

// only returns the row of a call with one input.
func (r writeReply) only() row {
	switch {
	case len(r.Results) > 0 && r.Results[0].ID != "":
		return row{object: r.Results[0]}
	case len(r.Errors) > 0:
		return row{err: r.Errors[0].fault()}
	default:
		return row{err: fault.New(fault.Permanent, codeSilent, nil)}
	}
}

// spread gives every input at its result or error and returns those that got neither.
func (r writeReply) spread(inputs []input, at []int, rows []row) (silent []int) {
	results := make(map[string]written, len(r.Results))
	for _, o := range r.Results {
		results[o.TraceID] = o
	}
	errs := make(map[string]error)
	for _, e := range r.Errors {
		for _, id := range append(e.Context.TraceIDs, e.Context.IDs...) { // rows that do not exist are named by their ids
			errs[id] = e.fault()
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

// find reads or searches. A reply that holds neither records nor errors is none: whoever took it for an empty one would write again what is
// there.
func (p *portal) find(ctx context.Context, path string, request any) (reply readReply, err error) {
	err = p.call(ctx, http.MethodPost, path, request, &reply)
	if err == nil && reply.Results == nil && len(reply.Errors) == 0 {
		err = fault.New(fault.Retryable, codeUndecodable, nil)
	}
	return reply, err
}

// read returns the records found under ids, which are values of idProperty (empty: HubSpot's ids). Those that do not exist
// are left out. A batch read sees every write at once, which a search does not.
func (p *portal) read(ctx context.Context, kind, idProperty string, ids, properties []string) ([]object, error) {
	var found []object
	for chunk := range slices.Chunk(ids, maxBatch) {
		inputs := make([]input, len(chunk))
		for i, id := range chunk {
			inputs[i].ID = id
		}
		request := connector.Object{"idProperty", idProperty, "inputs", inputs, "properties", properties, "propertiesWithHistory", []string{}}
		reply, err := p.find(ctx, p.routes.batch(kind, "read"), request)
		if err != nil && !fault.Is(err, codeNotFound) {
			return nil, err
		}
		for _, e := range reply.Errors {
			if err := e.fault(); err.Code != codeNotFound {
				return nil, err
			}
		}
		found = append(found, reply.Results...)
	}
	return found, nil
}
