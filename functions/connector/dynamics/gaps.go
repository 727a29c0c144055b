package dynamics

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"signalbox/functions/connector"
	"signalbox/shared/mapping"

	definitions "signalbox/functions/connector/dynamics/package"
)

// mapped compares the tenant's mapping with the columns of tables.
func (v *visit) mapped(ctx context.Context, tables []definitions.Table) error {
	shows := map[string][]mapping.Object{
		"contact": {mapping.Person}, "lead": {mapping.Person, mapping.Lead}, message: {mapping.Activity}, "msg_conversation": {mapping.Conversation},
	}
	var objects []connector.MappedObject
	if !connector.Maps(v.binding.Settings) {
		return nil
	}
	for _, t := range tables {
		if len(shows[t.Name]) == 0 {
			continue
		}
		fields, err := v.takes(ctx, t.Name)
		if err != nil && !missing(err) { // a table that is not there has none
			return err
		}
		for _, object := range shows[t.Name] {
			objects = append(objects, connector.MappedObject{Object: object, Name: t.Name, Fields: fields})
		}
	}
	connector.AddGaps(&v.Report, v.binding.Settings, objects)
	return nil
}

// column is what a definition says of a column: of what only some types have, only the type's own definitions do.
type column struct {
	Name      string `json:"LogicalName"`
	Type      string `json:"AttributeType"`
	Creatable bool   `json:"IsValidForCreate"`
	Updatable bool   `json:"IsValidForUpdate"`
	Length    int    `json:"MaxLength"`
	Format    string `json:"Format"`
	Own       set    `json:"OptionSet"`
	Shared    set    `json:"GlobalOptionSet"`
}

// set is the options of a choice.
type set struct {
	Options []struct {
		Value int `json:"Value"`
	} `json:"Options"`
}

// takes returns what the columns of a table take, asked for in one call. See
// https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query-metadata-web-api.
func (v *visit) takes(ctx context.Context, table string) ([]mapping.Described, error) {
	types := map[string]mapping.Type{
		"String": mapping.Text, "Memo": mapping.Text, "Integer": mapping.Number, "BigInt": mapping.Number, "Decimal": mapping.Number, "Double": mapping.Number,
		"Money": mapping.Number, "Boolean": mapping.Boolean, "DateTime": mapping.Datetime, "Picklist": mapping.Choice,
	}
	var asks []part
	for _, ask := range []string{
		"?$select=LogicalName,AttributeType,IsValidForCreate,IsValidForUpdate", "/" + metadata + "StringAttributeMetadata?$select=LogicalName,MaxLength",
		"/" + metadata + "MemoAttributeMetadata?$select=LogicalName,MaxLength", "/" + metadata + "DateTimeAttributeMetadata?$select=LogicalName,Format",
		"/" + metadata + "PicklistAttributeMetadata?$select=LogicalName&$expand=OptionSet($select=Options),GlobalOptionSet($select=Options)",
	} {
		asks = append(asks, get(tablePath(table)+"/Attributes"+ask))
	}
	by := map[string]mapping.Described{}
	for _, reply := range v.exchange(ctx, [][]part{asks})[0] {
		var told struct {
			Value []column `json:"value"`
		}
		if err := reply.read(&told); err != nil {
			return nil, err
		}
		for _, c := range told.Value {
			d, known := by[c.Name]
			if !known { // the first reply has them all
				d = mapping.Described{Name: c.Name, Type: types[c.Type], ReadOnly: !c.Creatable || !c.Updatable, Drops: true}
			}
			d.Length = max(d.Length, c.Length)
			if c.Format == "DateOnly" {
				d.Type = mapping.Date
			}
			for _, one := range slices.Concat(c.Own.Options, c.Shared.Options) { // it has one of the two
				d.Options = append(d.Options, strconv.Itoa(one.Value))
			}
			by[c.Name] = d
		}
	}
	return slices.Collect(maps.Values(by)), nil
}
