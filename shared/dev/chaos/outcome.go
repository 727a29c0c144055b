package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"signalbox/shared/deadletter"
	"signalbox/shared/dev/local"
	"signalbox/shared/dev/samples"
	"signalbox/shared/store"
)

// known is how what was sent is recognised in a CRM's records.
type known struct {
	messages map[string]string // ids of messages, by the key of their records
	people   map[string]string // who wrote or was written to; their phone is its own name
	ours     map[string]bool   // by id: the message is one of ours
}

func (r *run) known() known {
	k := known{map[string]string{}, map[string]string{}, map[string]bool{}}
	sends, _ := r.history.Sends() // judge reports the error
	for _, s := range sends {
		k.people[s.Thread] = s.Thread
		if s.Kind != OfAsking {
			k.messages[r.client.MessageKey(samples.Sample{Path: messagesPath, Form: [][2]string{{"MessageSid", s.Message}}})] = s.Message
			k.ours[s.Message] = s.Kind == OfReceipt
		}
	}
	return k
}

// outcome looks into the simulators and the tables.
func (r *run) outcome(ctx context.Context) (Outcome, error) {
	o := Outcome{
		Messages: map[string][]string{}, Statuses: map[string]map[string][]string{}, Replies: map[string]map[string][]Shown{},
		Also: map[string][]string{}, People: map[string]map[string]int{}, Spooled: r.striker.spooled, Left: r.left(ctx),
	}
	k := r.known()
	for name := range r.cloud.CRMs {
		if err := r.messages(ctx, name, k, &o); err != nil {
			return o, err
		}
		if err := r.people(ctx, name, k, &o); err != nil {
			return o, err
		}
		if err := r.also(ctx, name, k, &o); err != nil {
			return o, err
		}
	}
	dead, err := Dead(ctx, r.cloud)
	o.Dead = dead
	return o, err
}

// messages looks at a CRM's records of messages.
func (r *run) messages(ctx context.Context, name string, k known, o *Outcome) error {
	records, err := r.client.Messages(ctx, name)
	if err != nil {
		return err
	}
	o.Statuses[name], o.Messages[name] = map[string][]string{}, nil
	for _, record := range records {
		id := identify(record, k.messages)
		if k.ours[id] {
			o.Statuses[name][id] = append(o.Statuses[name][id], record.Properties[crms()[name].status])
		} else {
			o.Messages[name] = append(o.Messages[name], id)
		}
	}
	return nil
}

// people looks at a CRM's records of people.
func (r *run) people(ctx context.Context, name string, k known, o *Outcome) error {
	o.People[name], o.Replies[name] = map[string]int{}, map[string][]Shown{}
	shows := crms()[name].reply
	for _, object := range crms()[name].people {
		held, err := r.client.Records(ctx, name, object)
		if err != nil {
			return err
		}
		o.People[name][object] = len(held)
		if object != shows.object {
			continue
		}
		for _, record := range held {
			person := identify(record, k.people)
			o.Replies[name][person] = append(o.Replies[name][person], Shown{record.Properties[shows.stop], record.Properties[shows.at]})
		}
	}
	return nil
}

// also looks for messages in the other objects of a CRM: tasks, say.
func (r *run) also(ctx context.Context, name string, k known, o *Outcome) error {
	for _, object := range r.cloud.Simulated[name].Objects {
		if object == r.cloud.Simulated[name].Messages {
			continue
		}
		records, err := r.client.Records(ctx, name, object)
		if err != nil {
			return err
		}
		for _, record := range records {
			if id := identify(record, k.messages); id != record.ID {
				o.Also[name+" "+object] = append(o.Also[name+" "+object], id)
			}
		}
	}
	return nil
}

// identify returns what a record is of, or the record's id.
func identify(record samples.Record, names map[string]string) string {
	for _, value := range record.Properties {
		if name := names[value]; name != "" {
			return name
		}
	}
	return record.ID
}

// Dead returns what was given up in the last day and was not put back, and how many messages wait in queues of dead letters.
func Dead(ctx context.Context, c *local.Cloud) ([]string, error) {
	var found []string
	for _, day := range []time.Time{time.Now().AddDate(0, 0, -1), time.Now()} {
		for _, tenant := range []string{deadletter.NoTenant, "demo"} {
			open, err := openOf(ctx, c, tenant, day)
			if err != nil {
				return nil, fmt.Errorf("chaos: dead letters: %w", err)
			}
			found = append(found, open...)
		}
	}
	for _, id := range c.Queues() {
		if n := c.Queue(id).Counters(); strings.HasSuffix(id, "DeadLetters") && n.Visible+n.InFlight > 0 {
			found = append(found, fmt.Sprintf("%d in %s", n.Visible+n.InFlight, id))
		}
	}
	return found, nil
}

// openOf returns the dead letters of a tenant and a day that still wait for somebody.
func openOf(ctx context.Context, c *local.Cloud, tenant string, day time.Time) ([]string, error) {
	page, _, err := c.Table("StateTable").List(ctx, store.Range{Partition: deadletter.Day(tenant, day)})
	if err != nil {
		return nil, err
	}
	var found []string
	for _, pointer := range page {
		open, err := isOpen(ctx, c, pointer)
		if err != nil {
			return nil, err
		}
		if open {
			found = append(found, pointer.Sort+" "+string(pointer.Data))
		}
	}
	return found, nil
}

// isOpen reports whether the dead letter that a day's pointer names still waits for somebody. One that cannot be read does: it was
// not put back.
func isOpen(ctx context.Context, c *local.Cloud, pointer store.Record) (bool, error) {
	var at struct{ Partition, Sort string }
	if err := json.Unmarshal(pointer.Data, &at); err != nil {
		return false, err
	}
	held, err := c.Table("StateTable").Get(ctx, store.Key{Partition: at.Partition, Sort: at.Sort})
	if err != nil {
		return false, err
	}
	letter := deadletter.Record{State: deadletter.Open}
	if len(held[0].Data) > 0 && json.Unmarshal(held[0].Data, &letter) != nil {
		letter.State = deadletter.Open
	}
	return letter.State == deadletter.Open, nil
}
