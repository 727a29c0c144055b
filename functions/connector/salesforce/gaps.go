package salesforce

import (
	"context"
	"maps"
	"slices"

	"signalbox/functions/connector"
	"signalbox/shared/mapping"
)

// mapped compares the tenant's mapping with the org's fields. What is mapped of a person is of leads and contacts, and of an activity of
// tasks, or of our own object where messages are to be no tasks. Where an object is
// not seen at all, which is told, it is compared the next time.
func (v *visit) mapped(context.Context) error {
	shows := map[string][]mapping.Object{
		contactObject: {mapping.Person}, leadObject: {mapping.Person, mapping.Lead}, v.sheet().object: {mapping.Activity}, conversationObject: {mapping.Conversation},
	}
	var objects []connector.MappedObject
	for _, o := range v.objects {
		if o.absent && shows[o.object] != nil {
			return nil
		}
		for _, object := range shows[o.object] {
			objects = append(objects, connector.MappedObject{Object: object, Name: o.object, Fields: o.takes()})
		}
	}
	connector.AddGaps(&v.Report, v.binding.Settings, objects)
	return nil
}

// takes returns what the fields of an object take. See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/field_types.htm.
func (o objectState) takes() []mapping.Described {
	types := map[string]mapping.Type{
		"string": mapping.Text, "textarea": mapping.Text, "phone": mapping.Text, "email": mapping.Text, "url": mapping.Text,
		"double": mapping.Number, "int": mapping.Number, "currency": mapping.Number, "percent": mapping.Number,
		"boolean": mapping.Boolean, "datetime": mapping.Datetime, "date": mapping.Date, "picklist": mapping.Choice, "multipicklist": mapping.Choice,
	}
	var all []mapping.Described
	for _, name := range slices.Sorted(maps.Keys(o.held)) {
		f := o.held[name]
		d := mapping.Described{Name: name, Type: types[f.Type], ReadOnly: !f.Creatable || !f.Updatable}
		if d.Type == mapping.Text {
			d.Length = f.Length
		}
		if d.Type == mapping.Choice && f.Restricted {
			d.Options = []string{}
			for _, one := range f.Values {
				if one.Active {
					d.Options = append(d.Options, one.Value)
				}
			}
		}
		all = append(all, d)
	}
	return all
}
