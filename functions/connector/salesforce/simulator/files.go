package simulator

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// The objects of files. A version that is made with none before it makes a document, and a link of that to where it was published; of the two
// there is only what a query returns. See https://developer.salesforce.com/docs/platform/object-reference/references/standard-objects/object-contentversion.
const (
	versionObject  = "ContentVersion"
	documentObject = "ContentDocument"
	linkObject     = "ContentDocumentLink"
)

// kindBlob is the kind of a field that holds a file: written in base64, and read as an address.
const kindBlob = "Base64"

// document gives a new version its document.
func (s *Simulator) document(r *record) {
	r.Values["ContentDocumentId"] = prefix(documentObject) + strings.TrimPrefix(r.ID[:15], prefix(versionObject))
	id, _ := r.Values["ContentDocumentId"].(string)
	r.Values["ContentDocumentId"] = id + suffix(id)
}

// linked is the form of the query for the files of records.
var linked = regexp.MustCompile(`(?i)^SELECT (\w+(?:\.\w+)?(?:, \w+(?:\.\w+)?)*) FROM ContentDocumentLink WHERE LinkedEntityId (?:IN \(('\w+'(?:, '\w+')*)\)|= ('\w+'))$`)

// links returns GET query for the files of records.
func (s *Simulator) links(match []string) reply {
	asked := strings.Split(strings.ReplaceAll(match[2]+match[3], "'", ""), ", ")
	for i, id := range asked {
		if asked[i] = canonical(id); asked[i] == "" {
			return refuse(http.StatusBadRequest, "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: "+id)
		}
	}
	records := []map[string]any{}
	for _, r := range s.Tables[versionObject].Select(0, func(r *record) bool {
		at, _ := r.Values["FirstPublishLocationId"].(string)
		return slices.Contains(asked, at)
	}) {
		shown, fault := linkOf(r, strings.Split(match[1], ", "))
		if fault != nil {
			return fault.reply()
		}
		records = append(records, shown)
	}
	return reply{Status: http.StatusOK, Body: map[string]any{"totalSize": len(records), "done": true, "records": records}}
}

// linkOf returns the link of a version's document with the fields asked for.
func linkOf(r *record, names []string) (map[string]any, *fault) {
	id, _ := r.Values["ContentDocumentId"].(string)
	own := map[string]any{"ContentDocumentId": id, "LinkedEntityId": r.Values["FirstPublishLocationId"], "ShareType": "V"}
	of := map[string]any{"Id": id, "Title": r.Values["Title"], "Description": r.Values["Description"], "LatestPublishedVersionId": r.ID}
	document := map[string]any{"attributes": map[string]string{"type": documentObject, "url": recordURL(documentObject, id)}}
	shown := map[string]any{"attributes": map[string]string{"type": linkObject, "url": recordURL(linkObject, "06A"+r.ID[3:])}}
	for _, name := range names {
		field, nested := strings.CutPrefix(name, documentObject+".")
		from, to := own, shown
		if nested {
			from, to = of, document
			shown[documentObject] = document
		}
		value, known := from[field]
		if !known {
			return nil, bad("INVALID_FIELD", "No such column '"+field+"' on entity '"+linkObject+"'")
		}
		to[field] = value
	}
	return shown, nil
}

// Forbid takes the right to make files away from the integration user.
func (s *Simulator) Forbid() {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.options.NoFiles = true
}
