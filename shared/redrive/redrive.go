// Package redrive holds the requests and results of the functions that put work back: redrive, replay and each adapter's reparse.
// Results name items by their ids and hold no personal data.
package redrive

import (
	"context"
	"regexp"
	"slices"
	"time"

	"signalbox/shared/audit"
)

// The actions of a request.
const (
	Plan    = "plan"    // say what would be put back; nothing changes
	Redrive = "redrive" // put dead letters back
	Replay  = "replay"  // route stored events again
	Again   = "again"   // of a schedule: parse again what a fault that passes by itself made a dead letter
)

// AuditChain is the name of the audit chain that Common.Audit writes to.
const AuditChain = "redrive"

// MaxItems is how many items one request puts back at most: well within the time of one invocation.
const MaxItems = 100

// Common is the part of a request that all requests have.
type Common struct {
	Action string   `json:"action"`
	Tenant string   `json:"tenant"`
	IDs    []string `json:"ids,omitempty"` // of events, or of dead letters that never became one; at most MaxItems
	By     string   `json:"by"`            // who asks: not needed for a plan
	Reason string   `json:"reason"`        // why: not needed for a plan
}

// Check returns what is wrong with a request whose action is to be one of actions.
func (a Common) Check(actions ...string) (problems []string) {
	if !slices.Contains(actions, a.Action) {
		problems = append(problems, NoAction)
	}
	if !regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$`).MatchString(a.Tenant) {
		problems = append(problems, "tenant is required, as its id; _ is for what belongs to none")
	}
	if len(a.IDs) > MaxItems {
		problems = append(problems, "ids are at most 100 a request")
	}
	for _, id := range a.IDs {
		if id == "" || len(id) > 128 {
			problems = append(problems, "ids have 1 to 128 characters")
			break
		}
	}
	if a.Action != Plan {
		problems = append(problems, audit.Check(a.By, a.Reason)...)
	}
	return problems
}

// UnknownTenant returns the problem of a request that chose nothing of a tenant that is not configured.
func (a Common) UnknownTenant() []string {
	return []string{"there is no tenant " + a.Tenant + " in this deployment"}
}

// Bindings returns the kinds of a tenant's CRMs by their names, none for a tenant that is not configured; *tenant.Bindings is one.
type Bindings interface {
	Kinds(ctx context.Context, tenant string) (map[string]string, error)
}

// OutOfTime reports whether less than margin is left of ctx: nothing more is to be begun.
func OutOfTime(ctx context.Context, margin time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < margin
}

// Request is what redrive is invoked with: IDs, or a Filter.
type Request struct {
	Common
	Filter *Filter `json:"filter,omitempty"`
	Limit  int     `json:"limit,omitempty"` // at most MaxItems, which 0 stands for
	After  string  `json:"after,omitempty"` // Result.Next of the request before
}

// Filter chooses dead letters that were not settled. What is empty excludes nothing.
type Filter struct {
	Stage           string `json:"stage,omitempty"`
	Kind            string `json:"kind,omitempty"`
	Code            string `json:"code,omitempty"`
	Thread          string `json:"thread,omitempty"` // all of it at once, oldest first
	FunctionVersion string `json:"functionVersion,omitempty"`
	From            string `json:"from,omitempty"`    // a day (UTC) on which it was given up; 90 days ago when empty
	To              string `json:"to,omitempty"`      // and the last one; today when empty
	Settled         bool   `json:"settled,omitempty"` // those that were redriven, too
}

// ReplayRequest is what replay is invoked with: IDs of events, or a Thread, or neither for all of a tenant's.
type ReplayRequest struct {
	Common
	Thread string    `json:"thread,omitempty"`
	From   time.Time `json:"from,omitzero"` // event time; as long ago as records are kept when empty, and not of IDs
	To     time.Time `json:"to,omitzero"`   // not this instant any more; now when empty
	Limit  int       `json:"limit,omitempty"`
	After  string    `json:"after,omitempty"` // Result.Next of the request before
}

// Outcome is what became, or would become, of one item.
type Outcome string

// The outcomes.
const (
	Ready     Outcome = "ready"     // of a plan: it would be put back
	Redriven  Outcome = "redriven"  // it is on its queue again, as Generation
	Completed Outcome = "completed" // its work was completed in the meantime: nothing is to be done
	Busy      Outcome = "busy"      // a worker has it at this moment; ask again
	Parse     Outcome = "parse"     // its bytes are to be parsed again by the provider's own function: see Result.Parse
	Missing   Outcome = "missing"   // there is nothing of this id
	TooOld    Outcome = "too_old"   // what would make it harmless is no longer kept
	Failed    Outcome = "failed"    // it could not be put back; Code says why, and it is where it was
)

// Item is one dead letter, or one event.
type Item struct {
	ID         string  `json:"id"` // of the event, or of what never became one
	Stage      string  `json:"stage,omitempty"`
	Outcome    Outcome `json:"outcome"`
	Code       string  `json:"code,omitempty"`       // of the dead letter in a plan, of the failure in a redrive
	Generation int     `json:"generation,omitempty"` // it was put back as
}

// Result is what became of a request.
type Result struct {
	Items    []Item              `json:"items,omitempty"` // in the order in which they are put back
	Counts   map[Outcome]int     `json:"counts,omitempty"`
	Parse    map[string][]string `json:"parse,omitempty"`    // ids of webhooks by provider: `<stack>-<provider>-reparse` takes them
	More     bool                `json:"more,omitempty"`     // there may be more: ask again with Next as after
	Next     string              `json:"next,omitempty"`     // opaque
	Fetched  *Fetched            `json:"fetched,omitempty"`  // of a FetchRequest
	Problems []string            `json:"problems,omitempty"` // why the request was refused; then nothing was done
}

// Refuse returns the result of a request that cannot be read.
func Refuse(problem string) Result { return Result{Problems: []string{problem}} }

// Add adds an item.
func (a *Result) Add(i Item) {
	if a.Counts == nil {
		a.Counts = map[Outcome]int{}
	}
	a.Items, a.Counts[i.Outcome] = append(a.Items, i), a.Counts[i.Outcome]+1
}
