package dynamics

import (
	"context"
	"regexp"

	"signalbox/functions/connector"
	"signalbox/shared/fault"

	definitions "signalbox/functions/connector/dynamics/package"
)

// batch is steps of one kind for one environment.
type batch = connector.Batch[Request]

// environment is one tenant's Dataverse for the time of one Do.
type environment struct {
	crm     *CRM
	at      connector.BindingKey
	binding Binding
}

// Do implements connector.CRM.
func (c *CRM) Do(ctx context.Context, steps []connector.Step[Request]) []connector.Outcome {
	request := func(s connector.Step[Request]) Request {
		s.Request.again = s.Again
		return s.Request
	}
	open := func(ctx context.Context, r Request) (*environment, error) {
		return c.environment(ctx, connector.KeyOf(r.Delivery))
	}
	return connector.Carry(ctx, steps, request, open, func(r Request) func(*environment, context.Context, batch) {
		return map[string]func(*environment, context.Context, batch){
			connector.StepResolve:    (*environment).resolve,
			connector.StepRecord:     (*environment).record,
			connector.StepConsent:    (*environment).consent,
			connector.StepReply:      (*environment).replied,
			connector.StepNumber:     (*environment).number,
			connector.StepName:       (*environment).name,
			connector.StepOwner:      (*environment).owner,
			connector.StepNotice:     (*environment).tell,
			connector.StepAttach:     (*environment).attach,
			connector.StepCase:       (*environment).openCase,
			connector.StepStatus:     (*environment).setStatus,
			connector.StepAutomation: (*environment).start,
		}[r.Kind]
	})
}

func (c *CRM) environment(ctx context.Context, at connector.BindingKey) (*environment, error) {
	binding, err := c.options.Bindings.Binding(ctx, at.Tenant, at.CRM)
	if err != nil {
		return nil, err
	}
	binding, err = binding.check()
	return &environment{crm: c, at: at, binding: binding}, err
}

// root returns where the API's paths begin.
func (e *environment) root() string { return "/api/data/" + e.binding.Version + "/" }

// The sets of rows. Those of our own tables, and the columns that are keys, are as package/ has them.
const (
	contacts      = "contacts"
	leads         = "leads"
	messages      = "msg_messages"
	conversations = "msg_conversations"
	tasks         = "tasks"
	notes         = "annotations"
	cases         = "incidents"
	automations   = "msg_automations"

	senderKey       = "msg_senderkey"
	eventKey        = "msg_eventkey"
	conversationKey = "msg_conversationkey"
	noticeKey       = "msg_noticekey"
	caseKey         = "msg_casekey"
	automationKey   = "msg_automationkey"
)

// sets returns where persons are looked for, contacts before leads. An environment without leads knows no address of them.
func (e *environment) sets() []string {
	if e.binding.Contacts {
		return []string{contacts}
	}
	return []string{contacts, leads}
}

// keyForm is what every key is: Dataverse takes no row by a key that holds a character with a meaning in addresses.
// See https://learn.microsoft.com/power-apps/developer/data-platform/use-alternate-key-reference-record.
var keyForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// byKey returns where a row is by an alternate key. Keys are hexadecimal digits, so that nothing needs escaping.
func byKey(set, column, key string) string { return set + "(" + column + "='" + key + "')" }

// whoForm is a person as links and results have one: where the row is.
var whoForm = regexp.MustCompile(`^(contacts|leads)\([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\)$`)

// setOf returns the set of a person, "" for what is no person.
func setOf(who string) string {
	if match := whoForm.FindStringSubmatch(who); match != nil {
		return match[1]
	}
	return ""
}

// objectOf returns the table of a set of persons, of which the names of lookups are made.
func objectOf(set string) string { return map[string]string{contacts: "contact", leads: "lead"}[set] }

// explained returns err, or of a key that Dataverse does not know why: until its index is built a key is none.
func (e *environment) explained(ctx context.Context, err error) error {
	if !fault.Is(err, codeKey) {
		return err
	}
	tables, broken := definitions.Tables()
	if broken != nil {
		return broken
	}
	rows := make([][]part, len(tables))
	for i, t := range tables {
		rows[i] = []part{get("EntityDefinitions(LogicalName='" + t.Name + "')?$select=LogicalName&$expand=Keys($select=LogicalName,EntityKeyIndexStatus)")}
	}
	for i, replies := range e.exchange(ctx, rows) {
		var table struct {
			Keys []struct {
				Name   string `json:"LogicalName"`
				Status string `json:"EntityKeyIndexStatus"`
			} `json:"Keys"`
		}
		if replies[0].read(&table) != nil {
			continue // the first error says enough
		}
		status := map[string]string{}
		for _, k := range table.Keys {
			status[k.Name] = k.Status
		}
		for _, k := range tables[i].Keys {
			switch status[k.Name] {
			case "Pending", "InProgress":
				return &fault.Error{Kind: fault.Blocked, Code: "dynamics_key_pending", Wait: indexWait, Err: refused(err)}
			case "Failed":
				return fault.New(fault.Blocked, "dynamics_key_failed", refused(err))
			}
		}
	}
	return err
}

// bearer is who an access token is of.
type bearer struct {
	UserID string `json:"UserId"`
}

// personsOf reads the persons in a reply: one, or those whom a query found.
func personsOf(r reply) ([]person, error) {
	var found struct {
		person
		Value *[]person `json:"value"`
	}
	if err := r.read(&found); err != nil {
		return nil, err
	}
	if found.Value != nil {
		return *found.Value, nil
	}
	if found.ContactID == "" && found.LeadID == "" { // neither: whoever took it for nobody would make again who is there
		return nil, fault.New(fault.Retryable, codeUndecodable, nil)
	}
	return []person{found.person}, nil
}
