package connector

import "encoding/json"

// Adviser is a CRM that knows what a person is to do about the faults that keep a tenant's deliveries waiting.
type Adviser interface {
	// Advice returns what is to be done about a fault's code, in the words of the CRM and where in it, "" if nothing is known. It holds
	// nothing of a tenant.
	Advice(code string) string
}

// Advices are what an Adviser knows: a JSON object of advice by codes, which its folder embeds and tests.
type Advices []byte

// Advice returns what is to be done about a code, "" if nothing is known.
func (a Advices) Advice(code string) string {
	var all map[string]string
	_ = json.Unmarshal(a, &all) // it is tested
	return all[code]
}

// adviceOf returns what a CRM says about a code, "" from one that is no Adviser.
func adviceOf(crm any, code string) string {
	if adviser, ok := crm.(Adviser); ok {
		return adviser.Advice(code)
	}
	return ""
}
