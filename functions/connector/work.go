package connector

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/delivery"
	"signalbox/shared/fault"
	"signalbox/shared/telemetry"
)

// The codes for which work that rules ask for is left undone, in the words of no CRM.
const (
	CodeWorkNobody  = "work_no_person"      // the CRM holds nobody whom it is about
	CodeWorkPackage = "work_package"        // the binding's release of the package has no field for it
	CodeWorkUnsure  = "work_outcome_unsure" // an earlier try may have started it, and the CRM has no way to tell
)

// ResultWhy is, beside ResultLeft, what the CRM said, as far as it says nothing of a person.
const ResultWhy = "why"

// tryWork is how long work is tried that fails for another reason than its tenant's. The message that it is about is held up as long.
const tryWork = 6 * time.Hour

// Work returns the first of the actions of work of a delivery that is not done, and the name of its step.
func (r Rounds) Work() (a delivery.Action, step string, ok bool) {
	for _, a := range r.Delivery.Actions {
		if a.Kind.Works() && !r.Finished(string(a.Kind)) {
			return a, string(a.Kind), true
		}
	}
	return delivery.Action{}, "", false
}

// WorkStep returns the kind of the step of a kind of work.
func WorkStep(of delivery.Kind) string {
	return map[delivery.Kind]string{
		delivery.OpenCase: StepCase, delivery.CreateTask: StepNotice, delivery.SetStatus: StepStatus, delivery.StartAutomation: StepAutomation,
	}[of]
}

// Works reports whether a delivery asks for work.
func Works(d delivery.Delivery) bool {
	return slices.ContainsFunc(d.Actions, func(a delivery.Action) bool { return a.Kind.Works() })
}

// Case is a case that a rule opens.
type Case struct {
	Key      string // names it; 64 hex digits
	Subject  string
	Text     string // what the person said
	Priority string // delivery.Low, delivery.Normal, delivery.High, or "" for what the CRM gives
	Status   string // in the CRM's own word, "" for what the CRM gives
}

// CaseOf returns the case of a delivery.OpenCase.
func CaseOf(d delivery.Delivery, a delivery.Action) Case {
	return Case{
		Key: workKey(d, a.Kind), Subject: oneLine(valueOf(d, a.Value[delivery.Subject], ""), maxWorkSubject), Text: Said(d.Event),
		Priority: a.Value[delivery.Priority], Status: a.Value[delivery.Status],
	}
}

// maxWorkSubject is how many characters a subject has at most.
const maxWorkSubject = 255

// TaskOf returns the task of a delivery.CreateTask.
func TaskOf(d delivery.Delivery, a delivery.Action) Notice {
	hours, _ := strconv.Atoi(a.Value[delivery.DueHours]) // at once where it is left out
	priority := a.Value[delivery.Priority]
	if priority == "" {
		priority = delivery.Normal
	}
	return Notice{
		Key: workKey(d, a.Kind), Subject: oneLine(valueOf(d, a.Value[delivery.Subject], ""), maxWorkSubject), Text: valueOf(d, a.Value[delivery.Text], ""),
		Due: d.Event.Timestamp.Add(time.Duration(hours) * time.Hour), Held: true, Owner: a.Value[delivery.Owner], Priority: priority, Asked: true,
	}
}

// Newer reports whether what an event asks of a record is to be written, where the record says of when it was written last: it is unless a
// newer event's was, or its own by an earlier try, which a rep may have edited since. CRMs keep whole seconds.
func Newer(d delivery.Delivery, last time.Time, again bool) bool {
	at := WorkTime(d)
	return last.Before(at) || !again && last.Equal(at)
}

// WorkTime returns the time that a record keeps of what an event asked of it.
func WorkTime(d delivery.Delivery) time.Time { return d.Event.Timestamp.UTC().Truncate(time.Second) }

// Automation is what a rule starts.
type Automation struct {
	Key    string // names this start; 64 hex digits
	Name   string
	Inputs map[string]string // by name, never nil
}

// AutomationOf returns what a delivery.StartAutomation starts for a person, by the CRM's id.
func AutomationOf(d delivery.Delivery, a delivery.Action, person string) Automation {
	inputs := map[string]string{}
	for name, value := range a.Value {
		if input, ok := strings.CutPrefix(name, delivery.Input); ok {
			inputs[input] = valueOf(d, value, person)
		}
	}
	return Automation{Key: workKey(d, a.Kind), Name: a.Value[delivery.Name], Inputs: inputs}
}

// workKey names what an event makes of a kind of work. A decision has each kind once.
func workKey(d delivery.Delivery, kind delivery.Kind) string {
	sum := sha256.Sum256([]byte(d.Event.TenantID + "\x00work\x00" + string(kind) + "\x00" + string(d.Event.EventID)))
	return hex.EncodeToString(sum[:])
}

// valueOf returns a constant, or what the event has in a field.
func valueOf(d delivery.Delivery, value, person string) string {
	if !slices.Contains(delivery.Fields(), value) {
		return value
	}
	return map[string]string{
		delivery.FieldText: Said(d.Event), delivery.FieldName: NameOf(d), delivery.FieldPhone: d.Person.Phone, delivery.FieldChannel: string(d.Event.Channel),
		delivery.FieldLine: d.Event.LineID, delivery.FieldConversation: string(d.Event.ThreadID), delivery.FieldEvent: string(d.Event.EventID),
		delivery.FieldPerson: person,
	}[value]
}

// OfWork returns the error of a step of an action. Of work, what the CRM refuses for one of some codes, which block deliveries elsewhere, is of the work alone,
// and what it refuses for good of a case or a status names the field that is told first or second, with the tenant's word for it: it may be refused for them.
func OfWork(a delivery.Action, err error, ofCase, ofStatus string, codes ...string) error {
	f := fault.Of(err)
	if f == nil || !a.Kind.Works() {
		return err
	}
	if f.Kind == fault.Blocked && slices.Contains(codes, f.Code) {
		f = fault.New(fault.Permanent, f.Code, f.Err)
		err = f
	}
	field, word := "", ""
	switch a.Kind {
	case delivery.OpenCase:
		field, word = ofCase, a.Value[delivery.Status]
	case delivery.SetStatus:
		field, word = ofStatus, a.Value[delivery.To]
	default: // it has no word of the tenant's
	}
	if f.Kind != fault.Permanent || word == "" {
		return err
	}
	return fault.New(f.Kind, f.Code, errors.Join(fmt.Errorf("%s = %q", field, word), f.Err))
}

// spare returns the outcome of a step that is Aside: what the CRM refuses for good, or fails to do for too long, is left undone, and told.
func (c *Connector[R]) spare(ctx context.Context, it *item, step Step[R], outcome Outcome) Outcome {
	if f := fault.Of(outcome.Err); f != nil {
		late := f.Kind != fault.Blocked && !it.claim.FailingSince.IsZero() && time.Since(it.claim.FailingSince) > tryWork
		switch {
		case f.Kind == fault.Permanent, late:
			outcome = Outcome{Result: Result{ResultLeft: f.Code, ResultWhy: strings.ReplaceAll(f.Error(), "\n", ": ")}}
		case f.Kind == fault.Throttled, f.Kind == fault.Blocked: // it was not carried out
			delete(it.claim.Progress, intent+step.Name)
		}
	}
	if code := outcome.Result[ResultLeft]; code != "" {
		kind := strings.TrimSuffix(step.Name, again)
		c.options.Meter.Count("WorkLeft", 1, append(labels(it), telemetry.Label{Name: "action", Value: kind}, telemetry.Label{Name: "code", Value: code})...)
		c.options.Logger.WarnContext(it.context(ctx), "work that a rule asks for is left undone", slog.String("tenant", it.delivery.Event.TenantID),
			slog.String("crm", it.delivery.CRM), slog.String("action", kind), slog.String("code", code), slog.String("why", outcome.Result[ResultWhy]))
	}
	return outcome
}
