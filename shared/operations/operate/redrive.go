package operate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/deadletter"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/redrive"
)

// Choice is what is asked for, by the names of the variables that say it.
type Choice struct {
	Action string // plan, redrive, replay
	asked  redrive.Common
	filter redrive.Filter
	from   time.Time
	to     time.Time
	limit  int
}

// RedriveUsage says what can be asked for.
const RedriveUsage = `make redrive STACK=<stack> | ENDPOINT=http://127.0.0.1:4566   (a deployed stack, or a running make run)
    TENANT=<id>            whose; _ is for what belongs to none
    ACTION=redrive         plan: only say what would be put back; replay: route stored events again
    REASON=<text>          why; it is kept, with BY (your login name): a ticket, never a customer's name or number
  and what, everything without any of these:
    IDS=<id>,<id>          of events, or of webhooks that never became one; also those that were redriven before
    THREAD=<id>            all of a thread, oldest first
    STAGE= KIND= CODE=     as in the dead letter, e.g. STAGE=route CODE=crashed
    VERSION=<version>      of the function that gave up
    FROM= TO=              days like 2026-01-31; of a replay also instants like 2026-01-31T10:00:00Z
    SETTLED=1              those that were redriven before, too
    LIMIT=100              how many a request
A plan succeeds whatever it says would happen; anything else only if nothing failed.`

// wouldFail is what a plan calls what cannot be put back: nothing was tried.
const wouldFail redrive.Outcome = "would fail"

// NewChoice reads a choice from variables. A choice that cannot be is a UsageError.
func NewChoice(lookup func(string) string) (Choice, error) {
	c, err := newChoice(lookup)
	if err != nil {
		return c, &UsageError{err.Error(), RedriveUsage}
	}
	return c, nil
}

func newChoice(lookup func(string) string) (Choice, error) {
	c := Choice{
		Action: cmp.Or(lookup("ACTION"), redrive.Redrive),
		filter: redrive.Filter{
			Stage: lookup("STAGE"), Kind: lookup("KIND"), Code: lookup("CODE"), Thread: lookup("THREAD"),
			FunctionVersion: lookup("VERSION"), From: lookup("FROM"), To: lookup("TO"), Settled: lookup("SETTLED") != "",
		},
	}
	c.asked = redrive.Common{Action: c.Action, Tenant: lookup("TENANT"), By: strings.TrimSpace(cmp.Or(lookup("BY"), lookup("USER"))), Reason: strings.TrimSpace(lookup("REASON"))}
	ids := lookup("IDS")
	c.asked.IDs = strings.FieldsFunc(ids, func(r rune) bool { return r == ',' || r == ' ' })
	if ids != "" && len(c.asked.IDs) == 0 {
		return c, errors.New("IDS holds no id: leave it out to mean everything")
	}
	if err := c.check(); err != nil {
		return c, err
	}
	var err error
	if limit := lookup("LIMIT"); limit != "" {
		if c.limit, err = strconv.Atoi(limit); err != nil || c.limit < 1 || c.limit > redrive.MaxItems {
			return c, fmt.Errorf("LIMIT is a number from 1 to %d", redrive.MaxItems)
		}
	}
	if c.from, err = c.instant(c.filter.From); err == nil {
		c.to, err = c.instant(c.filter.To)
	}
	switch {
	case err != nil && c.Action != redrive.Replay:
		return c, errors.New("FROM and TO are days like 2026-01-31")
	case err != nil:
		return c, errors.New("FROM and TO are days like 2026-01-31, or instants like 2026-01-31T10:00:00Z")
	case c.filter.From != "" && c.filter.To != "" && c.to.Before(c.from):
		return c, errors.New("FROM is after TO")
	}
	others := c.filter
	others.Settled, others.From, others.To = false, "", ""
	if len(c.asked.IDs) > 0 && others != (redrive.Filter{}) {
		return c, errors.New("IDS name what is meant: no other choice goes with them")
	}
	if others.Thread = ""; c.Action == redrive.Replay && others != (redrive.Filter{}) {
		return c, errors.New("a replay is of IDS, of a THREAD or of all, FROM and TO")
	}
	return c, nil
}

// check returns what is missing, or is none that there is.
func (c Choice) check() error {
	var kinds []string
	for kind := fault.Retryable; kind <= fault.Rejected; kind++ {
		kinds = append(kinds, kind.String())
	}
	kinds = append(kinds, queue.KindExhausted)
	stages := []string{deadletter.StageReceive, deadletter.StageRoute, deadletter.StageRouteReceipts, deadletter.StageUnknown}
	_, crm, _ := deadletter.CutStage(c.filter.Stage)
	switch {
	case !slices.Contains([]string{redrive.Plan, redrive.Redrive, redrive.Replay}, c.Action):
		return errors.New("ACTION is plan, redrive or replay")
	case c.asked.Tenant == "":
		return errors.New("TENANT is not set: say whose, by the tenant's id; _ is for what belongs to none")
	case c.asked.Tenant == deadletter.NoTenant && c.Action == redrive.Replay:
		return errors.New("TENANT is _: events belong to a tenant, so that nothing of it can be replayed")
	case strings.ContainsAny(c.asked.Tenant, "/."):
		return errors.New("TENANT is the tenant's id, not its file")
	case c.asked.By == "" && c.Action != redrive.Plan:
		return errors.New("BY is not set: say who asks, for example BY=ada")
	case c.asked.Reason == "" && c.Action != redrive.Plan:
		return errors.New("REASON is not set: say why, for example REASON=INC-7")
	case c.filter.Kind != "" && !slices.Contains(kinds, c.filter.Kind):
		return errors.New("KIND is one of " + strings.Join(kinds, ", "))
	case c.filter.Stage != "" && crm == "" && !slices.Contains(stages, c.filter.Stage):
		stages = append(stages, deadletter.StageDeliver("<crm>"), deadletter.StageReceipts("<crm>"))
		return errors.New("STAGE is one of " + strings.Join(stages, ", "))
	}
	return nil
}

// instant reads a day, or of a replay an instant.
func (c Choice) instant(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.DateOnly, s); err == nil || c.Action != redrive.Replay {
		return at, err
	}
	return time.Parse(time.RFC3339, s)
}

// Run asks until there is nothing more and prints what became, or of a plan would become, of each piece. An error says that
// something was refused or failed: what can be asked for again is printed. What would fail is no error of a plan.
func (c Choice) Run(ctx context.Context, out io.Writer, invoke Invoke) error {
	r := &run{Choice: c, out: out, invoke: invoke, counts: map[redrive.Outcome]int{}}
	if err := r.all(ctx); err != nil {
		return err
	}
	var counted []string
	for _, outcome := range slices.Sorted(maps.Keys(r.counts)) {
		counted = append(counted, fmt.Sprintf("%d %s", r.counts[outcome], outcome))
	}
	if _, err := fmt.Fprintf(out, "%s: %s\n", c.Action, cmp.Or(strings.Join(counted, ", "), "nothing")); err != nil {
		return err
	}
	switch {
	case r.Action == redrive.Plan:
		return nil
	case r.counts[redrive.Failed] > 0:
		return errors.New("not everything could be put back")
	case len(c.asked.IDs) > 0 && r.counts[redrive.Missing] > 0:
		return errors.New("IDS names some of which nothing is kept: they are missing above")
	}
	return nil
}

// run is one Run.
type run struct {
	Choice
	out    io.Writer
	invoke Invoke
	counts map[redrive.Outcome]int
}

// all asks for everything that was chosen.
func (r *run) all(ctx context.Context) error {
	if len(r.asked.IDs) == 0 {
		return r.pages(ctx, r.asked)
	}
	for ids := range slices.Chunk(r.asked.IDs, redrive.MaxItems) {
		asked := r.asked
		asked.IDs = ids
		if err := r.pages(ctx, asked); err != nil {
			return err
		}
	}
	return nil
}

// pages asks until there is no more. One that goes on where it was, and did nothing, would go on for ever.
func (r *run) pages(ctx context.Context, asked redrive.Common) error {
	after := ""
	for {
		answer, err := r.ask(ctx, r.function(), r.request(asked, after))
		if err != nil {
			return err
		}
		for provider, ids := range answer.Parse {
			again := asked
			again.IDs = ids
			if _, err := r.ask(ctx, provider+"-reparse", again); err != nil {
				return err
			}
		}
		if !answer.More {
			return nil
		}
		if answer.Next == after && answer.Counts[redrive.Redriven] == 0 {
			return errors.New("it does not get on: ask again later")
		}
		after = answer.Next
	}
}

func (r *run) replays() bool { return r.Action == redrive.Replay }

func (r *run) function() string {
	if r.replays() {
		return "replay"
	}
	return "redrive"
}

func (r *run) request(asked redrive.Common, after string) any {
	if r.replays() {
		return redrive.ReplayRequest{Common: asked, Thread: r.filter.Thread, From: r.from, To: r.to, Limit: r.limit, After: after}
	}
	q := redrive.Request{Common: asked, Limit: r.limit, After: after}
	if len(asked.IDs) == 0 {
		q.Filter = &r.filter
	}
	return q
}

// ask asks one function once, and prints what it answers. What is to be parsed is counted with who parses it.
func (r *run) ask(ctx context.Context, function string, request any) (redrive.Result, error) {
	var answer redrive.Result
	event, err := json.Marshal(request)
	if err != nil {
		return answer, err
	}
	body, err := r.invoke(ctx, function, event)
	if err != nil {
		return answer, fmt.Errorf("%s: %w", function, err)
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return answer, fmt.Errorf("%s does not answer as it should: %w", function, err)
	}
	if len(answer.Problems) > 0 {
		members := regexp.MustCompile(`(^|; )(by|reason|tenant|limit|ids)\b|\bfilter\.\w+`)
		return answer, fmt.Errorf("%s: %s", function, members.ReplaceAllStringFunc(strings.Join(answer.Problems, "; "), func(member string) string {
			return strings.ToUpper(strings.TrimPrefix(member, "filter."))
		}))
	}
	for _, item := range answer.Items {
		if item.Outcome == redrive.Parse {
			continue
		}
		if r.Action == redrive.Plan && item.Outcome == redrive.Failed {
			item.Outcome = wouldFail
		}
		r.counts[item.Outcome]++
		line := fmt.Sprintf("%-10s %-16s %s %s", item.Outcome, item.Stage, item.ID, item.Code)
		if item.Generation > 0 {
			line = fmt.Sprintf("%s generation %d", strings.TrimSpace(line), item.Generation)
		}
		if _, err := fmt.Fprintln(r.out, strings.TrimSpace(line)); err != nil {
			return answer, err
		}
	}
	return answer, nil
}
