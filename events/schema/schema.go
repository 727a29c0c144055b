// Package schema holds the JSON Schemas of what crosses a boundary of the system, by version. A released schema is frozen:
// only what every older document and every older reader survives may be added. The path of a message validates by hand-written
// code that tests pin to these files, so that nothing here is compiled while its functions start; tenants' files are validated by
// their schema itself, in the one function that applies them.
package schema

import "embed"

//go:embed v2/*.json tenant.json account.json mapping.json
var files embed.FS

// Event returns the JSON Schema (draft 2020-12) of the canonical event, version 2.
func Event() []byte { return read("v2/event.json") }

// Door returns the JSON Schema (draft 2020-12) of what programs may tell as events: canonical ones, of which what is known here may be missing.
// It refers to that of Event as event.json, beside it.
func Door() []byte { return read("v2/door.json") }

// Tenant returns the JSON Schema (draft 2020-12) of a tenant's file. What it calls crm-url is the base of a CRM's API, which the
// deployment may restrict; each CRM has a schema of its settings.
func Tenant() []byte { return read("tenant.json") }

// Account returns the JSON Schema (draft 2020-12) of the file of an account that several tenants have lines of. It refers to Tenant's.
func Account() []byte { return read("account.json") }

// Mapping returns the JSON Schema (draft 2020-12) of what the settings of a tenant's CRM say of the fields that are filled, which the schemas
// of CRMs' settings refer to.
func Mapping() []byte { return read("mapping.json") }

func read(name string) []byte {
	data, err := files.ReadFile(name)
	if err != nil {
		panic(err) // embedded above: the build would have failed
	}
	return data
}
