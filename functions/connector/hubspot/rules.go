package hubspot

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"signalbox/shared/connect"
)

// ruled are HubSpot's own properties that deliveries write, beside those of package/.
func ruled(kind string) []string {
	switch kind {
	case contacts:
		return []string{firstName, "lastname", "phone", "mobilephone", "hs_whatsapp_phone_number", "lifecyclestage", ownerProperty}
	case communications:
		return []string{bodyProperty, "hs_timestamp", ownerProperty}
	case tickets:
		return []string{"subject", "content", ticketPipeline, ticketStage, "hs_ticket_priority"}
	default:
		return []string{"hs_lead_name", ownerProperty}
	}
}

// harmless are rules that what deliveries write always keeps.
const harmless = "EMAIL PHONE_NUMBER_WITH_EXPLICIT_COUNTRY_CODE"

// portalRule is a property's own rules, as HubSpot tells them.
type portalRule struct {
	Name  string `json:"propertyName"`
	Rules []struct {
		Kind string `json:"ruleType"`
	} `json:"propertyValidationRules"`
}

// kinds returns the rules that what deliveries write may break.
func (r portalRule) kinds() (kinds []string) {
	for _, one := range r.Rules {
		if !slices.Contains(strings.Fields(harmless), one.Kind) && word.MatchString(one.Kind) {
			kinds = append(kinds, one.Kind)
		}
	}
	return kinds
}

// validation tells the portal's own rules for properties that deliveries write. From 2026-09 on HubSpot holds every write to them.
func (v *visit) validation(ctx context.Context) error {
	for _, o := range v.objects {
		var list struct {
			Results []portalRule `json:"results"`
		}
		if _, err := v.ask(ctx, http.MethodGet, v.routes.rules+"/"+typeID(o.kind), nil, &list); err != nil {
			if !withheld(err) {
				return err
			}
			v.Add("validation rules of "+o.kind, connect.OK, "HubSpot does not tell them", "")
			continue
		}
		wanted, err := v.wanted(o.kind)
		if err != nil {
			return err
		}
		ours := ruled(o.kind)
		for _, d := range wanted {
			ours = append(ours, d.Name)
		}
		told := len(v.Findings)
		for _, p := range list.Results {
			if kinds := p.kinds(); len(kinds) > 0 && slices.Contains(ours, p.Name) {
				v.Add("validation rules of "+o.kind+"."+p.Name, connect.Degraded, strings.Join(kinds, ", ")+": a delivery that breaks one is a dead letter",
					"HubSpot: Settings > Properties > "+p.Name+" > Rules")
			}
		}
		if len(v.Findings) == told {
			v.Add("validation rules of "+o.kind, connect.OK, "", "")
		}
	}
	return nil
}
