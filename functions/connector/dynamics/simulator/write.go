package simulator

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// read returns the values that a body says, as rows hold them. What nobody may write is left out without a word.
func (s *Simulator) read(r request, t *table, body map[string]any) (map[string]any, *fault) {
	values := map[string]any{}
	for name, written := range body {
		property, annotation, annotated := strings.Cut(name, "@")
		switch {
		case annotated && annotation == "odata.bind" && property != "":
			if fault := s.bind(r, t, property, written, values); fault != nil {
				return nil, fault
			}
			continue
		case annotated: // says something else of the property, or of the row
			continue
		}
		if _, _, _, navigates := t.navigation(property); navigates {
			if written != nil {
				return nil, refuse(http.StatusNotImplemented, "SIMULATOR", "no row is made inside another here: "+property)
			}
			if fault := s.bind(r, t, property, nil, values); fault != nil {
				return nil, fault
			}
			continue
		}
		_, c, known := t.column(property)
		switch {
		case !known:
			return nil, bad(codeQuery, "An error occurred while validating input parameters: Microsoft.Crm.CrmException: Invalid property '"+property+
				"' was found in entity 'Microsoft.Dynamics.CRM."+t.Name+"'. ---> Microsoft.OData.ODataException: Does not support untyped value in non-open type.")
		case c.lookup():
			return nil, bad(codeKey, "CRM do not support direct update of Entity Reference properties, Use Navigation properties instead.")
		case c.ReadOnly:
			continue
		}
		value, fault := t.value(property, c, written)
		if fault != nil {
			return nil, fault
		}
		values[property] = value
	}
	return values, nil
}

// bind sets a lookup to the row that an address names, or to nothing. See
// https://learn.microsoft.com/power-apps/developer/data-platform/webapi/associate-disassociate-entities-using-web-api.
func (s *Simulator) bind(r request, t *table, property string, written any, values map[string]any) *fault {
	name, c, allowed, known := t.navigation(property)
	if !known {
		return payload(t.Set, "An undeclared property '"+property+"' which only has property annotations in the payload but no property value was found in the payload. "+
			"In OData, only declared navigation properties and declared named streams can be represented as properties without values.")
	}
	if c.ReadOnly {
		return nil
	}
	at := c.property(name)
	text, isText := written.(string)
	switch {
	case written == nil:
		if values[at] == nil {
			values[at] = nil // what another navigation property of the column says goes before
		}
		return nil
	case !isText:
		return payload(t.Set, "A string was expected for '"+property+"@odata.bind'.")
	}
	to, row, fault := s.target(r, text)
	switch {
	case fault != nil:
		return fault
	case to.Name != allowed && (c.Type != "Owner" || to.Name != teams):
		return payload(t.Set, "The navigation property '"+property+"' does not point to '"+to.Set+"'.")
	case c.Type == "Owner" && row.Values["isdisabled"] == true:
		return refuse(http.StatusForbidden, codeUserLeft, "The specified user is either disabled or is not a member of any business unit.")
	}
	values[at] = ref{to, row.ID}
	return nil
}

// edm returns the type that OData has for a column's.
func (c column) edm() string {
	switch c.Type {
	case "Integer", "Picklist", "State", "Status":
		return "Edm.Int32"
	case "DateTime":
		if c.DateOnly {
			return "Edm.Date"
		}
		return "Edm.DateTimeOffset"
	case "Double":
		return "Edm.Double"
	case "Uniqueidentifier", "Lookup", "Owner":
		return "Edm.Guid"
	case "BigInt":
		return "Edm.Int64"
	case "File":
		return "Edm.Binary"
	case "Boolean":
		return "Edm.Boolean"
	default:
		return "Edm.String"
	}
}

// value returns what a row holds of what was written for a column.
func (t *table) value(name string, c column, written any) (any, *fault) {
	wrong := payload(t.Set, fmt.Sprintf("Cannot convert the literal '%v' to the expected type '%s'.", written, c.edm()))
	number, isNumber := written.(json.Number)
	switch c.Type {
	case "Boolean":
		if _, isBool := written.(bool); !isBool && written != nil {
			return nil, wrong
		}
		return written, nil
	case "Double":
		if _, err := number.Float64(); written != nil && (!isNumber || err != nil) {
			return nil, wrong
		}
		return written, nil
	case "Integer", "Picklist", "State", "Status":
		whole, err := strconv.ParseInt(number.String(), 10, 32)
		switch {
		case written == nil:
			return nil, nil
		case !isNumber || err != nil:
			return nil, wrong
		case c.Type == "Picklist" && !slices.Contains(c.Options, int(whole)):
			accepted := strings.Trim(strings.ReplaceAll(fmt.Sprint(c.Options), " ", ","), "[]")
			return nil, bad(codeChoice, fmt.Sprintf("A validation error occurred. The value %d of '%s' on record of type '%s' is outside the valid range. Accepted Values: %s", whole, name, t.Name, accepted))
		}
		return int(whole), nil
	}
	if written == nil {
		return nil, nil
	}
	if text, isText := written.(string); isText {
		return t.text(name, c, text, wrong)
	}
	return nil, wrong
}

// text returns what a row holds of a text that was written for a column. Wrong is the fault of one that is not of the column's type.
func (t *table) text(name string, c column, text string, wrong *fault) (any, *fault) {
	switch {
	case c.DateOnly:
		if _, err := time.Parse(time.DateOnly, text); err != nil {
			return nil, wrong
		}
		return text, nil
	case c.Type == "DateTime":
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return nil, wrong
		}
		return at.UTC().Format(timeFormat), nil
	case c.Type == "Uniqueidentifier":
		if !guid.MatchString(text) {
			return nil, wrong
		}
		return strings.ToLower(text), nil
	case c.Type == "File":
		return text, t.file(c, text)
	case len(utf16.Encode([]rune(text))) > c.Length:
		return nil, bad(codeTooLong, fmt.Sprintf("A validation error occurred.  The length of the '%s' attribute of the '%s' entity exceeded the maximum allowed length of '%d'.", name, t.Name, c.Length))
	}
	return text, nil
}

// file checks what a note is to hold: base64, and no more bytes than an environment allows by default.
func (t *table) file(c column, text string) *fault {
	decoded, err := base64.StdEncoding.DecodeString(text)
	switch {
	case err != nil:
		return payload(t.Set, "The input is not a valid Base-64 string.")
	case len(decoded) > c.Length:
		return bad(codeFileSize, "Attachment file size is too big.")
	}
	return nil
}

// check returns why a row of these values is refused; own is the one that is changed, nil for a new one.
func (s *Simulator) check(r request, t *table, own *record, values map[string]any) *fault {
	switch {
	case t.Fixed:
		return refuse(http.StatusMethodNotAllowed, "", "The simulator lets nobody write '"+t.Set+"'.")
	case t.Name == annotations && s.options.NoFiles:
		return denied("prvCreate" + t.Privilege)
	case values["_ownerid_value"] == nil && written(values, "_ownerid_value"):
		return bad("0x80040200", "Required field missing.")
	case s.options.Frozen && own != nil && t.States != nil && own.Values["statecode"] != 0 && !written(values, "statecode"):
		return bad(codeInactive, "The object cannot be updated because it is inactive.")
	case s.plugIns[t.Name] != "":
		return bad(codePlugIn, s.plugIns[t.Name])
	}
	if fault := t.state(own, values); fault != nil {
		return fault
	}
	for name, columns := range t.Keys {
		if s.pending(t, name) { // an index that is not there keeps nothing apart
			continue
		}
		if other := t.taken(columns, own, values); other != nil {
			return refuse(http.StatusPreconditionFailed, codeKeyTaken, "Entity Key "+name+" violated. A record with the same value for "+strings.Join(columns, ", ")+
				" already exists. A duplicate record cannot be created. Select one or more unique values and try again.")
		}
	}
	if strings.EqualFold(r.header.Get("MSCRM.SuppressDuplicateDetection"), "false") && t.duplicate(own, values) {
		return refuse(http.StatusInternalServerError, codeDuplicates, "A record was not created or updated because a duplicate of the current record already exists.")
	}
	return nil
}

func written(values map[string]any, name string) bool {
	_, there := values[name]
	return there
}

func denied(privilege string) *fault {
	return refuse(http.StatusForbidden, codePrivilege, "Principal user (Id="+IntegrationUser+", type=8, roleCount=1, privilegeCount=400, accessMode=4) is missing "+privilege+" privilege.")
}

// state gives a state that comes without a status its own, and refuses one that does not fit. See
// https://learn.microsoft.com/power-apps/developer/data-platform/webapi/update-delete-entities-using-web-api.
func (t *table) state(own *record, values map[string]any) *fault {
	state, given := values["statecode"]
	status, reasoned := values["statuscode"]
	switch {
	case t.States == nil || !given && !reasoned:
		return nil
	case !given && own != nil:
		state = own.Values["statecode"]
	case !given:
		state = 0
	}
	codes := t.States[fmt.Sprint(state)]
	if !reasoned && len(codes) > 0 {
		values["statuscode"] = codes[0]
		return nil
	}
	if code, isCode := status.(int); !isCode || !slices.Contains(codes, code) {
		return bad(codeState, fmt.Sprintf("%v is not a valid status code for state code %v on %s.", status, state, t.Name))
	}
	return nil
}

// taken returns the row that has the values of an alternate key already, nil if there is none. Where one of them is nothing, none has.
func (t *table) taken(columns []string, own *record, values map[string]any) *record {
	key := rowKey{}
	for _, column := range columns {
		value, written := values[column]
		if !written && own != nil {
			value = own.Values[column]
		}
		if value == nil {
			return nil
		}
		key[column] = fmt.Sprint(value)
	}
	for _, other := range t.Find(columns[0], strings.ToLower(key[columns[0]])) {
		if other != own && !other.Deleted && has(other, key) {
			return other
		}
	}
	return nil
}

// duplicate reports whether the rules that Dataverse has for leads and contacts find another row: the same e-mail address. See
// https://learn.microsoft.com/power-apps/developer/data-platform/webapi/manage-duplicate-detection-create-update.
func (t *table) duplicate(own *record, values map[string]any) bool {
	address, _ := values["emailaddress1"].(string)
	if address == "" || t.Name != contacts && t.Name != leads {
		return false
	}
	for _, other := range t.Rows {
		if held, _ := other.Values["emailaddress1"].(string); other != own && !other.Deleted && strings.EqualFold(held, address) {
			return true
		}
	}
	return false
}
