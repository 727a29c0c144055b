package simulator

import (
	"fmt"
	"net/http"
	"net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"

	definitions "signalbox/functions/connector/hubspot/package"
)

// The object types that are simulated.
const (
	contacts       = "contacts"
	communications = "communications"
	leads          = "leads"
)

// property is one that records of a type may have.
type property struct {
	definitions.Property
	hubspots bool // HubSpot's own
	readOnly bool // HubSpot works it out
}

var (
	notDigit     = regexp.MustCompile(`\D`)
	propertyName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,99}$`)
)

// hubspotsGroup is the group of properties that contacts come with. Those of other objects are not known.
const hubspotsGroup = "contactinformation"

// maxText is how many characters a text property keeps.
const maxText = 65536

// stages are the values of lifecyclestage, in the order contacts move through them.
func stages() []string {
	return []string{"subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer", "evangelist", "other"}
}

func stage(value string) int { return slices.Index(stages(), value) }

// builtIn returns HubSpot's own properties of each object type, as far as they are simulated.
func builtIn() map[string][]property {
	const text, date = "string", "datetime"
	email, worked := group(text, "email"), append(group(text, "hs_object_id"), group(date, "hs_createdate", "hs_lastmodifieddate")...)
	email[0].HasUniqueValue = true
	return map[string][]property{
		contacts: slices.Concat(
			group(text, "firstname", "lastname", "phone", "mobilephone", "hs_whatsapp_phone_number", "country", "hs_country_region_code", "company"),
			email, enumeration("lifecyclestage", stages()...),
			worksOut(group(text, "hs_object_id", "hs_calculated_phone_number", "hs_calculated_mobile_number",
				"hs_searchable_calculated_phone_number", "hs_searchable_calculated_mobile_number")),
			worksOut(group(date, "createdate", "lastmodifieddate", "hs_latest_sequence_enrolled_date")),
		),
		communications: slices.Concat(
			group(text, "hs_communication_body", "hubspot_owner_id"), group(date, "hs_timestamp"),
			enumeration("hs_communication_channel_type", "SMS", "WHATS_APP", "LINKEDIN_MESSAGE"),
			enumeration("hs_communication_logged_from", "CRM"), worksOut(worked),
		),
		leads: slices.Concat(
			group(text, "hs_lead_name", "hubspot_owner_id"), enumeration("hs_lead_type", "NEW_BUSINESS", "EXISTING_BUSINESS"),
			enumeration("hs_lead_label", "HOT", "WARM", "COLD"), worksOut(worked),
		),
	}
}

// group returns properties of HubSpot's own with one type.
func group(kind string, names ...string) []property {
	field := map[string]string{"string": "text", "datetime": "date", "enumeration": "select"}[kind]
	list := make([]property, len(names))
	for i, n := range names {
		list[i] = property{definitions.Property{Name: n, Label: n, GroupName: hubspotsGroup, Type: kind, FieldType: field}, true, false}
	}
	return list
}

func enumeration(name string, values ...string) []property {
	list := group("enumeration", name)
	for _, value := range values {
		list[0].Options = append(list[0].Options, definitions.Option{Label: value, Value: value})
	}
	return list
}

func worksOut(list []property) []property {
	for i := range list {
		list[i].readOnly = true
	}
	return list
}

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
		case p.readOnly:
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
	case p.Type == "enumeration" || p.Type == "bool":
		if !slices.ContainsFunc(p.Options, func(o definitions.Option) bool { return o.Value == value }) {
			return "INVALID_OPTION"
		}
	case p.Type == "datetime":
		_, notISO := time.Parse(time.RFC3339, value)
		_, notMS := strconv.ParseInt(value, 10, 64)
		if notISO != nil && notMS != nil {
			return "INVALID_DATE"
		}
	case utf8.RuneCountInString(value) > maxText:
		return "PROPERTY_VALUE_TOO_LONG"
	}
	return ""
}

// clash returns the refusal of a value that another record than own has.
func (t *table) clash(own string, properties map[string]string) reply {
	for name, value := range properties {
		for _, other := range t.Find(name, canonicalValue(name, value)) {
			switch {
			case other.ID == own:
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

// required returns what a new record lacks.
func (t *table) required(properties map[string]string) string {
	needed := map[string][]string{
		communications: {"hs_communication_channel_type", "hs_communication_logged_from", "hs_timestamp"},
		leads:          {"hs_lead_name"},
	}
	for _, name := range needed[t.name] {
		if properties[name] == "" {
			return name
		}
	}
	return ""
}

// calculatePhones works out what HubSpot makes searchable: the number in E.164 where it can be read, and its national digits.
func calculatePhones(properties map[string]string, region string) {
	for typed, names := range map[string][2]string{
		"phone":       {"hs_calculated_phone_number", "hs_searchable_calculated_phone_number"},
		"mobilephone": {"hs_calculated_mobile_number", "hs_searchable_calculated_mobile_number"},
	} {
		value := properties[typed]
		if value == "" {
			delete(properties, names[0])
			delete(properties, names[1])
			continue
		}
		number, err := phonenumbers.Parse(value, region)
		if err != nil || !phonenumbers.IsPossibleNumber(number) {
			digits := notDigit.ReplaceAllString(value, "")
			properties[names[0]], properties[names[1]] = digits, digits
			continue
		}
		properties[names[0]] = phonenumbers.Format(number, phonenumbers.E164)
		properties[names[1]] = phonenumbers.GetNationalSignificantNumber(number)
	}
}

// propertyReply is a property as HubSpot returns it.
type propertyReply struct {
	definitions.Property
	Description    string               `json:"description"` // these come with no value, too
	Options        []definitions.Option `json:"options"`
	HasUniqueValue bool                 `json:"hasUniqueValue"`
	Hidden         bool                 `json:"hidden"`
	DisplayOrder   int                  `json:"displayOrder"`
	Calculated     bool                 `json:"calculated"`
	Archived       bool                 `json:"archived"`
	HubspotDefined bool                 `json:"hubspotDefined"`
	Modification   modificationReply    `json:"modificationMetadata"`
}

type modificationReply struct {
	Archivable bool `json:"archivable"`
	Definition bool `json:"readOnlyDefinition"`
	Value      bool `json:"readOnlyValue"`
}

func (p property) show() propertyReply {
	return propertyReply{
		Property: p.Property, Description: p.Description, Options: append([]definitions.Option{}, p.Options...), HasUniqueValue: p.HasUniqueValue,
		Hidden: p.Hidden, DisplayOrder: -1, Calculated: p.readOnly, HubspotDefined: p.hubspots,
		Modification: modificationReply{!p.hubspots, p.hubspots, p.readOnly},
	}
}

// defined returns the replies of the properties API: POST {object}, POST {object}/groups, GET {object}/{name}.
func (s *Simulator) defined(r *http.Request, t *table, rest []string, body []byte) reply {
	switch {
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
