package salesforce

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"signalbox/functions/connector"
	"signalbox/shared/telemetry"
)

// What is left out of a record rather than cut has no use, or is somebody else's, without its end. What is found again by a field is
// neither cut nor left out.
var (
	longest = regexp.MustCompile(`\(max length=([0-9]{1,6})\)`)
	whole   = regexp.MustCompile(`Phone$|^Email$|(Url|Id|Address|Ad_Source|Provider)__c$`)
	keyed   = regexp.MustCompile(`(Key|Consent)__c$`)
)

// measure keeps how long the values of a problem's fields may be, where one is longer.
func (e *ResponseError) measure(p problem) {
	match := longest.FindStringSubmatch(p.Message)
	if match == nil || p.ErrorCode != "STRING_TOO_LONG" {
		return
	}
	most, _ := strconv.Atoi(match[1])
	for _, field := range p.Fields {
		if e.long == nil {
			e.long = map[string]int{}
		}
		e.long[field] = most
	}
}

// shortened returns a record without what an error says is too long for the org's fields: a text is cut, anything else is left out. It
// returns false if the error says nothing of the kind, or if what is too long is what the record is known by.
func shortened(err error, record any) (connector.Object, bool) {
	refused, ok := errors.AsType[*ResponseError](err)
	members, isObject := record.(connector.Object)
	if !ok || !isObject || len(refused.long) == 0 || slices.ContainsFunc(slices.Collect(maps.Keys(refused.long)), keyed.MatchString) {
		return nil, false
	}
	return members.Shortened(refused.long, whole.MatchString)
}

// dispensable are the fields of Salesforce's own that a record says enough without: what is in them is beside it in fields of ours, or stands
// in a default. An org may hide them from the integration user.
var dispensable = regexp.MustCompile(`^(Description|LeadSource|ActivityDate|TaskSubtype)$`)

// unhidden returns a record without the fields that the integration user may not write, and their names, where the record says enough
// without. It returns none if an error says nothing of the kind, or names a field that is needed, as what shows the lines of a session is.
func unhidden(err error, ref string, record any) (connector.Object, []string) {
	refused, ok := errors.AsType[*ResponseError](err)
	members, isObject := record.(connector.Object)
	if !ok || !isObject || len(refused.Fields) == 0 || refused.Code != wordField && refused.Code != wordReadOnly {
		return nil, nil
	}
	for _, name := range refused.Fields {
		var there bool
		if members, there = members.Without(name); !there || !dispensable.MatchString(name) || name == fieldDescription && strings.HasPrefix(ref, refPart) {
			return nil, nil
		}
	}
	return members, refused.Fields
}

// withhold tells that a record was written without fields that are hidden from the integration user.
func (o *org) withhold(ctx context.Context, object string, fields []string) {
	o.crm.options.Logger.WarnContext(ctx, "fields that the integration user may not write were left out", slog.String("tenant", o.at.Tenant),
		slog.String("crm", o.at.CRM), slog.String("object", object), slog.Any("fields", fields))
	o.crm.options.Meter.Count("FieldLeftOut", len(fields), telemetry.Label{Name: "tenant", Value: o.at.Tenant},
		telemetry.Label{Name: "crm", Value: o.at.CRM}, telemetry.Label{Name: "code", Value: codeSchema})
}
