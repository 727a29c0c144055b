package console

import (
	"encoding/json"
	"slices"
	"strings"

	"signalbox/shared/mapping"
	"signalbox/shared/tenant"
)

// checkFields checks of a mapping what no schema tells, once its schema has nothing to say.
func checkFields(path string, fields any, raw tenant.RawVendor, told []tenant.Problem) []tenant.Problem {
	if fields == nil || slices.ContainsFunc(told, func(p tenant.Problem) bool { return strings.HasPrefix(p.Path, path) }) {
		return nil
	}
	data, err := json.Marshal(fields)
	if err != nil {
		return []tenant.Problem{{Path: path, Reason: "is not JSON"}}
	}
	m, problems := mapping.Parse(data)
	problems = append(problems, m.Policy(raw)...)
	for i, p := range problems {
		problems[i].Path = strings.TrimSuffix(path+"."+p.Path, ".")
	}
	return problems
}
