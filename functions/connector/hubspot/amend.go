package hubspot

import (
	"context"
	"maps"
	"slices"

	"signalbox/shared/fault"
)

// change returns what a contact is to say after a step, given what it says: the properties to write, none if it says it already.
type change func(r Request, held map[string]string) (map[string]string, error)

// amend changes contacts by what they say, in two calls for all steps: these properties are read, and each contact is written
// once where the steps about it change anything. Deliveries of one thread come one after the other, which keeps two changes
// from meeting between the two calls.
func (p *portal) amend(ctx context.Context, w batch, properties []string, of change) {
	held, err := p.held(ctx, w, properties)
	if err != nil {
		w.FailAll(err)
		return
	}
	about := make(map[string][]int, len(held))
	changed := make(map[string]map[string]string, len(held))
	for i := range w.Len() {
		id := w.Request(i).contact
		if held[id] == nil {
			p.failed(ctx, w, i, fault.New(fault.Permanent, codeNotFound, nil))
			continue
		}
		values, err := of(w.Request(i), held[id])
		if err != nil {
			w.Fail(i, err)
			continue
		}
		if changed[id] == nil {
			changed[id] = make(map[string]string, len(values))
		}
		maps.Copy(changed[id], values)
		maps.Copy(held[id], values) // what the next step about this contact goes by
		about[id] = append(about[id], i)
	}
	p.writeAmended(ctx, w, about, changed)
}

// held reads the contacts of all steps and returns their properties by id. A contact that is gone is left out.
func (p *portal) held(ctx context.Context, w batch, properties []string) (map[string]map[string]string, error) {
	ids := make([]string, 0, w.Len())
	for i := range w.Len() {
		if id := w.Request(i).contact; !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	found, err := p.read(ctx, contacts, "", ids, properties)
	if err != nil {
		return nil, err
	}
	held := make(map[string]map[string]string, len(found))
	for _, o := range found {
		held[o.ID] = make(map[string]string, len(o.Properties))
		maps.Copy(held[o.ID], o.Properties)
	}
	return held, nil
}

// writeAmended writes each changed contact once. What becomes of the row becomes of all steps about the contact: one that had
// nothing to change may have had nothing to change only because another did.
func (p *portal) writeAmended(ctx context.Context, w batch, about map[string][]int, changed map[string]map[string]string) {
	var rows []input
	for _, id := range slices.Sorted(maps.Keys(about)) {
		if len(changed[id]) > 0 {
			rows = append(rows, input{ID: id, Properties: changed[id]})
			continue
		}
		for _, i := range about[id] {
			w.Succeed(i)
		}
	}
	for k, r := range p.write(ctx, contacts, "update", rows) {
		for _, i := range about[rows[k].ID] {
			if r.err != nil {
				p.failed(ctx, w, i, r.err)
				continue
			}
			w.Succeed(i)
		}
	}
}
