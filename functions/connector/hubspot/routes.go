package hubspot

import (
	"cmp"
	"net/url"
)

// The versions of HubSpot's API paths that the connector knows. A dated version is supported for 18 months, see
// https://developers.hubspot.com/docs/developer-tooling/platform/versioning.
const (
	Version202603 = "2026-03"
	Version202609 = "2026-09"
	VersionLegacy = "v3" // whose associations, of v4, end before itself: see versions.json
)

// routes are the paths of one version. They are spelled out, because HubSpot moves prefixes between releases.
type routes struct {
	objects      string // + /{object}[/{id}][/batch/...][/search]
	associated   string // + /{from}/{id}/associations/default/{to}/{id}
	associations string // + /{from}/{to}/batch/...
	files        string // of the Files API
	properties   string // + /{object}, + /{object}/groups
	account      string // + /details, + /api-usage/daily/private-apps
	rules        string // + /{id of an object type}
}

// routesOf returns the paths of a version; the empty one is Version202603.
func routesOf(version string) (routes, bool) {
	switch version = cmp.Or(version, Version202603); version {
	case Version202603, Version202609:
		return routes{
			objects:      "/crm/objects/" + version,
			associated:   "/crm/objects/" + version,
			associations: "/crm/associations/" + version,
			files:        "/files/" + Version202603 + "/files", // the description of 2026-09 has no upload
			properties:   "/crm/properties/" + version,
			account:      "/account-info/" + version,
			rules:        "/crm/property-validations/" + version,
		}, true
	case VersionLegacy:
		return routes{
			objects:      "/crm/v3/objects",
			associated:   "/crm/v4/objects",
			associations: "/crm/v4/associations",
			files:        "/files/v3/files",
			properties:   "/crm/v3/properties",
			account:      "/account-info/v3",
			rules:        "/crm/v3/property-validations",
		}, true
	default:
		return routes{}, false
	}
}

func (r routes) object(object string) string { return r.objects + "/" + object }

func (r routes) record(object, id string) string {
	return r.objects + "/" + object + "/" + url.PathEscape(id)
}

func (r routes) batch(object, verb string) string { return r.objects + "/" + object + "/batch/" + verb }

func (r routes) search(object string) string { return r.objects + "/" + object + "/search" }

func (r routes) associate(from, id, to, toID string) string {
	return r.associated + "/" + from + "/" + url.PathEscape(id) + "/associations/default/" + to + "/" + url.PathEscape(toID)
}

func (r routes) associateBatch(from, to string) string {
	return r.associations + "/" + from + "/" + to + "/batch/associate/default"
}

func (r routes) associationsRead(from, to string) string {
	return r.associations + "/" + from + "/" + to + "/batch/read"
}

func (r routes) groups(object string) string { return r.properties + "/" + object + "/groups" }
