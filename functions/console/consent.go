package console

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"signalbox/shared/audit"
	"signalbox/shared/canonical"
	"signalbox/shared/consent"
	"signalbox/shared/conversation"
	"signalbox/shared/envelope"
	"signalbox/shared/fault"
	"signalbox/shared/queue"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

// ConsentStore is what consent and the audit of its entries are kept in.
type ConsentStore interface {
	consent.Store
	consent.Listing
}

// Policies returns how a tenant reads what persons said, and its lines; *tenant.Bindings does.
type Policies interface {
	Policy(ctx context.Context, tenant string) (consent.Policy, map[string]consent.Line, error)
}

// Peppers returns a tenant's pepper; *tenant.Peppers does.
type Peppers interface {
	Pepper(ctx context.Context, tenant string) (canonical.Pepper, error)
}

// Consents shows, enters and exports consent.
type Consents struct {
	Store    ConsentStore
	Policies Policies
	Peppers  Peppers
	Events   queue.Publisher       // what is entered goes to CRMs by the router
	Sealer   envelope.TenantSealer // of what goes there
	Logger   *slog.Logger
	Meter    *telemetry.Meter
}

// Do carries out a request. What is refused is a Result; the error is what is not the request's fault, by its code alone: the same
// request may be sent again.
func (c *Consents) Do(ctx context.Context, action string, r consent.Request) (consent.Result, error) {
	result, err := c.do(ctx, action, r)
	if err != nil {
		sorted := fault.Of(err)
		c.Meter.Count(telemetry.Failures, 1)
		c.Logger.ErrorContext(ctx, "consent request failed", slog.String("action", action), slog.String("code", sorted.Code))
		return consent.Result{}, errors.New(sorted.Code)
	}
	c.Logger.InfoContext(ctx, "consent", slog.String("action", action), slog.Int("rows", len(result.Rows)), slog.Int("problems", len(result.Problems)))
	return result, nil
}

// desk is one tenant's consent.
type desk struct {
	*Consents
	tenant string
	policy consent.Policy
	lines  map[string]consent.Line
	pepper canonical.Pepper
	now    time.Time
}

func (c *Consents) do(ctx context.Context, action string, r consent.Request) (consent.Result, error) {
	policy, lines, err := c.Policies.Policy(ctx, r.Tenant)
	if errors.Is(err, tenant.ErrUnknown) {
		return consent.Result{Problems: []string{"there is no tenant of this id in this deployment"}}, nil
	}
	if err != nil {
		return consent.Result{}, err
	}
	pepper, err := c.Peppers.Pepper(ctx, r.Tenant)
	if err != nil {
		return consent.Result{}, err
	}
	d := &desk{c, r.Tenant, policy, lines, pepper, time.Now().UTC().Truncate(time.Millisecond)}
	switch action {
	case consent.Show:
		return d.show(ctx, r.Address)
	case consent.Plan, consent.Enter:
		return d.enter(ctx, r, action == consent.Enter)
	default:
		known, next, err := consent.All(ctx, c.Store, r.Tenant, r.After)
		return consent.Result{Known: known, Next: next}, err
	}
}

// channels returns those of the tenant's lines.
func (d *desk) channels() (all []canonical.Channel) {
	for _, line := range d.lines {
		all = append(all, line.Channels...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// maxHops bounds how far a thread is followed that is part of another, or that a number went from.
const maxHops = 8

// subject returns whose an address is now: of the person whose thread has it.
func (d *desk) subject(ctx context.Context, address string) (consent.Subject, error) {
	var head conversation.Head
	thread := canonical.NewThreadID(d.pepper, address)
	for range maxHops {
		records, err := d.Store.Get(ctx, conversation.Key(d.tenant, thread))
		if err != nil {
			return consent.Subject{}, err
		}
		if head, err = conversation.Decode(records[0].Data); err != nil {
			return consent.Subject{}, err
		}
		next := head.HolderAt(d.now)
		if next == "" && head.Joined != nil {
			next = head.Joined.Thread
		}
		if next == "" || next == thread {
			break
		}
		thread = next
	}
	person := cmp.Or(head.PersonKey, canonical.PersonKey(d.pepper, address))
	return consent.NewSubject(d.pepper, d.tenant, address, person, head.Reassigned), nil
}

func (d *desk) show(ctx context.Context, written string) (consent.Result, error) {
	address, ok := readAddress(written)
	if !ok {
		return consent.Result{Problems: []string{"address is not E.164, such as +12025550123, nor an identifier of a channel without blanks"}}, nil
	}
	who, err := d.subject(ctx, address)
	if err != nil {
		return consent.Result{}, err
	}
	held, err := consent.Read(ctx, d.Store, who)
	if err != nil {
		return consent.Result{}, err
	}
	result := consent.Result{Digest: who.Address}
	for _, channel := range d.channels() {
		for _, purpose := range []string{consent.Messaging, consent.Marketing} {
			a := d.policy.May(held.Address, held.Person, consent.Question{Channel: channel, Purpose: purpose})
			result.Holds = append(result.Holds, consent.Holds{Channel: channel, Purpose: purpose, Verdict: a.Verdict, Why: a.Why, Since: a.Mark.At})
		}
	}
	if result.Providers, err = d.knowledge(ctx, who, held); err != nil {
		return result, err
	}
	result.Evidence, err = consent.Evidence(ctx, d.Store, who)
	return result, err
}

// knowledge returns what the provider of each line knows of what holds there, by line and channel. Where nothing does there is nothing to know.
func (d *desk) knowledge(ctx context.Context, who consent.Subject, held consent.Held) (all []consent.Knowledge, err error) {
	for _, id := range slices.Sorted(maps.Keys(d.lines)) {
		for _, channel := range d.lines[id].Channels {
			a := d.policy.May(held.Address, held.Person, consent.Question{Channel: channel, Line: id, Purpose: consent.Messaging})
			if a.Verdict == consent.Unknown {
				continue
			}
			knows, err := consent.Knows(ctx, d.Store, who, d.lines[id].Tells, id, channel, a.Mark)
			if err != nil {
				return nil, err
			}
			all = append(all, knows)
		}
	}
	return all, nil
}

// enter keeps rows, or says what would become of them.
func (d *desk) enter(ctx context.Context, r consent.Request, keep bool) (result consent.Result, err error) {
	if len(r.Rows) == 0 || len(r.Rows) > consent.MaxRows {
		result.Problems = append(result.Problems, "rows are 1 to 100 a request")
	}
	if keep {
		result.Problems = append(result.Problems, audit.Check(r.By, r.Reason)...)
	}
	if len(result.Problems) > 0 {
		return result, nil
	}
	if keep {
		err := audit.Of(d.Store, r.Tenant, "consent").Append(ctx, audit.Entry{At: d.now, Action: consent.Enter, By: r.By, Reason: r.Reason})
		if err != nil {
			return consent.Result{}, err
		}
	}
	var events []canonical.Event
	for _, row := range r.Rows {
		entries, problem := d.read(row)
		outcome := consent.Refused
		if problem == "" {
			var told []canonical.Event
			address, _ := readAddress(row.Address)
			if outcome, told, err = d.keep(ctx, address, entries, r.By, keep); err != nil {
				return consent.Result{}, err
			}
			events = append(events, told...)
		}
		result.Rows = append(result.Rows, consent.RowResult{Number: row.Number, Outcome: outcome, Reason: problem})
	}
	return result, d.tell(ctx, events)
}

// keep keeps the entries of one row if that is wanted, and returns what becomes of it, and the events that tell CRMs.
func (d *desk) keep(ctx context.Context, address string, entries []consent.Entry, by string, keep bool) (outcome string, told []canonical.Event, err error) {
	who, err := d.subject(ctx, address)
	if err != nil {
		return "", nil, err
	}
	held, err := consent.Read(ctx, d.Store, who)
	if err != nil {
		return "", nil, err
	}
	outcome = consent.History
	now := held
	for i := range entries {
		e := &entries[i]
		e.Actor, e.Recorded = by, d.now
		e.Mark.EventID = canonical.NewEventID(d.tenant, "console", e.Mark.Source, "consent", strings.Join([]string{
			who.Address, string(e.Mark.Channel), e.Mark.Line, e.Mark.Purpose, e.Mark.State, e.Mark.At.Format(time.RFC3339Nano),
		}, "|"))
		after, changed := held.Address.Add(e.Mark)
		if changed && (e.Mark.State == consent.Pending || d.holds(e.Mark, after, held.Person)) {
			outcome = consent.Taken
		}
		if keep {
			if now, err = consent.Apply(ctx, d.Store, who, *e); err != nil {
				return "", nil, err
			}
		}
	}
	if keep {
		told = d.events(address, entries, now)
	}
	return outcome, told, nil
}

// read returns the entries of a row, or why it is refused. An opt-out is taken with whatever it says, as long as it says of what
// address: where its time cannot be read it is of now, and where it names no channel, of all.
func (d *desk) read(row consent.Row) (entries []consent.Entry, problem string) {
	m := consent.Mark{
		State: row.State, Line: row.Line, Purpose: cmp.Or(row.Purpose, consent.Messaging), Source: cmp.Or(row.Source, consent.SourceImport),
	}
	var dated bool
	m.At, dated = readTime(row.At, d.now)
	out := row.State == consent.OptedOut
	channels := []canonical.Channel{canonical.Channel(row.Channel)}
	if row.Channel == "" {
		channels = d.channels()
	}
	_, ours := d.lines[row.Line]
	_, addressed := readAddress(row.Address)
	switch {
	case !addressed:
		return nil, "address is not E.164, such as +12025550123, nor an identifier of a channel without blanks"
	case !out && row.State != consent.OptedIn && row.State != consent.Pending:
		return nil, "state is not opted_out, opted_in or pending"
	case m.Purpose != consent.Messaging && m.Purpose != consent.Marketing:
		return nil, "purpose is not messaging or marketing"
	case !slices.Contains([]string{consent.SourceImport, consent.SourceCRM, consent.SourceForm, consent.SourceAgent, consent.SourceProvider}, m.Source):
		return nil, "source is not import, crm, form, agent or provider"
	case row.Channel != "" && !canonical.IsChannel(row.Channel):
		return nil, "channel is not the name of one"
	case len(audit.Check("operator", cmp.Or(row.Proof, "none"))) > 0:
		return nil, "proof is longer than 300 bytes, or holds what looks like an address or a phone number"
	case row.Line != "" && !ours && !out:
		return nil, "line is not the id of one of the tenant's lines"
	case out:
	case row.Channel == "":
		return nil, "channel is missing, which only an opt-out may leave out"
	case !dated:
		return nil, "at is not a time such as 2026-01-31T10:00:00Z, or a day, that has been"
	case row.State == consent.OptedIn && strings.TrimSpace(row.Proof) == "":
		return nil, "proof is missing: an opt-in without evidence is none"
	}
	if !ours {
		m.Line = ""
	}
	for _, channel := range channels {
		m.Channel = channel
		entries = append(entries, consent.Entry{Mark: m, Proof: row.Proof})
	}
	return entries, ""
}

// readTime reads an instant or a day that is not to come. Anything else is now, and false.
func readTime(written string, now time.Time) (at time.Time, ok bool) {
	at, err := time.Parse(time.RFC3339, written)
	if err != nil {
		at, err = time.Parse(time.DateOnly, written)
	}
	if err != nil || at.After(now) {
		return now, false
	}
	return at.UTC(), true
}

// readAddress returns an address as events name it: a number without what people write between its digits, an identifier as it is.
func readAddress(written string) (string, bool) {
	address := strings.TrimSpace(written)
	if strings.HasPrefix(address, "+") {
		address = strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", ".", "", "\u00a0", "").Replace(address)
		return address, canonical.IsE164(address)
	}
	digits := strings.Trim(address, "0123456789 -().") == ""
	return address, !digits && len(address) <= 256 && regexp.MustCompile(`^[!-~]+$`).MatchString(address)
}
