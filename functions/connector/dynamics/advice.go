package dynamics

import "signalbox/functions/connector"

var _ connector.Adviser = (*CRM)(nil)

// Advice implements connector.Adviser: where a person clicks for each code that keeps deliveries waiting.
func (c *CRM) Advice(code string) string {
	const (
		file  = "in the tenant file, and apply it: "
		entra = "entra.microsoft.com, App registrations, the app: "
		users = "admin.powerplatform.microsoft.com, Environments, the environment, Settings, Users + permissions, Application users: "
		limit = "nothing: Dataverse takes no more requests of the application user for now, and what waits goes on by itself. Where it comes again " +
			"and again, find out what else uses the same application user: admin.powerplatform.microsoft.com, Licensing, Capacity add-ons, " +
			"Dataverse API requests"
		install = "make connect TENANT=… CRM=… installs the solution signalbox, or says what is in its way"
	)
	return map[string]string{
		"dynamics_tenant_unknown":      "apply the tenant's file: its record is gone",
		"dynamics_not_bound":           file + "crms lacks this one, or kind is not dynamics",
		"dynamics_settings_invalid":    file + "settings, an object with tenantId and clientId",
		"dynamics_base_url_invalid":    file + "baseUrl, the environment's address: make.powerapps.com, Settings, Developer resources, Web API endpoint, without /api/data/v9.2",
		"dynamics_login_url_invalid":   file + "settings.loginUrl, or leave it out: https://login.microsoftonline.com",
		"dynamics_version_unknown":     file + "apiVersion, v9.2",
		"dynamics_credentials_missing": file + "settings.tenantId, settings.clientId and token, the client secret; " + entra + "Overview shows both ids",
		"dynamics_secret_invalid":      entra + "Certificates & secrets, New client secret; its Value, not its ID, is token; then " + file + "token",
		"dynamics_secret_expired":      entra + "Certificates & secrets, New client secret; then " + file + "token",
		"dynamics_app_unknown":         file + "settings.clientId and settings.tenantId: the directory has no such app; " + entra + "Overview shows both",
		"dynamics_directory_unknown":   file + "settings.tenantId: there is no such directory",
		"dynamics_environment_unknown": file + "baseUrl: the directory knows no such environment, or it is another directory's",
		"dynamics_grant_refused":       entra + "Entra gives no token; its sign-in logs (Service principal sign-ins) say why",
		"dynamics_session_refused":     users + "the environment refuses a token that was just given: is the app there, and baseUrl its environment?",
		"dynamics_unauthenticated":     users + "the environment refuses the token: is the app there, and baseUrl its environment?",
		"dynamics_forbidden":           users + "the app has no security role, or an address it may not come from; Edit security roles",
		codePrivilege:                  users + "Edit security roles: the role Signalbox lacks a privilege; functions/connector/dynamics/package/README.md lists them",
		"dynamics_user_disabled":       users + "the application user is deactivated: Activate",
		"dynamics_user_unknown":        users + "New app user: the environment does not know the app",
		codeSchema:                     install + ": a table or a column of it is missing",
		codeKey:                        install + ": an alternate key of it is missing",
		"dynamics_key_pending":         "nothing: Dataverse is building the index of an alternate key, and what waits goes on by itself. make.powerapps.com, Tables, the table, Keys shows it",
		"dynamics_key_failed": "make.powerapps.com, Tables, the table, Keys: the index of an alternate key could not be built, most often because two rows have one value; " +
			"clear the value of one and choose Reactivate key",
		"dynamics_choice_invalid":     "a mapped choice column has no such value: correct fields " + file + "fields",
		"dynamics_path_unknown":       file + "baseUrl and apiVersion: the environment knows no such address; is it one with Dataverse, and are leads there? Otherwise settings.leads: false",
		"dynamics_redirected":         file + "baseUrl: what is there redirects, as pages do and the API does not",
		"dynamics_request_limit":      limit,
		"dynamics_execution_limit":    limit,
		"dynamics_concurrency_limit":  limit,
		"dynamics_duplicate_rule":     "a duplicate detection rule refuses a new row: make it not apply to the application user, or merge the duplicates",
		"dynamics_plugin":             "a plug-in or a real-time workflow of the environment refuses a row: make.powerapps.com, Solutions, Plug-in trace log says which",
		"dynamics_value_too_long":     "a column of the environment takes less than is written: make it as long as functions/connector/dynamics/package/tables.json says",
		"dynamics_file_refused":       "nothing: the environment refuses this kind of file, and the link stays",
		"dynamics_person_key_missing": "nothing: a person without a key is a fault of ours",
		"dynamics_login_limit":        "nothing: Entra takes no more requests of the app for now, and what waits goes on by itself",
		"dynamics_login_unavailable":  "nothing: Entra does not answer, and what waits goes on by itself",
	}[code]
}
