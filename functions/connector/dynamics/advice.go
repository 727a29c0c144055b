package dynamics

import (
	_ "embed"
	"encoding/json"

	"signalbox/functions/connector"
)

// advices are what a person is to do about each code, and where Microsoft has it.
//
//go:embed advice.json
var advices []byte

var _ connector.Adviser = (*CRM)(nil)

// Advice implements connector.Adviser.
func (c *CRM) Advice(code string) string {
	var all map[string]string
	_ = json.Unmarshal(advices, &all) // embedded, and tested
	return all[code]
}
