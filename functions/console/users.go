package console

import (
	"fmt"
	"maps"
	"slices"

	"signalbox/shared/tenant"
)

// checkUsers checks the ids of a tenant's people by what each CRM calls its users.
func (s *schemas) checkUsers(about map[string]any) (problems []tenant.Problem) {
	kinds := map[string]string{}
	crms, _ := about["crms"].([]any)
	for _, element := range crms {
		crm, _ := element.(map[string]any)
		name, _ := crm["name"].(string)
		kinds[name], _ = crm["kind"].(string)
	}
	leads, _ := about["leads"].(map[string]any)
	people, _ := leads["people"].([]any)
	for i, element := range people {
		person, _ := element.(map[string]any)
		users, _ := person["users"].(map[string]any)
		for _, crm := range slices.Sorted(maps.Keys(users)) {
			d := s.plugins[crmSchema(kinds[crm])]
			if id, ok := users[crm].(string); ok && d != nil && d.user != nil && d.user.Validate(id) != nil {
				path := tenant.Join(fmt.Sprintf("tenant.leads.people[%d].users", i), crm)
				problems = append(problems, tenant.Problem{Path: path, Reason: "is not " + d.wanted("", d.at(user))})
			}
		}
	}
	return problems
}
