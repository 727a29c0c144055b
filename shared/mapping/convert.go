package mapping

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"time"
)

// The codes for which a field is left out.
const (
	CodeMissing  = "missing"      // nothing is at its path
	CodeUnmet    = "unmet"        // its condition does not hold
	CodeNumber   = "not_number"   // and so on: what is there does not become what the field takes
	CodeBoolean  = "not_boolean"  //
	CodeDatetime = "not_datetime" //
	CodeChoice   = "not_chosen"   // it is none of the choices
)

// instant is how times are written, in UTC.
const instant = "2006-01-02T15:04:05.000Z"

// decimal is a number as every CRM reads it. More digits than that none keeps.
var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,12})?$`)

// scalar returns a JSON text, number or truth value.
func scalar(raw json.RawMessage) (any, bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var value any
	if len(raw) == 0 || d.Decode(&value) != nil {
		return nil, false
	}
	switch value.(type) {
	case string, bool, json.Number:
		return value, true
	default:
		return nil, false
	}
}

func typeOf(value any) Type {
	switch value.(type) {
	case bool:
		return Boolean
	case json.Number:
		return Number
	case time.Time:
		return Datetime
	default:
		return Text
	}
}

// textOf returns a value as a text.
func textOf(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case bool:
		if value {
			return "true"
		}
		return "false"
	case json.Number:
		return value.String()
	case time.Time:
		return value.UTC().Format(instant)
	default:
		return ""
	}
}

// convert returns a value as the field of an entry takes it: a string, a bool or a json.Number. Shortened reports whether a text was cut.
// A code says why it does not fit.
func (e *entry) convert(value any, zone *time.Location, cut func(text string, limit int) string) (converted any, shortened bool, code string) {
	text := strings.TrimSpace(textOf(value))
	switch e.as {
	case Number:
		if !decimal.MatchString(text) {
			return nil, false, CodeNumber
		}
		return json.Number(text), false, ""
	case Boolean:
		truth, ok := map[string]bool{"true": true, "yes": true, "1": true, "false": false, "no": false, "0": false}[strings.ToLower(text)]
		if !ok {
			return nil, false, CodeBoolean
		}
		return truth, false, ""
	case Datetime, Date:
		at, ok := value.(time.Time)
		if !ok {
			parsed, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return nil, false, CodeDatetime
			}
			at = parsed
		}
		return e.moment(at, zone)
	case Choice:
		option, ok := e.Choices[text]
		if !ok && len(e.Choices) == 0 { // a constant
			option = text
		} else if !ok {
			option = e.Otherwise
		}
		if option == "" {
			return nil, false, CodeChoice
		}
		return option, false, ""
	default:
		long := textOf(value)
		short := cut(long, e.limit)
		if short == "" {
			return nil, false, CodeMissing
		}
		return short, short != long && strings.HasSuffix(short, "…"), ""
	}
}

// moment returns a time, or the day that it is on in a zone. CRMs keep no year of other than four digits.
func (e *entry) moment(at time.Time, zone *time.Location) (any, bool, string) {
	if year := at.UTC().Year(); year < 1000 || year > 9998 {
		return nil, false, CodeDatetime
	}
	if e.as == Datetime {
		return at.UTC().Format(instant), false, ""
	}
	if zone == nil {
		zone = time.UTC
	}
	return at.In(zone).Format(time.DateOnly), false, ""
}
