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
	"signalbox/shared/fault"
	"signalbox/shared/store"
)

// known is how what was sent is recognised in a CRM's records.
type known struct {
	messages map[string]string // ids of messages, by the key of their records
	asks     map[string]string // outreaches, likewise
	events   map[string]string // likewise, by the id of their events
	people   map[string]string // who wrote or was written to; their phone is its own name
	ours     map[string]bool   // by id: the message is one of ours
}

func (r *run) known() known {
	k := known{map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{}, map[string]bool{}}
	sends, _ := r.history.Sends() // judge reports the error
	for _, s := range sends {
		k.people[s.Thread] = s.Thread
		if s.Kind == OfAsking {
			k.asks[s.Key] = s.Message
		} else {
			k.messages[s.Key] = s.Message
			k.events[s.Event] = s.Message
			k.ours[s.Message] = s.Kind == OfReceipt
		}
	}
	return k
}

// outcome looks into the simulators and the tables.
func (r *run) outcome(ctx context.Context) (Outcome, error) {
	o := Outcome{
		Messages: map[string][]string{}, Statuses: map[string]map[string][]string{}, Replies: map[string]map[string][]Shown{},
		Also: map[string][]string{}, People: map[string]map[string]int{}, Whose: map[string]map[string][]string{}, Asks: map[string][]string{}, Days: map[string][][]string{}, Spooled: map[string]bool{}, Left: r.left(ctx),
	}
	k := r.known()
	for event := range r.striker.spooled {
		if message := k.events[event]; message != "" {
			o.Spooled[message] = true
		}
	}
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
		if err := r.days(ctx, name, &o); err != nil {
			return o, err
		}
	}
	var err error
	o.Dead, o.Again, err = Dead(ctx, r.cloud)
	return o, err
}

// messages looks at a CRM's records of messages.
func (r *run) messages(ctx context.Context, name string, k known, o *Outcome) error {
	records, err := r.client.Messages(ctx, name)
	if err != nil {
		return err
	}
	o.Statuses[name], o.Messages[name], o.Whose[name] = map[string][]string{}, nil, map[string][]string{}
	for _, record := range records {
		id := identify(record, k.messages)
		if len(notesOf(record.Properties[r.cloud.Simulated[name].Sessions.Text])) > 0 {
			continue // it is of several messages
		}
		if asked := identify(record, k.asks); asked != record.ID {
			o.Asks[name] = append(o.Asks[name], asked)
			continue
		}
		if k.ours[id] {
			o.Statuses[name][id] = append(o.Statuses[name][id], record.Properties[r.cloud.Simulated[name].Status])
		} else {
			o.Messages[name] = append(o.Messages[name], id)
			o.Whose[name][id] = record.Associations[r.cloud.Simulated[name].People[0]]
		}
	}
	return nil
}

// people looks at a CRM's records of people.
func (r *run) people(ctx context.Context, name string, k known, o *Outcome) error {
	o.People[name], o.Replies[name] = map[string]int{}, map[string][]Shown{}
	about := r.cloud.Simulated[name]
	for n, object := range about.People {
		held, err := r.client.Records(ctx, name, object)
		if err != nil {
			return err
		}
		o.People[name][object] = len(held)
		if n > 0 {
			continue
		}
		for _, record := range held {
			person := identify(record, k.people)
			o.Replies[name][person] = append(o.Replies[name][person], Shown{record.Properties[about.Ended], record.Properties[about.Replied]})
		}
	}
	return nil
}

// days looks at a CRM's activities of several messages.
func (r *run) days(ctx context.Context, name string, o *Outcome) error {
	at := r.cloud.Simulated[name].Sessions
	records, err := r.client.Records(ctx, name, at.Object)
	if err != nil {
		return err
	}
	for _, record := range records {
		if notes := notesOf(record.Properties[at.Text]); len(notes) > 0 {
			o.Days[name] = append(o.Days[name], notes)
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

// Dead returns what was given up in the last day and was not put back, and how many messages wait in queues of dead letters. Webhooks
// that are parsed again by themselves are again.
func Dead(ctx context.Context, c *local.Cloud) (dead, again []string, err error) {
	for _, day := range []time.Time{time.Now().AddDate(0, 0, -1), time.Now()} {
		for _, tenant := range []string{deadletter.NoTenant, "demo"} {
			page, _, err := c.Table("StateTable").List(ctx, store.Range{Partition: deadletter.Day(tenant, day)})
			if err != nil {
				return nil, nil, fmt.Errorf("chaos: dead letters: %w", err)
			}
			for _, pointer := range page {
				letter, err := letterOf(ctx, c, pointer)
				switch {
				case err != nil:
					return nil, nil, fmt.Errorf("chaos: dead letters: %w", err)
				case letter.State != deadletter.Open:
				case isParsedAgain(letter):
					again = append(again, pointer.Sort+" "+string(pointer.Data))
				default:
					dead = append(dead, pointer.Sort+" "+string(pointer.Data))
				}
			}
		}
	}
	for _, id := range c.Queues() {
		if n := c.Queue(id).Counters(); strings.HasSuffix(id, "DeadLetters") && n.Visible+n.InFlight > 0 {
			dead = append(dead, fmt.Sprintf("%d in %s", n.Visible+n.InFlight, id))
		}
	}
	return dead, again, nil
}

// letterOf returns the dead letter that a day's pointer names. One that cannot be read is open: it was not put back.
func letterOf(ctx context.Context, c *local.Cloud, pointer store.Record) (deadletter.Record, error) {
	var at struct{ Partition, Sort string }
	if err := json.Unmarshal(pointer.Data, &at); err != nil {
		return deadletter.Record{}, err
	}
	held, err := c.Table("StateTable").Get(ctx, store.Key{Partition: at.Partition, Sort: at.Sort})
	if err != nil {
		return deadletter.Record{}, err
	}
	letter := deadletter.Record{State: deadletter.Open}
	if len(held[0].Data) > 0 && json.Unmarshal(held[0].Data, &letter) != nil {
		letter = deadletter.Record{State: deadletter.Open}
	}
	return letter, nil
}

// isParsedAgain reports whether a schedule parses the webhook again by itself: its fault passes.
func isParsedAgain(letter deadletter.Record) bool {
	return letter.Stage == deadletter.StageReceive &&
		(letter.Kind == fault.Retryable.String() || letter.Kind == fault.Throttled.String())
}
