package salesforce

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"signalbox/shared/fault"
)

// What an org's own code refuses with. See https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_concepts_core_data_objects.htm.
const (
	wordTrigger = "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
	wordFlow    = "CANNOT_EXECUTE_FLOW_TRIGGER"
	wordApex    = "APEX_ERROR"
	wordRule    = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
)

// The names that an org's own code has in Salesforce's sentences. A message goes on with what the code said, which may hold anything:
// a name is taken only from where Salesforce itself puts it, and only if it can be nothing else.
var (
	triggerName = regexp.MustCompile(`^((?:[A-Za-z][A-Za-z0-9_]{0,39}\.)?[A-Za-z][A-Za-z0-9_]{0,79}): execution of (?:Before|After)(?:Insert|Update|Delete|Undelete)\b`)
	flowName    = regexp.MustCompile(`^[^“”"«»:]{1,120}[“"«]\s?([\p{L}_][\p{L}\p{M}\p{N}_ -]{0,79}?)\s?[”"»]`)
	flowVersion = regexp.MustCompile(`\bflow with version ID (301[0-9A-Za-z]{12}(?:[0-9A-Za-z]{3})?)\b`)
	ruleName    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,79}$`)
	manyDigits  = regexp.MustCompile(`\p{N}[\p{N} -]{3,}\p{N}`) // perhaps a number of somebody's
)

func ofOrgCode(word string) bool {
	return slices.Contains([]string{wordTrigger, wordFlow, wordApex}, word)
}

// orgCode returns the fault code of a refusal by an org's own code: what it was, as far as that is known.
func (e *ResponseError) orgCode(message string) string {
	switch {
	case e.Code == wordFlow:
		return codeFlow
	case e.Code == wordApex, triggerName.MatchString(message):
		return codeTrigger
	default:
		return "salesforce_org_code"
	}
}

// name keeps by what name an admin finds what refused. Of a validation rule Salesforce tells the message alone.
func (e *ResponseError) name(p problem) {
	var match []string
	switch e.Code {
	case wordTrigger:
		match = triggerName.FindStringSubmatch(p.Message)
	case wordFlow:
		if match = flowVersion.FindStringSubmatch(p.Message); match != nil {
			break
		}
		if match = flowName.FindStringSubmatch(p.Message); match != nil && manyDigits.MatchString(match[1]) {
			match = nil
		}
	case wordRule:
		e.says = p.Message
	}
	if match != nil {
		e.By = strings.Join(strings.Fields(match[1]), " ")
	}
}

// maxMessage is how long the message of a validation rule is at most.
const maxMessage = 255

// explained returns an error with the name of the validation rule that it is of. Salesforce tells the message of a rule and not its name,
// so that the rule is looked for by its message; a trigger may refuse in the same way, and then there is none. Who may not look, or is
// not told, learns no name.
func (o *org) explained(ctx context.Context, err error) error {
	refused, ok := errors.AsType[*ResponseError](err)
	if !ok || refused.says == "" || refused.By != "" || len(refused.says) > maxMessage {
		return err
	}
	query := "SELECT ValidationName FROM ValidationRule WHERE Active = true AND ErrorMessage = '" + escaped(refused.says) + "'"
	rules, _, failed := queried[struct {
		Name string `json:"ValidationName"`
	}](ctx, o, "tooling/query", query)
	if failed != nil {
		return err
	}
	for _, r := range rules {
		if ruleName.MatchString(r.Name) {
			named, by := *fault.Of(err), *refused // steps of one call may share them
			by.By, named.Err = r.Name, &by
			return &named
		}
	}
	return err
}

// escaped returns a text as it stands between the quotes of a query.
// See https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_quotedstringescapes.htm.
func escaped(text string) string {
	return strings.NewReplacer(`\`, `\\`, `'`, `\'`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\b", `\b`, "\f", `\f`).Replace(text)
}
