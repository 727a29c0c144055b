// Package functions is about everything that is deployed: each function is in a folder below. What is here is what one family has
// to know of the plug-ins of another, as data: nobody imports a plug-in, and none is named.
package functions

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
)

//go:embed connector/*/settings.schema.json
var files embed.FS

// SettingsSchemas returns the JSON Schemas of the settings of CRMs by their kinds, which are the names of their folders.
func SettingsSchemas() (map[string][]byte, error) {
	found, err := fs.Glob(files, "connector/*/settings.schema.json")
	if err != nil {
		return nil, fmt.Errorf("schemas of settings: %w", err)
	}
	schemas := map[string][]byte{}
	for _, name := range found {
		if schemas[path.Base(path.Dir(name))], err = files.ReadFile(name); err != nil {
			return nil, fmt.Errorf("schemas of settings: %w", err)
		}
	}
	return schemas, nil
}
