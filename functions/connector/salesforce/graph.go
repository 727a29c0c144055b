package salesforce

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
	"signalbox/shared/mapping"
)

// maxGraphs and maxNodes are how many graphs one call takes, and how many nodes in all of them.
// See https://developer.salesforce.com/docs/platform/api-rest/guide/resources-composite-graph-limits.
const (
	maxGraphs = 75
	maxNodes  = 500
)

// node is one request inside a composite one.
type node struct {
	Method      string `json:"method"`
	URL         string `json:"url"`
	ReferenceID string `json:"referenceId"`
	Body        any    `json:"body,omitempty"`
}

// MarshalJSON writes a node. Salesforce takes "@{a.b}" for a reference wherever it stands in a body, and refuses a graph whose
// references lead nowhere. What people write must be no reference: there the brace is written in full width, which leaves the
// length as it is. Only a lookup that is nothing but the reference to the person stays one; within a text its quotes would be
// escaped.
func (n node) MarshalJSON() ([]byte, error) {
	type plain node
	if n.Body != nil {
		body, err := json.Marshal(n.Body)
		if err != nil {
			return nil, err
		}
		body = bytes.ReplaceAll(body, []byte("@{"), []byte("@｛"))
		for _, lookup := range []string{"Contact__c", "Lead__c", "WhoId"} {
			body = bytes.Replace(body, []byte(`"`+lookup+`":"@｛`+refPerson+`.id}"`), []byte(`"`+lookup+`":"@{`+refPerson+`.id}"`), 1)
		}
		n.Body = json.RawMessage(body)
	}
	return json.Marshal(plain(n))
}

type nodeReply struct {
	Body        json.RawMessage `json:"body"`
	Status      int             `json:"httpStatusCode"`
	ReferenceID string          `json:"referenceId"`
}

// The reference ids of a graph's nodes.
const (
	refPerson       = "person"
	refEvent        = "event"
	refTask         = "task"
	refConversation = "conversation"
)

// The years that Salesforce keeps times of.
// See https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/primitive_data_types.htm.
const (
	firstYear = 1700
	lastYear  = 4000
)

type graph struct {
	ID     string `json:"graphId"`
	Nodes  []node `json:"compositeRequest"`
	person string // the key of the person it creates
	assign bool   // the person is a lead, and the org's assignment rule gives it out
}

// writes returns what identifies the records that a graph writes.
func (g graph) writes() []string {
	names := []string{g.person}
	for _, n := range g.Nodes {
		if n.Method == http.MethodPatch {
			names = append(names, n.URL)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

type graphReply struct {
	ID         string `json:"graphId"`
	Successful bool   `json:"isSuccessful"`
	Response   struct {
		Nodes []nodeReply `json:"compositeResponse"`
	} `json:"graphResponse"`
}

// written is what became of one graph: the ids by reference id, or an error and the node that it is of.
type written struct {
	ids     map[string]string
	err     error
	ref     string
	without []string // fields that it was written without
}

// upsert returns the address of a record by an external id.
func (o *org) upsert(object, field, key string) string {
	return o.path("sobjects/" + object + "/" + field + "/" + url.PathEscape(key))
}

// graphOf returns what one step is to write: the person (as object) when there is none, and the message and its task, or the activity of
// its session and how the conversation stands. The person is
// created and not upserted: one whom somebody else made meanwhile is neither written over nor given to another owner.
func (o *org) graphOf(r Request, who, object string) graph {
	var g graph
	d := r.Delivery
	if who == "" {
		g.person, g.assign = d.Person.Key, object == leadObject && o.binding.Capabilities.AssignLeads && connector.OwnerOf(d) == ""
		g.Nodes = append(g.Nodes, node{http.MethodPost, o.path("sobjects/" + object), refPerson, newPerson(d, object, o.originOf(d)).With(r.ofPerson(object, true))})
		who = "@{" + refPerson + ".id}"
	} else {
		object = kindOf(who)
	}
	if !logs(d) {
		return g
	}
	if g.person == "" {
		g.Nodes = append(g.Nodes, o.personNodes(r, who, object)...)
	}
	if r.activity != nil {
		g.Nodes = append(g.Nodes, o.activityNodes(r, who, object)...)
	} else {
		g.Nodes = append(g.Nodes, o.messageNodes(r, who, object)...)
	}
	if s := r.standing; s != nil && o.binding.Package >= releaseConversations {
		members := append(stateOf(s.State), sheet{object: conversationObject}.lookups(who, object)...).With(r.fields.Of(mapping.Conversation, false))
		g.Nodes = append(g.Nodes, node{http.MethodPatch, o.upsert(conversationObject, fieldConversationKey, s.Key), refConversation, members})
	}
	return g
}

// messageNodes returns what writes a message by itself, and its task.
func (o *org) messageNodes(r Request, who, object string) []node {
	d := r.Delivery
	key, event := connector.MessageKey(d.Event), newEvent(d.Event, who, object, o.originOf(d))
	if !o.binding.Capabilities.Tasks {
		return []node{o.shownNode(r, sheet{object: eventObject, key: fieldEventKey}, key, who, object, event, true)}
	}
	nodes := []node{o.shownNode(r, sheet{object: eventObject, key: fieldEventKey}, key, who, object, event, false)}
	if o.binding.Capabilities.TaskUpsert {
		nodes = append(nodes, o.shownNode(r, sheet{object: taskObject, key: fieldTaskKey}, key, who, object, newTask(d.Event, "", who), true))
	}
	return nodes
}

// newObject is what persons become who are new to the org.
func (o *org) newObject() string {
	if o.binding.Capabilities.Leads {
		return leadObject
	}
	return contactObject
}

// writeGraphs writes persons, messages and tasks: a graph a step, as many as fit in a call.
func (o *org) writeGraphs(ctx context.Context, w batch) {
	var shown []*activity
	for i := range w.Len() {
		if a := w.Request(i).activity; a != nil {
			shown = append(shown, a)
		}
	}
	err := o.findParts(ctx, shown)
	if err == nil {
		err = o.findShown(ctx, w)
	}
	if err != nil {
		w.FailAll(err)
		return
	}
	graphs, all := make([]graph, w.Len()), make([]int, 0, w.Len())
	for i := range graphs {
		r := w.Request(i)
		if r.Who == "" && r.Delivery.Person.Key == "" {
			w.Fail(i, fault.New(fault.Permanent, "salesforce_person_key_missing", nil))
			continue
		}
		if year := r.Delivery.Event.Timestamp.UTC().Year(); year < firstYear || year > lastYear { // a parser error would look like the org's trouble
			w.Fail(i, fault.New(fault.Permanent, "salesforce_time_unkept", nil))
			continue
		}
		graphs[i] = o.graphOf(r, r.Who, o.newObject())
		if len(graphs[i].Nodes) == 0 { // somebody was found and there is nothing to write
			w.Succeed(i, resultWho, r.Who)
			continue
		}
		all = append(all, i)
	}
	results := make([]written, w.Len())
	o.send(ctx, graphs, all, results)
	w.Each(all, func(i int) { o.concludeGraph(ctx, w, i, w.Request(i).Who, "", results[i]) })
}

// concludeGraph turns what became of a graph into a step's outcome.
func (o *org) concludeGraph(ctx context.Context, w batch, i int, who, created string, got written) {
	r := w.Request(i)
	if got.err == nil {
		once, known := "", ""
		if made := got.ids[refPerson]; made != "" {
			who, created, known = made, connector.MadeNow, strconv.FormatBool(connector.CarriesName(r.Delivery))
		}
		if logs(r.Delivery) && r.activity == nil && o.binding.Capabilities.Tasks && !o.binding.Capabilities.TaskUpsert {
			once = "true"
		}
		w.Succeed(i, append(r.activity.result(got.ids),
			resultWho, who, connector.ResultMade, created, resultEvent, r.shown.eventID(got.ids[refEvent]), resultOnce, once, connector.ResultNamed, known,
			connector.ResultWithout, strings.Join(got.without, ","))...)
		return
	}
	switch {
	case r.activity.lost(got.ref, got.err), r.shown.lost(got.ref, got.err): // somebody deleted it
		results := make([]written, 1)
		o.send(ctx, []graph{o.graphOf(r, who, o.newObject())}, []int{0}, results)
		o.concludeGraph(ctx, w, i, who, created, results[0])
	case got.personGone() && r.Who != "":
		o.conclude(ctx, w, i, fault.New(fault.Permanent, codeNotFound, got.err))
	case got.ref == refPerson:
		o.instead(ctx, w, i, got.err)
	case fault.Is(got.err, codeGone) && r.Who != "":
		o.conclude(ctx, w, i, got.err)
	default:
		w.Fail(i, o.explained(ctx, raced(got.err)))
	}
}

// instead writes the message to the person whom Salesforce names when it refuses a new one: the match of a duplicate rule, or
// who has our key already. A lead of our key that was converted to a contact who is gone becomes a contact.
func (o *org) instead(ctx context.Context, w batch, i int, refused error) {
	r, created := w.Request(i), ""
	switch {
	case fault.Is(refused, codeDuplicates) && r.Delivery.Person.Unmatched:
		o.anyway(ctx, w, i, refused)
		return
	case fault.Is(refused, codeDuplicates):
	case fault.Is(refused, codeDuplicateValue) && ofOurKey(refused):
		created = connector.MadeBefore
	case connector.OwnerOf(r.Delivery) != "" && ofOwner(refused):
		o.unowned(ctx, w, i, refused)
		return
	default:
		w.Fail(i, o.explained(ctx, refused))
		return
	}
	who, past, err := o.adopt(ctx, r, existing(refused))
	switch {
	case err != nil:
		w.Fail(i, err)
		return
	case who == "" && !past:
		w.Fail(i, raced(refused))
		return
	}
	g := o.graphOf(r, who, contactObject)
	if len(g.Nodes) == 0 {
		w.Succeed(i, resultWho, who, connector.ResultMade, created)
		return
	}
	results := make([]written, 1)
	o.send(ctx, []graph{g}, []int{0}, results)
	switch err := results[0].err; {
	case past && fault.Is(err, codeDuplicateValue) && ofOurKey(err): // an earlier try made the contact
		o.instead(ctx, w, i, err)
	case err != nil:
		w.Fail(i, raced(err))
	default:
		o.concludeGraph(ctx, w, i, who, created, results[0])
	}
}

// anyway makes a person although a duplicate rule warns: its match is who had the number before.
func (o *org) anyway(ctx context.Context, w batch, i int, refused error) {
	saves := *o
	saves.binding.Capabilities.AllowDuplicates = true
	results := make([]written, 1)
	saves.send(ctx, []graph{o.graphOf(w.Request(i), "", o.newObject())}, []int{0}, results)
	if fault.Is(results[0].err, codeDuplicates) { // the rule blocks whatever is said
		w.Fail(i, refused)
		return
	}
	saves.concludeGraph(ctx, w, i, "", "", results[0])
}

// unowned makes a person without the owner whom the org refuses: the tenant's file names somebody who has left, and no message is lost
// for it.
func (o *org) unowned(ctx context.Context, w batch, i int, refused error) {
	o.crm.options.Logger.WarnContext(ctx, "the org refuses the owner of a new person, who is made without one",
		slog.String("tenant", o.at.Tenant), slog.String("crm", o.at.CRM), slog.String("code", fault.Of(refused).Code))
	r := w.Request(i)
	r.Delivery = connector.WithoutOwner(r.Delivery)
	results := make([]written, 1)
	o.send(ctx, []graph{o.graphOf(r, "", o.newObject())}, []int{0}, results)
	if err := results[0].err; err != nil && results[0].ref == refPerson {
		w.Fail(i, raced(err))
		return
	}
	o.concludeGraph(ctx, w, i, "", "", results[0])
}

// send sends the graphs at. What is too long for a field of the org is shortened, once in each record, and what is hidden from the integration
// user is left out where the record says enough without it.
func (o *org) send(ctx context.Context, graphs []graph, at []int, results []written) {
	without := map[int][]string{}
	for tried := map[string]bool{}; len(at) > 0; {
		o.sendAll(ctx, graphs, at, results)
		at = slices.DeleteFunc(slices.Clone(at), func(i int) bool {
			g, left, changed := graphs[i].fitted(results[i])
			refusal := strconv.Itoa(i) + results[i].ref + fmt.Sprint(results[i].err)
			if !changed || tried[refusal] {
				return true
			}
			graphs[i], tried[refusal] = g, true
			if len(left) > 0 {
				without[i] = append(without[i], left...)
				o.withhold(ctx, results[i].ref, left)
			}
			return false
		})
	}
	for i, left := range without {
		results[i].without = left
	}
}

// fitted returns a graph that may come through where it was refused because of the length of a value, or because of fields that are hidden from
// the integration user, which it does without.
func (g graph) fitted(got written) (_ graph, without []string, changed bool) {
	n := slices.IndexFunc(g.Nodes, func(n node) bool { return n.ReferenceID == got.ref })
	if n < 0 {
		return g, nil, false
	}
	body, changed := shortened(got.err, g.Nodes[n].Body)
	if !changed {
		body, without = unhidden(got.err, got.ref, g.Nodes[n].Body)
	}
	if changed = changed || len(without) > 0; changed {
		g.Nodes = slices.Clone(g.Nodes)
		g.Nodes[n].Body = body
	}
	return g, without, changed
}

// sendAll sends the graphs at, distinct records in a call: a key that comes twice in one call is refused twice. Those that give
// leads out have calls of their own: the rule is in force for everything that a call writes, and for what that sets off.
func (o *org) sendAll(ctx context.Context, graphs []graph, at []int, results []written) {
	for _, assign := range []bool{false, true} {
		connector.Rows{
			Most: maxNodes * maxGraphs,
			Size: func(i int) int { return max(maxNodes, maxGraphs*len(graphs[i].Nodes)) },
			Keys: func(i int) []string { return graphs[i].writes() },
			Call: func(at []int) ([]int, error) { return o.sendGraphs(ctx, assign, graphs, at, results) },
			Fail: func(i int, err error) { results[i] = written{err: err} },
		}.Send(slices.DeleteFunc(slices.Clone(at), func(i int) bool { return graphs[i].assign != assign }))
	}
}

// sendGraphs makes one call. It returns the graphs that Salesforce has not begun because others failed.
func (o *org) sendGraphs(ctx context.Context, assign bool, graphs []graph, at []int, results []written) (halted []int, err error) {
	sent := make([]graph, len(at))
	for k, i := range at {
		sent[k] = graphs[i]
		sent[k].ID = "g" + strconv.Itoa(i)
	}
	var reply struct {
		Graphs []graphReply `json:"graphs"`
	}
	if err := o.callAs(ctx, assign, http.MethodPost, o.path("composite/graph"), connector.Object{"graphs", sent}, &reply); err != nil {
		return nil, err
	}
	replies := make(map[string]graphReply, len(reply.Graphs))
	for _, g := range reply.Graphs {
		replies[g.ID] = g
	}
	for _, i := range at {
		results[i] = written{err: fault.New(fault.Retryable, "salesforce_graph_unanswered", nil)}
		if told, ok := replies["g"+strconv.Itoa(i)]; ok {
			results[i] = told.read(graphs[i])
		}
		if len(at) > 1 && fault.Is(results[i].err, codeHalted) {
			halted = append(halted, i)
		}
	}
	return halted, nil
}

// read returns what became of a graph. All of it came through, or nothing, whatever the status of the whole reply; the node
// that says why is the one that was not merely rolled back.
func (g graphReply) read(sent graph) written {
	w := written{ids: map[string]string{}}
	for _, n := range g.Response.Nodes {
		id, err := n.read()
		if err == nil {
			w.ids[n.ReferenceID] = id
			continue
		}
		if w.err == nil || fault.Is(w.err, codeHalted) {
			w.err, w.ref = err, n.ReferenceID
		}
	}
	if w.err == nil && (!g.Successful || len(w.ids) != len(sent.Nodes)) {
		w.err = fault.New(fault.Retryable, "salesforce_graph_unanswered", nil)
	}
	return w
}

// read returns the id of the record that a node wrote. Success is 200, 201 and 204, nothing else: 300 is a key that two
// records have.
func (n nodeReply) read() (string, error) {
	switch n.Status {
	case http.StatusNoContent:
		return "", nil
	case http.StatusOK, http.StatusCreated:
	default:
		return "", unknownKey(sorted(n.Status, topLevel(n.Body), usage{}))
	}
	var saved struct {
		ID      string    `json:"id"`
		Success *bool     `json:"success"`
		Errors  []problem `json:"errors"`
	}
	if err := json.Unmarshal(n.Body, &saved); err != nil {
		return "", fault.New(fault.Retryable, codeUndecodable, nil)
	}
	if saved.Success == nil || !*saved.Success {
		return "", sorted(http.StatusBadRequest, saved.Errors, usage{})
	}
	return saved.ID, nil
}

// unknownKey sorts a missing record in an upsert: an upsert makes what is missing, so that it is the field or the object.
func unknownKey(f *fault.Error) *fault.Error {
	if f.Code == codeNotFound {
		return &fault.Error{Kind: fault.Blocked, Code: codeSchema, Err: f.Err}
	}
	return f
}
