package hubspot

import (
	"context"
	"maps"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
)

// change returns what a contact is to say after a step, given what it says: the properties to write, none if it says it already.
type change func(r Request, held map[string]string) (map[string]string, error)

// amended is a contact: these properties as they were read, and as they are to be written.
type amended struct{ held, changed map[string]string }

// amend changes contacts by what they say, in two calls for all steps: each step's own, and the others
// that it is for.
func (p *portal) amend(ctx context.Context, w batch, properties []string, of change, others *connector.Others) {
	connector.Amendment[amended]{
		Who: func(i int) string { return w.Request(i).contact }, Also: others.Of,
		Read: func(ids []string) (map[string]*amended, error) {
			found, err := p.read(ctx, contacts, "", ids, properties)
			all := make(map[string]*amended, len(found))
			for _, o := range found {
				all[o.ID] = &amended{map[string]string{}, map[string]string{}}
				maps.Copy(all[o.ID].held, o.Properties)
			}
			return all, err
		},
		Change: func(i int, c *amended) (bool, error) {
			if c == nil {
				return false, fault.New(fault.Permanent, codeNotFound, nil)
			}
			values, err := of(w.Request(i), c.held)
			maps.Copy(c.changed, values)
			maps.Copy(c.held, values) // what the next step about this contact goes by
			return len(values) > 0, err
		},
		Write: func(ids []string, of []*amended) []error {
			rows, errs := make([]input, len(ids)), make([]error, len(ids))
			for k, id := range ids {
				rows[k] = input{ID: id, Properties: of[k].changed}
			}
			for k, r := range p.write(ctx, contacts, "update", rows) {
				errs[k] = r.err
			}
			return errs
		},
		Gone: func(err error) bool { return fault.Is(err, codeNotFound) },
		Conclude: func(i int, err error) {
			if err = others.Outcome(i, err); err != nil {
				p.failed(ctx, w, i, err)
				return
			}
			w.Succeed(i, connector.ResultOthers, others.Count(i))
		},
	}.Make(w.Len())
}
