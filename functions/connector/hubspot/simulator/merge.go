package simulator

import "maps"

// Merge merges two contacts, as a user of the portal would, and returns the id of the one that is left, which is new. Reading by the id
// of either finds it. HubSpot does not say what writing by them does: with writes it finds it, too.
// See https://developers.hubspot.com/changelog/updated-merge-functionality-for-contacts-and-companies.
func (s *Simulator) Merge(primary, other string, writes bool) string {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	t := s.Tables[contacts]
	both := []*record{t.Rows[other], t.Rows[primary]}
	properties, ties := map[string]string{}, map[string][]string{}
	for _, r := range both {
		maps.Copy(properties, r.Values)
		for to, ids := range r.Ties {
			ties[to] = append(ties[to], ids...)
		}
	}
	for _, r := range both {
		s.archive(t, r)
	}
	for name, p := range t.known {
		if p.ReadOnly {
			delete(properties, name)
		}
	}
	left := s.add(t, properties)
	for to, ids := range ties {
		for _, id := range ids {
			associate(t, left.ID, s.Tables[to], id)
		}
	}
	for _, r := range both {
		s.merged[r.ID] = merge{left.ID, writes}
	}
	return left.ID
}

// merge is what became of a contact that was merged.
type merge struct {
	into   string
	writes bool
}

// row returns the record of an id, or the one that it was merged into; nil if there is none.
func (s *Simulator) row(t *table, id string, reads bool) *record {
	if m, merged := s.merged[id]; merged && t.name == contacts && (reads || m.writes) {
		return s.row(t, m.into, reads)
	}
	return t.Rows[id]
}
