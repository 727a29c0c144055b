// Package chaos runs the whole of Signalbox with unmodified binaries and breaks it under load: kill -9 at any moment and at every
// call boundary, batches that wait for their invocation and processes that stand still until others receive the same messages, webhooks delivered twice, late and out of order, tables, queues, keys and secrets that refuse, lose replies and deliver again,
// entrances that are shut for a moment, CRMs that throttle, fail, lock and commit without an answer, and gateways and queues with
// wrong clocks. The load is what people write, by their provider and by a program that tells
// it, receipts of what we sent, outreach that some of them answer, and people who are known by one thing until an event proves that they are
// somebody who was known by another, and people whose days are one activity each, in which every message is to have its place. Then a checker
// holds what the CRMs' simulators have against the history of what was sent: none lost, none twice, each thread in order, whoever is one person on one record, each
// message of ours as far as it got, each reply shown and nothing shown as one that is none, none dead-lettered.
//
// One seed makes one plan. It does not make one run: which messages a batch holds and when a process makes a call is up to the
// machine. The clocks of the functions themselves are the machine's and are not skewed: nothing on a machine gives one process
// another time of day.
package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/samples"
	"signalbox/shared/store"
)

// Options say how much to break.
type Options struct {
	Root     string // of the repository
	Seed     uint64
	Kills    int
	Duration time.Duration // over which they are spread; 0 is 400 ms a kill
	Built    bool          // the binaries are up to date
	Record   string        // where to write the run's Record; the page is beside it
}

// The load: so many people, each with a message every few seconds, whatever the duration.
const (
	writers = 240
	pause   = 4 * time.Second
	perKill = 400 * time.Millisecond
)

// Those who are known by two things, those who write to the line of days, the person of the first few messages, and our message of the first few receipts: behind all others.
const (
	joiner  = writers + strangers
	chatter = joiner + 2*joiners
	teacher = chatter + 2*chatters
	lesson  = 1_000_000
)

// restIn is how long what was sent may take to come to rest once nothing is broken any more. A message that was killed twice waits
// for two visibility time-outs at each stage.
const restIn = 90 * time.Second

// overtime is how much later than planned a message may be sent by a machine that cannot keep up, and then be acknowledged.
const overtime = time.Minute

// crowd is how many people write at once before anything is broken: calls that carry several messages are boundaries of their own.
const crowd = 20

// Divisor is by what the template's times are divided.
const Divisor = 20

// Times returns the template's times, divided. They nest as the real ones do. A webhook's are not divided: how long the
// receiver tries the queue before it takes the spool is its own.
func Times() map[string]string {
	return map[string]string{
		"WebhookTimeoutSeconds": "5", "CrmAttemptSeconds": "0.5", "MessageSeconds": "1", "SoftMarginSeconds": "0.15",
		"FunctionTimeoutSeconds": "1.5", "ClaimLeaseSeconds": "1.75", "VisibilitySeconds": "2.1", "PatienceSeconds": "4320",
		"BlockedWaitSeconds": "45", "BackoffMinSeconds": "0.1", "BackoffMaxSeconds": "45",
		"ReceiptsWindowSeconds": "1", "ReceiptsVisibilitySeconds": "12",
	}
}

// run is one run.
type run struct {
	options Options
	out     io.Writer
	folder  string // where everything is kept
	cloud   *local.Cloud
	client  *samples.Client
	striker *striker
	lottery *lottery
	history *History
	sender  *sender
	plan    Plan
	began   time.Time // to break
}

// Run breaks Signalbox, writes a Record of what it did and found, prints that to out, and returns an error that says what is
// wrong. What the functions said, the plan and the history stay in .build/chaos.
func Run(ctx context.Context, out io.Writer, o Options) error {
	if o.Duration == 0 {
		o.Duration = time.Duration(o.Kills) * perKill
	}
	r := &run{options: o, out: out, folder: filepath.Join(o.Root, ".build", "chaos"), striker: newStriker(), lottery: newLottery(o.Seed)}
	r.striker.hangs, r.striker.loses = r.lottery.hangs, r.lottery.loses
	if err := os.MkdirAll(r.folder, 0o750); err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	file, err := os.Create(filepath.Join(r.folder, "history.jsonl"))
	if err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewWriter(file)
	defer func() { _ = lines.Flush() }()
	r.history = NewHistory(lines)

	r.cloud, err = local.Start(ctx, local.Options{
		Root: o.Root, Times: Times(), MaxProcesses: 2, ScheduleDivisor: Divisor, LogFile: "chaos.log", Built: o.Built,
		Hooks: local.Hooks{
			Observer: r.striker, Event: r.lottery.skew, Tables: r.lottery.tableFault,
			Throttled: r.striker.holds.throttled, Invoked: r.striker.holds.worked, Done: r.striker.ended,
		},
	})
	if err != nil {
		return err
	}
	defer r.cloud.Stop()
	r.striker.setCloud(r.cloud)
	r.lottery.watch(r.cloud)
	if r.client, err = samples.NewClient(o.Root, plugins.Channels(), r.cloud.Target()); err != nil {
		return err
	}
	r.sender = &sender{client: r.client, history: r.history, decided: r.decided}
	r.striker.spool = func() []string { return r.spool(ctx) }
	if err := r.learn(ctx); err != nil {
		return err
	}
	if err := r.storm(ctx); err != nil {
		return err
	}
	return r.judge(ctx)
}

// learn lets a few messages, one of them by the spool, receipts, a reply and many messages at once through, so that the boundaries
// are known, and makes the plan.
func (r *run) learn(ctx context.Context) error {
	now := time.Now()
	r.sender.asked(ctx, now, teacher, []Asked{{Sent: -longAgo}})
	r.sender.outbound(ctx, lesson, Outbound{Receipts: []Receipt{{State: "sent"}, {State: "queued"}}})
	r.sender.thread(ctx, teacher, []Webhook{{}, {Gap: 300 * time.Millisecond}, {Gap: 300 * time.Millisecond, Sender: 1}})
	for n, by := range []Known{byPhone, byUser, byBoth, byUser} {
		r.sender.deliver(ctx, r.sender.message(joiner+joiners, n, Webhook{By: by}, now))
		r.rest(ctx) // threads have no order among them: what proves, and comes before it, leaves one record of who was to have two
	}
	r.sender.thread(ctx, chatter+chatters, []Webhook{{Day: true}, {Day: true}, {Day: true, Gap: 3 * time.Second}})
	r.sender.asked(ctx, now, teacher+1, []Asked{{Sent: ahead}})
	r.lottery.closed.Store(true)
	r.sender.deliver(ctx, r.sender.message(teacher, 3, Webhook{}, now))
	r.lottery.closed.Store(false)
	for n := range 2 { // of people whom nobody knows, and then does
		var all sync.WaitGroup
		for person := range crowd {
			all.Go(func() { r.sender.deliver(ctx, r.sender.message(teacher+2+person, n, Webhook{Sender: person}, now)) })
		}
		all.Wait()
		r.rest(ctx)
	}
	if !r.rest(ctx) {
		return fmt.Errorf("chaos: a few messages do not arrive while nothing is broken; the log is %s", r.cloud.LogPath)
	}
	faults := map[string]int{}
	for name, about := range r.cloud.Simulated {
		faults[name] = len(about.Failures)
	}
	size := Size{
		Kills: r.options.Kills, Duration: r.options.Duration, Threads: writers, Messages: max(1, int(r.options.Duration/pause)),
	}
	r.plan = NewPlan(r.options.Seed, size, r.striker.boundaries(), faults, r.striker.holds.functions())
	data, err := json.MarshalIndent(r.plan, "", " ")
	if err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	if err := os.WriteFile(filepath.Join(r.folder, "plan.json"), data, 0o600); err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	_, _ = fmt.Fprintf(r.out, "chaos: seed %d, plan %s: %d kills at %d call boundaries and between over %s, %d people, %d who come to be known by two things and %d whose days are one activity each, %d messages, CRMs %s, times divided by %d\n",
		r.plan.Seed, r.plan.Digest(), len(r.plan.Strikes), 2*len(r.striker.boundaries()), r.options.Duration, size.Threads,
		len(r.plan.Joins), len(r.plan.Days), (size.Threads+len(r.plan.Joins)+len(r.plan.Days))*size.Messages, strings.Join(slices.Sorted(maps.Keys(r.cloud.CRMs)), ", "), Divisor)
	return nil
}

// storm carries the plan out.
func (r *run) storm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.options.Duration+2*overtime)
	defer cancel()
	r.lottery.on.Store(true)
	r.began = time.Now()
	r.sender.end = r.began.Add(r.options.Duration + overtime)
	r.striker.holds.begin(r.plan.Holds)
	var threads, others sync.WaitGroup
	for person, webhooks := range r.plan.Threads {
		threads.Go(func() { r.sender.thread(ctx, person, webhooks) })
	}
	for n, webhooks := range r.plan.Joins {
		threads.Go(func() { r.sender.thread(ctx, joiner+n, webhooks) })
	}
	for n, webhooks := range r.plan.Days {
		threads.Go(func() { r.sender.thread(ctx, chatter+n, webhooks) })
	}
	for n, o := range r.plan.Outbound {
		threads.Go(func() { r.sender.outbound(ctx, n, o) })
	}
	beginning := time.Now()
	for person, asked := range r.plan.Asked {
		threads.Go(func() { r.sender.asked(ctx, beginning, person, asked) })
	}
	others.Go(func() { r.lottery.carry(ctx, r.plan.Outages) })
	var spoiled error
	others.Go(func() { spoiled = spoilCRMs(ctx, r.cloud, r.plan.Spoils) })
	struck := make(chan struct{})
	others.Go(func() {
		defer close(struck)
		r.striker.run(ctx, r.plan.Strikes)
	})
	threads.Wait()
	r.feed(ctx, struck)
	others.Wait()
	r.lottery.on.Store(false)
	return spoiled
}

// feed sends further messages, and a receipt and an outreach now and then, until every kill was carried out: a function without work has nothing to
// be killed at.
func (r *run) feed(ctx context.Context, struck <-chan struct{}) {
	sent := len(r.plan.Threads[0])
	for n := 0; ; n++ {
		select {
		case <-struck:
			return
		case <-ctx.Done():
			return
		default:
		}
		person := n % writers
		r.sender.deliver(ctx, r.sender.message(person, sent+n/writers, Webhook{Machine: r.plan.Threads[person][sent-1].Machine, Sender: n}, r.began))
		if n%8 == 0 {
			r.sender.outbound(ctx, len(r.plan.Outbound)+n/8, Outbound{Receipts: []Receipt{{State: "sent"}}})
			r.sender.deliver(ctx, r.sender.outreach(teacher+1, 1+n/8, r.began.Add(-longAgo))) // to nobody who writes
		}
		sleep(ctx, 10*time.Millisecond)
	}
}

// rest waits until nothing waits anywhere, no longer than restIn, and reports whether that is so.
func (r *run) rest(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, restIn)
	defer cancel()
	for r.left(ctx) > 0 {
		if !sleep(ctx, 20*time.Millisecond) {
			return false
		}
	}
	return true
}

// left counts what waits in queues that are not dead letters', and in the spool.
func (r *run) left(ctx context.Context) int {
	n := 0
	for _, id := range r.cloud.Queues() {
		if counters := r.cloud.Queue(id).Counters(); !strings.HasSuffix(id, "DeadLetters") {
			n += counters.Visible + counters.InFlight
		}
	}
	return n + len(r.spool(ctx))
}

// spool returns the ids of what is in the spool.
func (r *run) spool(ctx context.Context) (ids []string) {
	for shard := range 16 {
		page, _, err := r.cloud.Table("SpoolTable").List(ctx, store.Range{Partition: fmt.Sprintf("spool/%d", shard)})
		if err != nil { // it is memory
			continue
		}
		for _, record := range page {
			_, id, _ := strings.Cut(record.Sort, "/")
			ids = append(ids, id)
		}
	}
	return ids
}

// decided reports whether the router has recorded an event.
func (r *run) decided(ctx context.Context, event string) bool {
	held, err := r.cloud.Table("StateTable").Get(ctx, store.Key{Partition: "demo/event/" + event, Sort: "event"})
	return err == nil && held[0].Version > 0
}

// judge waits for rest, and holds what there is against the history.
func (r *run) judge(ctx context.Context) error {
	began := time.Now()
	r.rest(ctx)
	outcome, err := r.outcome(ctx)
	if err != nil {
		return err
	}
	sends, err := r.history.Sends()
	if err != nil {
		return err
	}
	report := Check(sends, outcome)
	record := r.record(ctx, report, began.Sub(r.began), time.Since(began))
	record.page(r.out)
	if err := record.write(r.options.Record); err != nil {
		return err
	}
	if len(report.Problems) == 0 && r.striker.total < len(r.plan.Strikes) {
		return fmt.Errorf("chaos: only %d of %d kills were carried out: too little came in time to be killed at; seed %d; not carried out: %v",
			r.striker.total, len(r.plan.Strikes), r.plan.Seed, r.striker.missed)
	}
	if len(report.Problems) == 0 {
		return nil
	}
	var wrong []error
	for _, p := range report.Problems[:min(len(report.Problems), 50)] {
		wrong = append(wrong, fmt.Errorf("%s: %s %s %s", p.Kind, p.CRM, p.Message, p.Detail))
	}
	wrong = append(wrong, fmt.Errorf("chaos: %d problems with seed %d; plan and history are in %s, what the functions said in %s",
		len(report.Problems), r.plan.Seed, r.folder, r.cloud.LogPath))
	return errors.Join(wrong...)
}
