// Package functions is about everything that is deployed: each function is in a folder below. What is here is what one family has
// to know of the plug-ins of another, as data: nobody imports a plug-in, and none is named.
package functions

import (
	"embed"
	"io/fs"
)

//go:embed connector/*/*.schema.json adapter/*/*.schema.json
var files embed.FS

// Schemas returns the JSON Schemas that plug-ins have of what tenants' files say of them: connector/<kind>/crm.schema.json and
// settings.schema.json of a CRM and its settings, adapter/<provider>/account.schema.json and
// line.schema.json of an account and of its lines.
func Schemas() fs.FS { return files }
