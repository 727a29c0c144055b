package connector

import (
	"slices"
	"strings"

	"signalbox/shared/connect"
	"signalbox/shared/delivery"
)

// Workable is how a CRM stands to an action of work.
type Workable struct {
	Means, Mend string   // what it lacks, and what mends that; "" if it lacks nothing
	Field       string   // where a word of the tenant's is written, "" if none is
	Takes       []string // the words that the field takes, nil for any
}

// AddWork adds to a report how a CRM stands to each action of work that its tenant's rules ask for.
func AddWork(r *connect.Report, asked []delivery.Action, stands func(delivery.Action) Workable) {
	const undone = ": it is left undone, which the log and the metric WorkLeft tell"
	told := map[string]bool{}
	for _, a := range asked {
		word := a.Value[delivery.Status] + a.Value[delivery.To]
		what := strings.TrimSpace("rules: " + string(a.Kind) + " " + word + a.Value[delivery.Name])
		if told[what] {
			continue
		}
		told[what] = true
		switch of := stands(a); {
		case of.Means != "":
			r.Add(what, connect.Degraded, of.Means+undone, of.Mend)
		case word != "" && of.Takes != nil && !slices.Contains(of.Takes, word):
			r.Add(what, connect.Refused, of.Field+" takes none but "+strings.Join(of.Takes, ", ")+undone, "correct it in the tenant's rules, make apply")
		default:
			r.Add(what, connect.OK, "", "")
		}
	}
}
