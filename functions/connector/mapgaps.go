package connector

import (
	"encoding/json"

	"signalbox/shared/connect"
	"signalbox/shared/mapping"
)

// MappedObject is one of a CRM's objects that shows what a tenant maps.
type MappedObject struct {
	Object mapping.Object
	Name   string // the CRM's
	Fields []mapping.Described
	Owned  []string // names of the tenant's choice that the connector writes itself
}

// Maps reports whether the settings of a CRM have a mapping.
func Maps(settings json.RawMessage) bool { return len(mappingIn(settings)) > 0 }

// AddGaps adds to a report what the mapping in a binding's settings asks of objects that they do not give, or that all is well with it.
func AddGaps(r *connect.Report, settings json.RawMessage, objects []MappedObject) {
	m, problems := mapping.Parse(mappingIn(settings))
	for _, p := range problems {
		r.Add("settings.fields."+p.Path, connect.Refused, p.Reason+": no field of the mapping is written", "correct it in the tenant's file, make apply")
	}
	if len(problems) > 0 || m == nil {
		return
	}
	found := false
	for _, o := range objects {
		for _, gap := range m.Gaps(o.Object, o.Fields, o.Owned...) {
			found = true
			means := ": deliveries go on without it"
			if gap.Unfit {
				means = ": deliveries that fill it wait"
			}
			r.Add("settings.fields."+gap.Path+" of "+o.Name, connect.Refused, gap.Reason+means, gap.Remedy)
		}
	}
	if !found {
		r.Add("settings.fields", connect.OK, "", "")
	}
}
