package simulator

import (
	"net/http"
	"regexp"
)

const fieldMaster = "MasterRecordId"

// Merge merges a contact or lead into another of its kind, as a user of the org would: it goes to the recycle bin and says there into
// which, and what belonged to it belongs to the other.
func (s *Simulator) Merge(master, merged string) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	t := s.Tables[objectOf(merged)]
	s.move(merged, master)
	s.set(t, t.Rows[merged], map[string]any{fieldMaster: master})
	t.Delete(t.Rows[merged])
}

// Purge deletes a record and empties the recycle bin, as a user of the org would.
func (s *Simulator) Purge(id string) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	if t := s.Tables[objectOf(id)]; t != nil && t.Rows[id] != nil {
		s.move(id, nil)
		t.Drop(t.Rows[id])
	}
}

// move makes what refers to a record refer to another, or to none. A task of somebody who is deleted is deleted, too.
func (s *Simulator) move(from string, to any) {
	for _, t := range s.Tables {
		for _, r := range t.Rows {
			for name, value := range r.Values {
				if len(t.fields[name].To) == 0 || value != from {
					continue
				}
				s.set(t, r, map[string]any{name: to})
				if t.object == taskObject && to == nil && !r.Deleted {
					t.Delete(r)
				}
			}
		}
	}
}

var masterQuery = regexp.MustCompile(`^SELECT MasterRecordId FROM (Contact|Lead) WHERE Id = '([0-9A-Za-z]{15,18})'$`)

// masters returns GET queryAll of what a record was merged into: it finds deleted records, too.
func (s *Simulator) masters(query string) reply {
	match := masterQuery.FindStringSubmatch(query)
	if match == nil {
		return refuse(http.StatusBadRequest, "MALFORMED_QUERY", "unexpected token")
	}
	records := []any{}
	if r := s.Tables[match[1]].get(match[2]); r != nil {
		records = append(records, map[string]any{
			"attributes": map[string]string{"type": match[1], "url": recordURL(match[1], r.ID)}, fieldMaster: r.Values[fieldMaster],
		})
	}
	return reply{Status: http.StatusOK, Body: map[string]any{"totalSize": len(records), "done": true, "records": records}}
}
