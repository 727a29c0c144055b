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

// readOnly is the group of properties that HubSpot works out itself.
const readOnly = "read-only"

var (
	notDigit     = regexp.MustCompile(`\D`)
	propertyName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,99}$`)
)

// maxText is how many characters a text property keeps.
const maxText = 65536

// stages are the values of lifecyclestage, in the order contacts move through them.
func stages() []string {
	return []string{"subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer", "evangelist", "other"}
}

func stage(value string) int { return slices.Index(stages(), value) }

// builtIn answers HubSpot's own properties of each object type, as far as they are simulated.
func builtIn() map[string][]definitions.Property {
	text := func(names ...string) []definitions.Property { return group("", "string", names...) }
	worked := func(names ...string) []definitions.Property { return group(readOnly, "string", names...) }
	return map[string][]definitions.Property{
		contacts: slices.Concat(
			text("firstname", "lastname", "phone", "mobilephone", "hs_whatsapp_phone_number", "country", "hs_country_region_code", "company"),
			[]definitions.Property{{Name: "email", Type: "string", HasUniqueValue: true}, enumeration("lifecyclestage", stages()...)},
			worked("hs_object_id", "createdate", "lastmodifieddate", "hs_calculated_phone_number", "hs_calculated_mobile_number",
				"hs_searchable_calculated_phone_number", "hs_searchable_calculated_mobile_number"),
			group(readOnly, "datetime", "hs_latest_sequence_enrolled_date"),
		),
		communications: slices.Concat(
			text("hs_communication_body", "hubspot_owner_id"),
			group("", "datetime", "hs_timestamp"),
			[]definitions.Property{
				enumeration("hs_communication_channel_type", "SMS", "WHATS_APP", "LINKEDIN_MESSAGE"),
				enumeration("hs_communication_logged_from", "CRM"),
			},
			worked("hs_object_id", "createdate", "hs_lastmodifieddate"),
		),
		leads: slices.Concat(
			text("hs_lead_name", "hubspot_owner_id"),
			[]definitions.Property{
				enumeration("hs_lead_type", "NEW_BUSINESS", "EXISTING_BUSINESS"), enumeration("hs_lead_label", "HOT", "WARM", "COLD"),
			},
			worked("hs_object_id", "createdate", "hs_lastmodifieddate"),
		),
	}
}

func group(name, kind string, names ...string) []definitions.Property {
	list := make([]definitions.Property, len(names))
	for i, n := range names {
		list[i] = definitions.Property{Name: n, Type: kind, GroupName: name}
	}
	return list
}

func enumeration(name string, values ...string) definitions.Property {
	p := definitions.Property{Name: name, Type: "enumeration"}
	for _, value := range values {
		p.Options = append(p.Options, definitions.Option{Value: value})
	}
	return p
}

// canonicalValue answers a value as it is kept: addresses in lower case.
func canonicalValue(name, value string) string {
	if name == "email" {
		return strings.ToLower(strings.TrimSpace(value))
	}
	return value
}

// check answers what is wrong with properties that are to be written.
func (t *table) check(properties map[string]string) []propertyFault {
	var faults []propertyFault
	for name, value := range properties {
		p, known := t.known[name]
		code := ""
		switch {
		case !known:
			code = "PROPERTY_DOESNT_EXIST"
		case p.GroupName == readOnly:
			code = "READ_ONLY_VALUE"
		case value != "":
			code = wrong(p, value)
		}
		if code != "" {
			faults = append(faults, propertyFault{Message: fmt.Sprintf("%q is not valid for property %q", value, name), Error: code, Name: name})
		}
	}
	slices.SortFunc(faults, func(a, b propertyFault) int { return strings.Compare(a.Name, b.Name) })
	return faults
}

// wrong answers HubSpot's code for a value that a property cannot have, or "".
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

// clash answers the refusal of a value that another record than own has, and false if there is none.
func (t *table) clash(own string, properties map[string]string) (int, refusal, bool) {
	for name, index := range t.unique {
		value := canonicalValue(name, properties[name])
		id := index[value]
		if value == "" || id == "" || id == own {
			continue
		}
		if name == "email" {
			return http.StatusConflict, problem("CONFLICT", "Contact already exists. Existing ID: "+id), true
		}
		return http.StatusBadRequest, conflicting(name, value), true
	}
	return 0, refusal{}, false
}

func conflicting(name, value string) refusal {
	return properties([]propertyFault{{Message: "Another record has the value " + value, Error: "CONFLICTING_UNIQUE_VALUE", Name: name}})
}

// required answers what a new record lacks.
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

// defined answers the properties API: POST {object}, GET {object}/{name}.
func (s *Simulator) defined(r *http.Request, rest []string, body []byte) reply {
	if len(rest) == 0 || s.tables[rest[0]] == nil {
		return undocumented(r)
	}
	t := s.tables[rest[0]]
	switch {
	case r.Method == http.MethodPost && len(rest) == 1:
		var p definitions.Property
		if problem := decode(body, &p); problem.status != 0 {
			return problem
		}
		if p.Name == "" || p.Label == "" || p.GroupName == "" || p.Type == "" || p.FieldType == "" {
			return invalid("name, label, groupName, type and fieldType are required")
		}
		if !propertyName.MatchString(p.Name) {
			return invalid("the name may hold lower-case letters, digits and underscores")
		}
		if _, there := t.known[p.Name]; there {
			return refuse(http.StatusConflict, "OBJECT_ALREADY_EXISTS", "A property of that name exists")
		}
		t.install(p)
		return reply{status: http.StatusCreated, body: p}
	case r.Method == http.MethodGet && len(rest) == 2:
		if p, there := t.known[rest[1]]; there {
			return ok(p)
		}
		return missing()
	default:
		return undocumented(r)
	}
}
