package hubspot

import (
	"context"

	"signalbox/functions/connector"
)

// misread is how many digits of a number's end HubSpot keeps however it reads what was typed. It reads with the portal's country: of
// 0xx11 97123-4567, from Brazil, the United States make a number of the country 971.
const misread = 6

// candidates bounds one search. Numbers with the same national digits are few.
const candidates = 100

// What is read of a candidate: the numbers as they were typed and as HubSpot worked them out, and what to read them with.
const (
	propertyCountry     = "country"
	propertyCountryCode = "hs_country_region_code"
	propertyOwner       = "hubspot_owner_id"
)

func phoneProperties() []string {
	return []string{"phone", "mobilephone", "hs_whatsapp_phone_number", "hs_calculated_phone_number", "hs_calculated_mobile_number"}
}

// search returns the contacts that may have this number (E.164), and others: HubSpot keeps what was typed and makes only the
// national digits searchable, without the country. It takes five groups of filters.
func (p *portal) search(ctx context.Context, phone string) ([]object, error) {
	forms := connector.SearchDigits(phone)
	national, shared := forms[0], forms[len(forms)-1]
	if len(forms) > 1 {
		shared = shared[max(0, len(shared)-misread):]
	}
	shared = "*" + shared
	var groups []connector.Object
	for _, f := range [][3]string{
		{"hs_searchable_calculated_phone_number", "EQ", national},
		{"hs_searchable_calculated_phone_number", "CONTAINS_TOKEN", shared},
		{"hs_searchable_calculated_mobile_number", "CONTAINS_TOKEN", shared},
		{"hs_whatsapp_phone_number", "CONTAINS_TOKEN", shared},
		{"mobilephone", "EQ", phone},
	} {
		groups = append(groups, connector.Object{"filters", []connector.Object{{"propertyName", f[0], "operator", f[1], "value", f[2]}}})
	}
	properties := append(phoneProperties(), propertyCountry, propertyCountryCode, firstName, lastName, "lastmodifieddate", propertyOwner,
		p.binding.Properties.SenderKey)
	request := connector.Object{
		"after", "0", "limit", candidates, "sorts", []string{"-lastmodifieddate"}, "properties", properties, "filterGroups", groups,
	}
	reply, err := p.find(ctx, p.routes.search(contacts), request)
	return reply.Results, err
}

// samePhone keeps the candidates that have this number: each of their numbers is read with the record's own country
// where it has one, otherwise with the tenant's region.
func samePhone(candidates []object, phone, region string) []object {
	var same []object
	for _, o := range candidates {
		in := connector.RegionOf(region, o.Properties[propertyCountryCode], o.Properties[propertyCountry])
		typed := make([]string, 0, len(phoneProperties()))
		for _, property := range phoneProperties() {
			typed = append(typed, o.Properties[property])
		}
		if connector.SameNumber(phone, in, typed...) {
			same = append(same, o)
		}
	}
	return same
}

// number writes the number that contacts have now where they still show the one that they had.
func (p *portal) number(ctx context.Context, w batch) {
	fields := []string{"phone", "mobilephone"}
	p.amend(ctx, w, append([]string{propertyCountry, propertyCountryCode}, fields...), func(r Request, held map[string]string) (map[string]string, error) {
		region := connector.RegionOf(r.delivery.Person.Region, held[propertyCountryCode], held[propertyCountry])
		changed := map[string]string{}
		for _, field := range fields {
			if connector.SameNumber(r.action.Value["from"], region, held[field]) {
				changed[field] = r.action.Value["to"]
			}
		}
		return changed, nil
	}, nil)
}
