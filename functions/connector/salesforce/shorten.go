package salesforce

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"signalbox/functions/connector"
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

// undescribed returns a record without its description where that is what the integration user may not write.
func undescribed(err error, record any) (connector.Object, bool) {
	refused, ok := errors.AsType[*ResponseError](err)
	members, isObject := record.(connector.Object)
	at := slices.Index(members, any(fieldDescription))
	if !ok || !isObject || at < 0 || refused.Code != "INVALID_FIELD_FOR_INSERT_UPDATE" || !slices.Equal(refused.Fields, []string{fieldDescription}) {
		return nil, false
	}
	return slices.Concat(members[:at], members[at+2:]), true
}
