package connector

// ResultRule is what a result says chose the person's record among several.
const ResultRule = "rule"

// The rules by which a record is chosen among several that may be the person, in their order. Two records are never merged here: whose
// they are is for people to say.
const (
	RuleContact = "contact"    // the CRM calls it a person, and not somebody to become one
	RuleWritten = "written_to" // messages went to it before
	RuleOwned   = "owned"      // it belongs to somebody
	RuleNewest  = "newest"     // it was modified last
)

// Rule is a rule for records of a CRM: those that have what it asks for go before those that have not.
type Rule[T any] struct {
	Name string
	Has  func(T) bool
}

// Choose returns one of several records, and the rule that left it alone: each rule in turn keeps those that have what it asks for, and all
// if none has. What they leave goes by newest, which is a strict order. One alone needs no rule.
func Choose[T any](records []T, rules []Rule[T], newest func(a, b T) int) (chosen T, rule string) {
	for _, r := range rules {
		if len(records) == 1 {
			return records[0], rule
		}
		var kept []T
		for _, record := range records {
			if r.Has(record) {
				kept = append(kept, record)
			}
		}
		if len(kept) > 0 && len(kept) < len(records) {
			records, rule = kept, r.Name
		}
	}
	if len(records) == 1 {
		return records[0], rule
	}
	chosen = records[0]
	for _, record := range records[1:] {
		if newest(record, chosen) > 0 {
			chosen = record
		}
	}
	return chosen, RuleNewest
}
