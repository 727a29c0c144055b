package edge

import (
	"net/http"
	"strconv"
	"strings"

	"signalbox/shared/canonical"
	"signalbox/shared/jsontext"
)

// The media types of requests.
const (
	mediaJSON        = "application/json"
	mediaCloud       = "application/cloudevents+json"
	mediaCloudEvents = "application/cloudevents-batch+json"
)

// form is how a request holds its events.
type form struct {
	cloud  bool // in CloudEvents
	batch  bool // in an array
	either bool // one alone, or an array of them
}

// formOf returns the form that the headers tell, and false for one that is not taken. CloudEvents in binary mode have attributes in headers,
// which no signature covers.
func formOf(header http.Header) (form, bool) {
	media, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	switch strings.ToLower(strings.TrimSpace(media)) {
	case mediaJSON:
		return form{either: true}, header.Get("Ce-Specversion") == "" && header.Get("Ce-Id") == ""
	case mediaCloud:
		return form{cloud: true}, true
	case mediaCloudEvents:
		return form{cloud: true, batch: true}, true
	default:
		return form{}, false
	}
}

// element returns the path of an element of a batch.
func element(i int) string { return whole + "[" + strconv.Itoa(i) + "]" }

// unwrap reads a CloudEvent and returns its data, "" where it has none. An attribute that is null is not there, and extensions are not read.
func (in *input) unwrap(v jsontext.Value) jsontext.Value {
	in.cloud = true
	if v[0] != '{' {
		in.add(in.at, canonical.ProblemType, wantObject)
		return ""
	}
	attributes := map[string]jsontext.Value{}
	for name, value := range v.Members() {
		if _, twice := attributes[name]; twice {
			in.add(in.at+".*", canonical.ProblemDuplicate, wantOnce)
		}
		if value != "null" {
			attributes[name] = value
		}
	}
	required := func(name string, has func(string) bool, want string) string {
		if _, ok := attributes[name]; !ok {
			in.add(in.at+"."+name, canonical.ProblemRequired, wantMember)
		}
		return in.attribute(name, attributes[name], has, want)
	}
	required("specversion", func(s string) bool { return s == "1.0" }, wantSpec)
	in.id = required("id", canonical.Printable(maxID), wantID)
	in.source = required("source", canonical.Printable(maxSource), wantSource)
	required("type", canonical.Printable(maxID), wantID)
	in.attribute("datacontenttype", attributes["datacontenttype"], isJSON, wantDataType)
	in.attribute("time", attributes["time"], func(s string) (ok bool) { in.time, ok = canonical.ParseTime(s); return ok }, wantTime)
	if _, has := attributes["data_base64"]; has {
		in.add(in.at+".data_base64", canonical.ProblemValue, wantData)
	}
	data, ok := attributes["data"]
	if in.at += ".data"; !ok {
		in.add(in.at, canonical.ProblemRequired, wantMember)
	}
	return data
}

// attribute returns the text of an attribute, "" for one that is not there, and reports one that has not what it must have.
func (in *input) attribute(name string, value jsontext.Value, has func(string) bool, want string) string {
	switch {
	case value == "":
	case value[0] != '"':
		in.add(in.at+"."+name, canonical.ProblemType, wantString)
	case !has(value.Text()):
		in.add(in.at+"."+name, canonical.ProblemFormat, want)
	default:
		return value.Text()
	}
	return ""
}

// isJSON reports whether a media type is JSON's.
func isJSON(s string) bool {
	media, _, _ := strings.Cut(strings.ToLower(s), ";")
	return media == mediaJSON || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}
