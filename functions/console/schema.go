package console

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // where functions run there are no zones

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"signalbox/events/schema"
	"signalbox/shared/hosts"
	"signalbox/shared/secret"
	"signalbox/shared/tenant"
)

// What schemas call what no pattern can tell.
const (
	formatURL  = "crm-url"         // the base of a CRM's API
	formatKey  = "rsa-private-key" // in PEM
	formatZone = "time-zone"       // of the IANA database
)

// leastKey is how many bits the keys of RS256 have at least (RFC 7518, section 3.3).
const leastKey = 2048

var errKey = fmt.Errorf("is not a whole RSA private key in PEM, PKCS #8 or PKCS #1, of %d bits or more, that is not encrypted", leastKey)

var errZone = errors.New("is not a time zone of the IANA database, such as America/New_York")

// Deployment is what tenants' files may ask of it.
type Deployment struct {
	CRMs      []string     // kinds
	Providers []string     // of channels
	Schemas   fs.FS        // of each of them, as package functions has them
	Hosts     hosts.Policy // where CRMs may be
}

// schemas are those that a file is checked with, compiled.
type schemas struct {
	Deployment
	file    *document
	account *document            // of a file of its own
	plugins map[string]*document // by the names of their files, without the extension
}

// newSchemas compiles the schemas. It returns an error for a kind of CRM, or a provider, without one.
func newSchemas(d Deployment) (*schemas, error) {
	file, err := compile("tenant", schema.Tenant(), d.Hosts)
	if err != nil {
		return nil, err
	}
	account, err := compile("account", schema.Account(), d.Hosts, file)
	if err != nil {
		return nil, err
	}
	fields, err := compile("mapping", schema.Mapping(), d.Hosts)
	if err != nil {
		return nil, err
	}
	s := &schemas{d, file, account, map[string]*document{}}
	var names []string
	for _, kind := range d.CRMs {
		names = append(names, crmSchema(kind), settingsSchema(kind))
	}
	for _, provider := range d.Providers {
		names = append(names, accountSchema(provider), lineSchema(provider))
	}
	for _, name := range names {
		data, err := fs.ReadFile(d.Schemas, name+".schema.json")
		if err != nil {
			return nil, fmt.Errorf("schema of %s: %w", name, err)
		}
		if s.plugins[name], err = compile(name, data, d.Hosts, fields); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func crmSchema(kind string) string         { return "connector/" + kind + "/crm" }
func settingsSchema(kind string) string    { return "connector/" + kind + "/settings" }
func accountSchema(provider string) string { return "adapter/" + provider + "/account" }
func lineSchema(provider string) string    { return "adapter/" + provider + "/line" }

// parse reads what is to be checked. What is not JSON is tenant.Syntax's.
func parse(data []byte) (any, []tenant.Problem) {
	file, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, []tenant.Problem{{Reason: "the file is not one JSON value"}}
	}
	return file, nil
}

// checkAccountFile lists what is wrong with the file of an account, by path.
func (s *schemas) checkAccountFile(data []byte) ([]tenant.Problem, error) {
	file, problems := parse(data)
	if len(problems) > 0 {
		return problems, nil
	}
	problems = s.account.check("", file)
	top, _ := file.(map[string]any)
	account, _ := top["account"].(map[string]any)
	if provider, ok := account["provider"].(string); ok {
		problems = append(problems, s.checkAccount("account", provider, account)...)
	}
	return problems, nil
}

// check lists what is wrong with a tenant's file, by path. Others returns the providers of accounts with files of their own.
func (s *schemas) check(data []byte, others func(accounts []string) (map[string]string, error)) ([]tenant.Problem, error) {
	file, problems := parse(data)
	if len(problems) > 0 {
		return problems, nil
	}
	problems = s.file.check("", file)
	top, _ := file.(map[string]any)
	about, _ := top["tenant"].(map[string]any)
	raw, _ := about["rawVendor"].(string)
	crms, _ := about["crms"].([]any)
	for i, element := range crms {
		crm, _ := element.(map[string]any)
		if kind, ok := crm["kind"].(string); ok {
			problems = append(problems, s.checkCRM(fmt.Sprintf("tenant.crms[%d]", i), kind, crm, tenant.RawVendor(raw))...)
		}
	}
	problems = append(problems, s.checkUsers(about)...)
	providers := map[string]string{} // by an account's id
	accounts, _ := top["accounts"].([]any)
	for i, element := range accounts {
		account, _ := element.(map[string]any)
		if provider, ok := account["provider"].(string); ok {
			problems = append(problems, s.checkAccount(fmt.Sprintf("accounts[%d]", i), provider, account)...)
			if id, ok := account["id"].(string); ok {
				providers[id] = provider
			}
		}
	}
	lines, _ := top["lines"].([]any)
	if err := foreign(lines, providers, others); err != nil {
		return nil, err
	}
	for i, element := range lines {
		line, _ := element.(map[string]any)
		id, _ := line["account"].(string)
		if d := s.plugins[lineSchema(providers[id])]; d != nil { // an account that is wrong is told of already
			problems = append(problems, d.check(fmt.Sprintf("lines[%d]", i), line)...)
		}
	}
	return problems, nil
}

// foreign adds the providers of the accounts of lines that are not in the file.
func foreign(lines []any, providers map[string]string, others func(accounts []string) (map[string]string, error)) error {
	var ids []string
	for _, element := range lines {
		line, _ := element.(map[string]any)
		if id, ok := line["account"].(string); ok && providers[id] == "" {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := others(ids)
	maps.Copy(providers, found)
	return err
}

// checkCRM refuses a CRM that nothing here serves, for all that it was to have would be dead letters, and checks what only its kind
// knows. Raw is what the tenant keeps of what providers send.
func (s *schemas) checkCRM(path, kind string, crm map[string]any, raw tenant.RawVendor) []tenant.Problem {
	if !slices.Contains(s.CRMs, kind) {
		return []tenant.Problem{{Path: path + ".kind", Reason: "is no CRM of this deployment, which has " + strings.Join(s.CRMs, ", ")}}
	}
	problems := s.plugins[crmSchema(kind)].check(path, crm)
	base, _ := crm["baseUrl"].(string)
	for _, other := range s.CRMs {
		if own := s.plugins[crmSchema(other)].ownBaseURL; other != kind && own != nil && own.Validate(base) == nil {
			problems = append(problems, tenant.Problem{Path: path + ".baseUrl", Reason: "is an address of another CRM, " + other})
		}
	}
	settings, ok := crm["settings"].(map[string]any)
	switch {
	case crm["settings"] == nil: // what is left out; null is the file's own problem
		settings = map[string]any{}
	case !ok:
		return problems // told already
	}
	problems = append(problems, s.plugins[settingsSchema(kind)].check(path+".settings", settings)...)
	return append(problems, checkFields(path+".settings.fields", settings["fields"], raw, problems)...)
}

// checkAccount refuses an account at a provider that nothing here serves, for each of its webhooks would be refused, and checks what
// only its provider knows.
func (s *schemas) checkAccount(path, provider string, account map[string]any) []tenant.Problem {
	if !slices.Contains(s.Providers, provider) {
		return []tenant.Problem{{Path: path + ".provider", Reason: "is no provider of this deployment, which has " + strings.Join(s.Providers, ", ")}}
	}
	d := s.plugins[accountSchema(provider)]
	problems := d.check(path, account)
	if told, _ := account["consentUrl"].(string); told != "" && !d.names("consentUrl") { // it would wait for ever to be told
		problems = append(problems, tenant.Problem{Path: path + ".consentUrl", Reason: "is of providers that are told who may be written to, which " + provider + " is not: leave it out"})
	}
	return problems
}

// document is a schema with its source, whose descriptions say what is wanted.
type document struct {
	compiled   *jsonschema.Schema
	ownBaseURL *jsonschema.Schema // of addresses that only this kind of CRM has; nil if it does not tell
	user       *jsonschema.Schema // of the ids of its users; nil if it does not tell
	source     any
	name       string    // of its file
	refers     *document // to the one that it refers to; nil for none
}

// names reports whether a schema has something to say of a property.
func (d *document) names(property string) bool {
	top, _ := d.source.(map[string]any)
	properties, _ := top["properties"].(map[string]any)
	return properties[property] != nil
}

// place is where schemas are for each other.
const place = "https://signalbox.invalid/schema/"

// Where a CRM's schema has what it says of addresses and users.
const (
	ownBaseURL = "#/$defs/ownBaseUrl"
	user       = "#/$defs/user"
)

// registerFormats makes known what schemas call what no pattern can tell.
func registerFormats(c *jsonschema.Compiler, policy hosts.Policy) {
	c.RegisterFormat(&jsonschema.Format{Name: formatURL, Validate: func(v any) error {
		if raw, ok := v.(string); ok {
			if reason := policy.Check(raw); reason != "" {
				return errors.New(reason)
			}
		}
		return nil
	}})
	c.RegisterFormat(&jsonschema.Format{Name: formatKey, Validate: func(v any) error {
		if raw, ok := v.(string); ok {
			if key, ok := secret.RSAKey(secret.Value(raw)); !ok || key.N.BitLen() < leastKey {
				return errKey
			}
		}
		return nil
	}})
	c.RegisterFormat(&jsonschema.Format{Name: formatZone, Validate: func(v any) error {
		raw, ok := v.(string)
		if _, err := time.LoadLocation(raw); ok && (err != nil || raw == "" || raw == "Local") {
			return errZone
		}
		return nil
	}})
}

func compile(name string, data []byte, policy hosts.Policy, refers ...*document) (*document, error) {
	source, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", name, err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	registerFormats(c, policy)
	d := &document{source: source, name: name + ".json"}
	for _, other := range refers {
		d.refers = other
		if err := c.AddResource(place+other.name, other.source); err != nil {
			return nil, fmt.Errorf("schema of %s: %w", name, err)
		}
	}
	url := place + d.name
	if err := c.AddResource(url, source); err != nil {
		return nil, fmt.Errorf("schema of %s: %w", name, err)
	}
	d.compiled, err = c.Compile(url)
	if err == nil && d.at(ownBaseURL) != nil {
		d.ownBaseURL, err = c.Compile(url + ownBaseURL)
	}
	if err == nil && d.at(user) != nil {
		d.user, err = c.Compile(url + user)
	}
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", name, err)
	}
	return d, nil
}

// check lists what is wrong with a value that is at path in the file.
func (d *document) check(path string, value any) []tenant.Problem {
	err := d.compiled.Validate(value)
	invalid, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return nil
	}
	problems := d.problems(path, value, invalid, nil)
	slices.SortFunc(problems, func(a, b tenant.Problem) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Reason, b.Reason))
	})
	return slices.Compact(problems)
}

func (d *document) problems(path string, value any, e *jsonschema.ValidationError, all []tenant.Problem) []tenant.Problem {
	for _, cause := range e.Causes {
		all = d.problems(path, value, cause, all)
	}
	if len(e.Causes) > 0 {
		return all
	}
	at := locate(path, value, e.InstanceLocation)
	rule := d.at(e.SchemaURL)
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			all = append(all, tenant.Problem{Path: tenant.Join(at, name), Reason: "is missing" + d.wanted(": ", property(rule, name))})
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			all = append(all, tenant.Problem{Path: tenant.Join(at, name), Reason: "is not a name known here, which are " + names(rule)})
		}
	case *kind.Type:
		if len(k.Want) > 1 {
			return append(all, tenant.Problem{Path: at, Reason: "is " + article(k.Got) + ", not " + d.wanted("", rule)})
		}
		all = append(all, tenant.Problem{Path: cmp.Or(at, "the file"), Reason: "is " + article(k.Got) + ", not " + article(k.Want[0])})
	case *kind.Format:
		all = append(all, tenant.Problem{Path: at, Reason: k.Err.Error()})
	default: // the kind's own words may hold what is in the file
		all = append(all, tenant.Problem{Path: at, Reason: "is not " + cmp.Or(d.wanted("", rule), "what its schema allows")})
	}
	return all
}

// locate returns the path of a place in a value that is itself at path.
func locate(path string, value any, location []string) string {
	for _, step := range location {
		switch v := value.(type) {
		case map[string]any:
			path, value = tenant.Join(path, step), v[step]
		case []any:
			path += "[" + step + "]"
			value = nil
			for i := range v {
				if fmt.Sprint(i) == step {
					value = v[i]
				}
			}
		}
	}
	return path
}

// at returns the part of the schema that a URL names, by the JSON pointer behind its number sign.
func (d *document) at(url string) map[string]any {
	file, pointer, _ := strings.Cut(url, "#")
	part := d.source
	if d.refers != nil && strings.TrimPrefix(file, place) == d.refers.name {
		part = d.refers.source
	}
	for _, step := range strings.Split(pointer, "/")[1:] {
		switch v := part.(type) {
		case map[string]any:
			part = v[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)]
		default: // of a list, which none of these schemas has on the way
			return nil
		}
	}
	rule, _ := part.(map[string]any)
	return rule
}

func property(rule map[string]any, name string) map[string]any {
	properties, _ := rule["properties"].(map[string]any)
	wanted, _ := properties[name].(map[string]any)
	return wanted
}

// wanted returns the description of a part behind before, "" if it has none.
func (d *document) wanted(before string, rule map[string]any) string {
	description, ok := rule["description"].(string)
	if reference, refers := rule["$ref"].(string); refers && !ok {
		description, ok = d.at(reference)["description"].(string)
	}
	if !ok {
		return ""
	}
	return before + description
}

func names(rule map[string]any) string {
	properties, _ := rule["properties"].(map[string]any)
	return strings.Join(slices.Sorted(maps.Keys(properties)), ", ")
}

// article returns a JSON type as a sentence has it.
func article(kind string) string {
	switch kind {
	case "array":
		return "a list"
	case "boolean":
		return "true or false"
	case "null":
		return "null"
	case "object":
		return "an object"
	default:
		return "a " + kind
	}
}
