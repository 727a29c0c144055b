package hubspot

import (
	"context"
	"maps"
	"reflect"
	"slices"

	"signalbox/functions/connector"
	"signalbox/shared/mapping"
)

// mapped compares the tenant's mapping with the portal's properties.
func (v *visit) mapped(context.Context) error {
	shows := map[string][]mapping.Object{contacts: {mapping.Person, mapping.Conversation}, communications: {mapping.Activity}, leads: {mapping.Lead}}
	var objects []connector.MappedObject
	for _, o := range v.objects {
		for _, object := range shows[o.kind] {
			objects = append(objects, connector.MappedObject{Object: object, Name: o.kind, Fields: o.takes(), Owned: v.given.names()})
		}
	}
	connector.AddGaps(&v.Report, v.binding.Settings, objects)
	return nil
}

// takes returns what the properties of an object take. See https://developers.hubspot.com/docs/api-reference/crm-properties-v3/guide.
func (o described) takes() []mapping.Described {
	types := map[string]mapping.Type{
		"string": mapping.Text, "number": mapping.Number, "bool": mapping.Boolean, "datetime": mapping.Datetime, "date": mapping.Date, "enumeration": mapping.Choice,
	}
	var all []mapping.Described
	for _, name := range slices.Sorted(maps.Keys(o.held)) {
		p := o.held[name]
		d := mapping.Described{Name: name, Type: types[p.Type], ReadOnly: p.Calculated || p.Meta.ReadOnly}
		switch d.Type {
		case mapping.Text:
			d.Length = maxText
		case mapping.Choice:
			d.Options = []string{}
			for _, option := range p.Options {
				d.Options = append(d.Options, option.Value)
			}
		case mapping.Number, mapping.Boolean, mapping.Datetime, mapping.Date:
		}
		all = append(all, d)
	}
	return all
}

// names returns the file's names of all properties that deliveries write.
func (p Properties) names() (names []string) {
	for field := range reflect.TypeFor[Properties]().Fields() {
		names = append(names, p.renamed(field.Tag.Get("standard")))
	}
	return names
}
