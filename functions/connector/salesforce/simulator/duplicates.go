package simulator

import (
	"maps"
	"net/http"
	"slices"
)

// duplicate is what a duplicate rule found, as in
// https://developer.salesforce.com/docs/platform/api/guide/sforce-api-calls-duplicateresult.
type duplicate struct {
	AllowSave bool          `json:"allowSave"`
	Rule      string        `json:"duplicateRule"`
	Entity    string        `json:"duplicateRuleEntityType"`
	Message   string        `json:"errorMessage"`
	Results   []matchResult `json:"matchResults"`
}

type matchResult struct {
	Entity  string        `json:"entityType"`
	Errors  []string      `json:"errors"`
	Engine  string        `json:"matchEngine"`
	Records []matchRecord `json:"matchRecords"`
	Rule    string        `json:"rule"`
	Size    int           `json:"size"`
	Success bool          `json:"success"`
}

type matchRecord struct {
	Additional []string `json:"additionalInformation"`
	Fields     []string `json:"fieldDiffs"`
	Confidence float64  `json:"matchConfidence"`
	Record     any      `json:"record"`
}

// warning is what whoever is to choose among duplicates is told.
const warning = "Use one of these records?"

// samePhone returns the contacts and leads that have exactly this number, nil if there is none.
func (s *Simulator) samePhone(phone any) *duplicate {
	found := &duplicate{AllowSave: true, Rule: "Messaging_Leads", Entity: leadObject, Message: warning}
	for _, object := range []string{leadObject, contactObject} {
		of := matchResult{Entity: object, Errors: []string{}, Engine: "ExactMatchEngine", Rule: "Messaging_Phones", Success: true}
		for _, id := range slices.Sorted(maps.Keys(s.Tables[object].Rows)) {
			if r := s.Tables[object].Rows[id]; phone != nil && r.Values["Phone"] == phone && !r.Deleted {
				of.Records = append(of.Records, matchRecord{[]string{}, []string{}, 100, s.show(s.Tables[object], r, nil)})
			}
		}
		if of.Size = len(of.Records); of.Size > 0 {
			found.Results = append(found.Results, of)
		}
	}
	if len(found.Results) == 0 {
		return nil
	}
	return found
}

func (d *duplicate) fault() *fault {
	return &fault{status: http.StatusBadRequest, code: "DUPLICATES_DETECTED", message: warning, duplicate: d}
}
