// Package schema holds the JSON Schemas of what crosses a boundary of the system, by version. A released schema is frozen:
// only what every older document and every older reader survives may be added. Production code validates by hand-written
// code that tests pin to these files, so nothing here is compiled while a function starts.
package schema

import "embed"

//go:embed v2/*.json
var files embed.FS

// Event answers the JSON Schema (draft 2020-12) of the canonical event, version 2.
func Event() []byte {
	data, err := files.ReadFile("v2/event.json")
	if err != nil {
		panic(err) // embedded above: the build would have failed
	}
	return data
}
