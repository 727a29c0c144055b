package simulatortest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// Control is what a simulator lets tests and tools do. All fields are required.
type Control struct {
	About
	Records func(object string) (held any, known bool)
	Add     func(object string, properties map[string]string) // of Objects, as a user or another program would; nothing is checked
	Remove  func(object, id string)                           // a record, as a user would
	Faults  *Faults
	Reset   func()
	Refuse  func(status int, message string) Reply // in the CRM's own shape
}

// About is what GET /_simulator returns, so that whoever looks, breaks or measures needs to know no CRM.
type About struct {
	Objects  []string `json:"objects"`  // the object types whose records can be asked for
	Messages string   `json:"messages"` // the one that holds messages
	Key      string   `json:"key"`      // the property of a message that is its key
	Status   string   `json:"status"`   // the property of a message that shows how far it got
	Text     string   `json:"text"`     // the property of a message that shows what was said
	HTML     bool     `json:"html"`     // that one holds HTML
	Problem  string   `json:"problem"`  // the property of a message that shows why it got no further
	People   []string `json:"people"`   // the objects of which there is one record a person; the first shows replies
	Ended    string   `json:"ended"`    // the property of persons that is "true" once their sequences are to end
	Replied  string   `json:"replied"`  // the property of persons that says when they last replied
	OptedOut string   `json:"optedOut"` // the property of persons that is "true" while they want no messages
	OptOutAt string   `json:"optOutAt"` // the property of persons that says since when
	Sessions Place    `json:"sessions"` // where what is said is shown that is no message by itself
	Standing Place    `json:"standing"` // where it is shown whose turn it is in a conversation
	Owner    string   `json:"owner"`    // the property of persons and tasks that says whose they are
	Tasks    string   `json:"tasks"`    // the object that holds what users are told
	Subject  string   `json:"subject"`  // the property of tasks that says what it is
	Files    Place    `json:"files"`    // where files are that it was given, in base64
	Works    []Place  `json:"works"`    // where work that rules ask for is shown
	User     string   `json:"user"`     // the id of a user
	Failures []Fault  `json:"failures"` // what the CRM is known to do at times
	Refusals Refusals `json:"refusals"` // what it says when it refuses
	Calls    int      `json:"calls"`    // how many calls a message of somebody known may take
}

// Place is a property of an object's records, and the one that is their key, "" if they are found by whom they are about.
type Place struct {
	Object string `json:"object"`
	Key    string `json:"key"`
	Text   string `json:"text"`
}

// ReadAbout returns what a CRM's about.json says.
func ReadAbout(encoded []byte) (a About) {
	_ = Decode(encoded, &a) // embedded, and tested
	return a
}

// Refusals are what a CRM says when it refuses every request.
type Refusals struct {
	Credential Fault `json:"credential"` // it lets the tenant in no more
	Data       Fault `json:"data"`       // it takes no such record
	Limit      Fault `json:"limit"`      // there were too many requests for a moment
}

// Handles reports whether a request is a tool's and not the CRM's.
func (Control) Handles(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/_simulator") }

// Answer returns GET /_simulator (About), GET and POST /_simulator/records?object=… (the properties of a record to add),
// DELETE /_simulator/records?object=…&id=…, POST /_simulator/faults (a Fault) and DELETE /_simulator, which forgets records and faults.
func (c Control) Answer(r *http.Request, body []byte) Reply {
	switch r.Method + " " + strings.TrimSuffix(r.URL.Path, "/") {
	case "GET /_simulator":
		return Reply{Status: http.StatusOK, Body: c.About}
	case "GET /_simulator/records":
		held, known := c.Records(r.URL.Query().Get("object"))
		if !known {
			return c.Refuse(http.StatusBadRequest, "object is one of "+strings.Join(c.Objects, ", "))
		}
		return Reply{Status: http.StatusOK, Body: held}
	case "POST /_simulator/records":
		var properties map[string]string
		object := r.URL.Query().Get("object")
		if json.Unmarshal(body, &properties) != nil || !slices.Contains(c.Objects, object) {
			return c.Refuse(http.StatusBadRequest, "not the properties of a record of one of "+strings.Join(c.Objects, ", "))
		}
		c.Add(object, properties)
		return Reply{Status: http.StatusNoContent}
	case "DELETE /_simulator/records":
		c.Remove(r.URL.Query().Get("object"), r.URL.Query().Get("id"))
		return Reply{Status: http.StatusNoContent}
	case "POST /_simulator/faults":
		var f Fault
		if err := Decode(body, &f); err != nil || f.Status != 0 && (f.Status < 200 || f.Status > 599) || f.DelayMS < 0 {
			return c.Refuse(http.StatusBadRequest, "not a fault: {match, status, body, headers, delayMs, commitThenTimeout, count}")
		}
		c.Faults.Add(f)
		return Reply{Status: http.StatusNoContent}
	case "DELETE /_simulator":
		c.Reset()
		return Reply{Status: http.StatusNoContent}
	default:
		return c.Refuse(http.StatusNotFound, "The simulator knows no "+r.Method+" of this path")
	}
}
