package simulator

import (
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	definitions "signalbox/functions/connector/salesforce/package"
)

// The objects.
const (
	contactObject      = "Contact"
	leadObject         = "Lead"
	taskObject         = "Task"
	eventObject        = "Msg_Event__c"
	conversationObject = "Msg_Conversation__c"
	caseObject         = "Case"
	trackerObject      = "ActionCadenceTracker"
)

// field is what a record may hold under a name.
type field struct {
	Kind     string   `json:"kind"` // Text, LongTextArea, Checkbox, DateTime, Date, Number, Lookup, Email, Owner, Base64
	Length   int      `json:"length"`
	To       []string `json:"to"` // of a Lookup
	Required bool     `json:"required"`
	ReadOnly bool     `json:"readOnly"`
	Key      bool     `json:"key"` // records can be named by it
	Unique   bool     `json:"unique"`
	Options  []string `json:"options"` // of a Text that is a restricted picklist
}

// builtIn are Salesforce's own fields of each object, as far as they are simulated.
//
//go:embed fields.json
var builtIn []byte

// definition is what an org may have, as the files say it: it is read once for all orgs that are made of one.
type definition struct {
	builtIn map[string]map[string]field
	custom  map[string][]definitions.Field // of our package
	set     permissionSet
}

// read returns what the embedded files say; they are tested.
func read() *definition {
	d := &definition{custom: map[string][]definitions.Field{}}
	_ = json.Unmarshal(builtIn, &d.builtIn)
	for _, object := range definitions.Objects() {
		d.custom[object], _ = definitions.Fields(object)
	}
	_ = xml.Unmarshal(definitions.PermissionSet(), &d.set)
	return d
}

// deploy adds the fields of our package.
func (s *Simulator) deploy() {
	if s.options.Bare {
		return
	}
	for object, fields := range s.definition.custom {
		if object == "Activity" && s.options.NoTaskKey {
			fields = slices.Clone(fields)
			for i := range fields {
				fields[i].ExternalID, fields[i].Unique = false, false
			}
		}
		s.keep(object, fields)
	}
	s.grants[definitions.PermissionSetName] = s.definition.set
	s.assigned[definitions.PermissionSetName] = !s.options.Unassigned
	s.reveal()
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
		case f.ReadOnly:
			return bad("INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: "+name, name)
		}
		if value == nil {
			continue
		}
		if fault := s.checkValue(t, name, f, value); fault != nil {
			return fault
		}
		if id, isText := value.(string); isText && (f.Kind == "Lookup" || f.Kind == kindOwner) {
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
	case f.Kind == "Checkbox" && isBool, f.Kind == "Number" && isNumber:
		return nil
	case f.Kind == kindBlob && isText:
		if _, err := base64.StdEncoding.DecodeString(text); err != nil {
			return bad("JSON_PARSER_ERROR", "Base64 Encoded content is malformed: "+name)
		}
		return nil
	case f.Kind == "Checkbox", f.Kind == "Number", !isText:
		return bad("JSON_PARSER_ERROR", "Cannot deserialize the value of "+name)
	case f.Kind == "DateTime":
		if _, err := time.Parse(writtenFormat, text); err != nil {
			return bad("JSON_PARSER_ERROR", "Cannot deserialize instance of datetime from VALUE_STRING value of "+name)
		}
	case f.Kind == "Date":
		if _, err := time.Parse(time.DateOnly, text); err != nil {
			return bad("JSON_PARSER_ERROR", "Cannot deserialize instance of date from VALUE_STRING value of "+name)
		}
	case f.Kind == "Lookup":
		return s.checkLookup(name, f, text)
	case f.Kind == kindOwner:
		return s.checkOwner(t, name, text)
	case len(f.Options) > 0 && !slices.Contains(f.Options, text):
		return bad("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", name+": bad value for restricted picklist field: "+text, name)
	case characters(text) > f.Length:
		return bad("STRING_TOO_LONG", fmt.Sprintf("%s: data value too large: %s (max length=%d)", name, text, f.Length), name)
	case f.Kind == "Email":
		if a, err := mail.ParseAddress(text); err != nil || a.Address != text {
			return bad("INVALID_EMAIL_ADDRESS", name+": invalid email address: "+text, name)
		}
	}
	return nil
}

// characters returns how long Salesforce takes a text to be: a surrogate pair counts as two.
// See https://help.salesforce.com/s/articleView?id=005166849.
func characters(text string) int { return len(utf16.Encode([]rune(text))) }

// kindOwner is the kind of a field that holds a user, or of a lead a queue.
const kindOwner = "Owner"

// checkOwner refuses who cannot have a record. Every id of a user is one of the org's.
func (s *Simulator) checkOwner(t *table, name, id string) *fault {
	queue := t.object == leadObject && strings.HasPrefix(id, "00G")
	switch {
	case len(id) != 15 && len(id) != 18:
		return bad("MALFORMED_ID", "Owner ID: id value of incorrect type: "+id, name)
	case !queue && !strings.HasPrefix(id, "005"):
		return bad("FIELD_INTEGRITY_EXCEPTION", "Owner ID: id value of incorrect type: "+id, name)
	case id == s.options.Inactive:
		return bad("INACTIVE_OWNER_OR_USER", "operation performed with inactive user ["+id+"] as owner of "+strings.ToLower(t.object))
	}
	return nil
}

func (s *Simulator) checkLookup(name string, f field, id string) *fault {
	object := objectOf(id)
	switch {
	case object == "":
		return bad("MALFORMED_ID", name+": id value of incorrect type: "+id, name)
	case !strings.Contains(" "+strings.Join(f.To, " ")+" ", " "+object+" "):
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
