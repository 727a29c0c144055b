package simulator

import (
	"net/http"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	definitions "signalbox/functions/connector/salesforce/package"
)

// The objects.
const (
	contactObject = "Contact"
	leadObject    = "Lead"
	taskObject    = "Task"
	eventObject   = "Msg_Event__c"
	trackerObject = "ActionCadenceTracker"
)

// field is what a record may hold under a name.
type field struct {
	kind     string // Text, LongTextArea, Checkbox, DateTime, Date, Number, Lookup, Email
	length   int
	to       []string // of a Lookup
	required bool
	readOnly bool
	key      bool // records can be named by it
	unique   bool
}

func builtIn() map[string]map[string]field {
	text := field{kind: "Text", length: 40}
	person := func() map[string]field {
		return map[string]field{
			"FirstName": text, "LastName": {kind: "Text", length: 80, required: true},
			"Email": {kind: "Email", length: 80, key: true}, "Phone": text, "MobilePhone": text, "LeadSource": text,
			"Description": {kind: "LongTextArea", length: 32000},
		}
	}
	contact, lead := person(), person()
	lead["OwnerId"] = field{kind: "Lookup", readOnly: true}
	contact["HomePhone"], contact["OtherPhone"], contact["MailingCountry"] = text, text, field{kind: "Text", length: 80}
	lead["Company"] = field{kind: "Text", length: 255, required: true}
	lead["Country"], lead["Status"] = field{kind: "Text", length: 80}, text
	lead["IsConverted"] = field{kind: "Checkbox", readOnly: true}
	lead["ConvertedContactId"] = field{kind: "Lookup", readOnly: true}
	task := map[string]field{
		"Subject": {kind: "Text", length: 255}, "Status": text, "Priority": text, "TaskSubtype": text, "ActivityDate": {kind: "Date"},
		"WhoId": {kind: "Lookup", to: []string{contactObject, leadObject}}, "Description": {kind: "LongTextArea", length: 32000},
	}
	tracker := map[string]field{
		"TargetId": {kind: "Lookup", to: []string{contactObject, leadObject}}, "State": text,
		"CompletionReason": text, "CompletionDisposition": text,
	}
	return map[string]map[string]field{contactObject: contact, leadObject: lead, taskObject: task, eventObject: {}, trackerObject: tracker}
}

// deploy adds the fields of our package.
func (s *Simulator) deploy() {
	if s.options.Picklists {
		code := field{kind: "Text", length: 10}
		s.Tables[contactObject].fields["MailingCountryCode"], s.Tables[leadObject].fields["CountryCode"] = code, code
	}
	for _, object := range definitions.Objects() {
		fields, err := definitions.Fields(object)
		if err != nil { // embedded, and tested
			continue
		}
		if object == "Activity" {
			object = taskObject
		}
		for _, f := range fields {
			custom := field{kind: f.Type, length: f.Length, key: f.ExternalID, unique: f.Unique}
			if f.ReferenceTo != "" {
				custom.to = []string{f.ReferenceTo}
			}
			if object == taskObject && s.options.NoTaskKey {
				custom.key, custom.unique = false, false
			}
			s.Tables[object].fields[f.Name] = custom
		}
	}
}

// integrationUser owns what is created, unless an assignment rule gives it to somebody else.
const integrationUser = "005000000000001AAA"

// fault is why a write is refused.
type fault struct {
	status    int
	code      string
	message   string
	fields    []string
	duplicate *duplicate
}

func (f *fault) reply() reply {
	return reply{Status: f.status, Body: []problem{{f.message, f.code, f.fields, f.duplicate}}}
}

func bad(code, message string, fields ...string) *fault {
	return &fault{status: http.StatusBadRequest, code: code, message: message, fields: fields}
}

// check returns why a record of these values is refused, nil if it is not.
func (s *Simulator) check(t *table, values map[string]any) *fault {
	for name, value := range values {
		f, known := t.fields[name]
		switch {
		case !known:
			return bad("INVALID_FIELD", "No such column '"+name+"' on sobject of type "+t.object)
		case f.readOnly:
			return bad("INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: "+name, name)
		}
		if value == nil {
			continue
		}
		if fault := s.checkValue(t, name, f, value); fault != nil {
			return fault
		}
		if id, isText := value.(string); isText && f.kind == "Lookup" {
			values[name] = canonical(id)
		}
	}
	return nil
}

func (s *Simulator) checkValue(t *table, name string, f field, value any) *fault {
	text, isText := value.(string)
	_, isBool := value.(bool)
	_, isNumber := value.(float64)
	switch {
	case f.kind == "Checkbox" && isBool, f.kind == "Number" && isNumber:
		return nil
	case f.kind == "Checkbox", f.kind == "Number", !isText:
		return bad("JSON_PARSER_ERROR", "Cannot deserialize the value of "+name)
	case f.kind == "DateTime":
		if _, err := time.Parse(writtenFormat, text); err != nil {
			return bad("JSON_PARSER_ERROR", "Cannot deserialize instance of datetime from VALUE_STRING value of "+name)
		}
	case f.kind == "Date":
		if _, err := time.Parse(time.DateOnly, text); err != nil {
			return bad("JSON_PARSER_ERROR", "Cannot deserialize instance of date from VALUE_STRING value of "+name)
		}
	case f.kind == "Lookup":
		return s.checkLookup(name, f, text)
	case utf8.RuneCountInString(text) > f.length:
		return bad("STRING_TOO_LONG", t.object+": "+name+": data value too large", name)
	case f.kind == "Email":
		if a, err := mail.ParseAddress(text); err != nil || a.Address != text {
			return bad("INVALID_EMAIL_ADDRESS", name+": invalid email address: "+text, name)
		}
	}
	return nil
}

func (s *Simulator) checkLookup(name string, f field, id string) *fault {
	object := objectOf(id)
	switch {
	case object == "":
		return bad("MALFORMED_ID", name+": id value of incorrect type: "+id, name)
	case !strings.Contains(" "+strings.Join(f.to, " ")+" ", " "+object+" "):
		return bad("FIELD_INTEGRITY_EXCEPTION", name+": id value of incorrect type: "+id, name)
	}
	found := s.Tables[object].get(id)
	switch {
	case found == nil:
		return bad("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", name)
	case found.Deleted:
		return bad("ENTITY_IS_DELETED", "entity is deleted", name)
	case found.Values["IsConverted"] == true:
		return bad("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", name)
	}
	return nil
}
