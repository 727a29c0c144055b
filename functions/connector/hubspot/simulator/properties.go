package simulator

import (
	_ "embed"
	"fmt"
	"net/http"
	"net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/nyaruka/phonenumbers"

	definitions "signalbox/functions/connector/hubspot/package"
)

// The object types that are simulated.
const (
	contacts       = "contacts"
	communications = "communications"
	leads          = "leads"
	tasks          = "tasks"
	notes          = "notes"
	tickets        = "tickets"
)

// property is one that records of a type may have.
type property struct {
	definitions.Property
	ReadOnly bool `json:"readOnly"`       // HubSpot works it out
	Required bool `json:"required"`       // of a new record
	HubSpots bool `json:"hubspotDefined"` // HubSpot's own
}

var (
	notDigit     = regexp.MustCompile(`\D`)
	propertyName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,99}$`)
)

// hubspotsGroup is the group of properties that contacts come with. Those of other objects are not known.
const hubspotsGroup = "contactinformation"

// ownerProperty says whose a record is. Every number is an owner's but that of who has left the portal.
const (
	ownerProperty = "hubspot_owner_id"
	left          = "999"
)

// maxText is how many characters a text property keeps. It is published of notes; that it is so of all and that an emoji is two is our reading.
const maxText = 65536

// hubspots are HubSpot's own properties of each object type, as far as they are simulated.
//
//go:embed properties.json
var hubspots []byte

// canonicalValue returns a value as it is kept: addresses in lower case.
func canonicalValue(name, value string) string {
	if name == "email" {
		return strings.ToLower(strings.TrimSpace(value))
	}
	return value
}

// check returns what is wrong with properties that are to be written.
func (t *table) check(properties map[string]string) []propertyFault {
	var faults []propertyFault
	for name, value := range properties {
		p, known := t.known[name]
		code := ""
		switch {
		case !known:
			code = "PROPERTY_DOESNT_EXIST"
		case p.ReadOnly:
			code = "READ_ONLY_VALUE"
		case value != "":
			code = wrong(p.Property, value)
		}
		if code != "" {
			faults = append(faults, propertyFault{Message: fmt.Sprintf("%q is not valid for property %q", value, name), Error: code, Name: name})
		}
	}
	slices.SortFunc(faults, func(a, b propertyFault) int { return strings.Compare(a.Name, b.Name) })
	return faults
}

// wrong returns HubSpot's code for a value that a property cannot have, or "".
func wrong(p definitions.Property, value string) string {
	switch {
	case p.Name == "email":
		if _, err := mail.ParseAddress(value); err != nil {
			return "INVALID_EMAIL"
		}
	case p.Name == ownerProperty:
		if notDigit.MatchString(value) || value == left {
			return "INVALID_OPTION"
		}
	case p.Type == "enumeration" || p.Type == "bool":
		if !slices.ContainsFunc(p.Options, func(o definitions.Option) bool { return o.Value == value }) {
			return "INVALID_OPTION"
		}
	case p.Type == "date":
		if !isDay(value) {
			return "INVALID_DATE"
		}
	case p.Type == "datetime":
		_, notISO := time.Parse(time.RFC3339, value)
		_, notMS := strconv.ParseInt(value, 10, 64)
		if notISO != nil && notMS != nil {
			return "INVALID_DATE"
		}
	case p.Type == "number":
		if _, err := strconv.ParseFloat(value, 64); err != nil || strings.ContainsAny(value, "eExXnN_") {
			return "INVALID_INTEGER" // as HubSpot says of every number
		}
	case len(utf16.Encode([]rune(value))) > maxText:
		return "PROPERTY_VALUE_TOO_LONG"
	}
	return ""
}

// isDay reports whether a value is a day: it, or the milliseconds of its midnight in UTC.
// See https://developers.hubspot.com/docs/api-reference/crm-properties-v3/guide.
func isDay(value string) bool {
	if _, err := time.Parse(time.DateOnly, value); err == nil {
		return true
	}
	ms, err := strconv.ParseInt(value, 10, 64)
	return err == nil && ms%(24*time.Hour).Milliseconds() == 0
}

// clash returns the refusal of a value that another record than own has.
func (t *table) clash(own *record, properties map[string]string) reply {
	for name, value := range properties {
		for _, other := range t.Find(name, canonicalValue(name, value)) {
			switch {
			case other == own:
			case name == "email":
				return refuse(http.StatusConflict, "CONFLICT", "Contact already exists. Existing ID: "+other.ID)
			default:
				return reply{Status: http.StatusBadRequest, Body: wrongProperties([]propertyFault{
					{Message: "Another record has the value " + value, Error: "CONFLICTING_UNIQUE_VALUE", Name: name},
				})}
			}
		}
	}
	return reply{}
}

// calculatePhones works out what HubSpot makes searchable: the number in E.164 where it can be read, and its national digits.
func calculatePhones(properties map[string]string, region string) {
	for typed, kind := range map[string]string{"phone": "phone", "mobilephone": "mobile"} {
		whole, national := "hs_calculated_"+kind+"_number", "hs_searchable_calculated_"+kind+"_number"
		delete(properties, whole)
		delete(properties, national)
		value := properties[typed]
		number, err := phonenumbers.Parse(value, region)
		switch {
		case value == "":
		case err != nil || !phonenumbers.IsPossibleNumber(number):
			digits := notDigit.ReplaceAllString(value, "")
			properties[whole], properties[national] = digits, digits
		default:
			properties[whole] = phonenumbers.Format(number, phonenumbers.E164)
			properties[national] = phonenumbers.GetNationalSignificantNumber(number)
		}
	}
}

// show returns a property as HubSpot does: some members come with no value, too.
func (p property) show() map[string]any {
	return map[string]any{
		"name": p.Name, "label": p.Label, "description": p.Description, "groupName": p.GroupName, "type": p.Type, "fieldType": p.FieldType,
		"options": append([]definitions.Option{}, p.Options...), "hasUniqueValue": p.HasUniqueValue, "hidden": p.Hidden,
		"displayOrder": -1, "calculated": p.ReadOnly, "archived": false, "hubspotDefined": p.HubSpots,
		"modificationMetadata": map[string]bool{"archivable": !p.HubSpots, "readOnlyDefinition": p.HubSpots, "readOnlyValue": p.ReadOnly},
	}
}

// defined returns the replies of the properties API: GET and POST {object}, POST {object}/groups, GET {object}/{name}.
func (s *Simulator) defined(r *http.Request, t *table, rest []string, body []byte) reply {
	switch {
	case r.Method == http.MethodGet && len(rest) == 0:
		return t.all()
	case r.Method == http.MethodPost && len(rest) == 0 && t.name == communications && s.options.NoKeys:
		return decoded(body, func(in definitions.Property) reply {
			if in.HasUniqueValue {
				return invalid("Unique properties are not supported for this object type")
			}
			return t.define(in)
		})
	case r.Method == http.MethodPost && len(rest) == 0:
		return decoded(body, t.define)
	case r.Method == http.MethodPost && len(rest) == 1 && rest[0] == "groups":
		return decoded(body, t.group)
	case r.Method == http.MethodGet && len(rest) == 1:
		if p, there := t.known[rest[0]]; there {
			return ok(p.show())
		}
		return missing()
	default:
		return undocumented(r)
	}
}

func (t *table) define(in definitions.Property) reply {
	_, there := t.known[in.Name]
	switch {
	case in.Name == "" || in.Label == "" || in.GroupName == "" || in.Type == "" || in.FieldType == "":
		return invalid("name, label, groupName, type and fieldType are required")
	case !propertyName.MatchString(in.Name):
		return invalid("the name may hold lower-case letters, digits and underscores")
	case there:
		return refuse(http.StatusConflict, "OBJECT_ALREADY_EXISTS", "A property of that name exists")
	case !t.groups[in.GroupName]:
		return invalid("The property group does not exist: " + in.GroupName)
	}
	p := property{Property: in}
	t.known[p.Name] = p
	return reply{Status: http.StatusCreated, Body: p.show()}
}

// group makes a group of properties.
func (t *table) group(in definitions.Group) reply {
	switch {
	case in.Name == "" || in.Label == "":
		return invalid("name and label are required")
	case t.groups[in.Name]:
		return refuse(http.StatusConflict, "OBJECT_ALREADY_EXISTS", "A property group of that name exists")
	}
	t.groups[in.Name] = true
	return reply{Status: http.StatusCreated, Body: map[string]any{"name": in.Name, "label": in.Label, "displayOrder": -1, "archived": false}}
}
