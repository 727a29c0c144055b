// Package bench measures Signalbox in numbers: how many calls and bytes a message costs, counted at the local
// cloud, what that makes on a bill, how fast the parts and the whole are on this machine, how long functions take to start and
// how large they are. Each figure says where it was measured: in Go values (ring 1) or in
// processes (ring 3). A peer that runs already is driven with the
// same load; it is no part of the project.
package bench

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/local/template"
)

// Options say how much to measure.
type Options struct {
	Root   string    // of the repository
	Quick  bool      // counts in full, times only so far that everything runs once
	Log    io.Writer // what is being done
	Peer   *Peer     // another product that runs already; nil is none
	Beside bool      // the peer only, and what it is compared with
}

// Kept is where the last committed run is, below the root of the repository.
const Kept = "shared/docs/bench/run.json"

// Run measures everything. What cannot be measured is named in the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	list, err := readPrices()
	if err != nil {
		return nil, err
	}
	if err := local.Build(ctx, o.Root, o.Log); err != nil {
		return nil, err
	}
	r := &Report{At: time.Now().UTC().Truncate(time.Second), Quick: o.Quick, Machine: machine(), Load: load(), Prices: list.Region + ", " + list.Checked}
	length, runs, benchtime := 1500*time.Millisecond, 15, "200ms"
	if o.Quick {
		length, runs, benchtime = 200*time.Millisecond, 2, "1x"
	}
	for _, step := range []struct {
		name   string
		beside bool
		do     func() ([]Row, error)
	}{
		{"counting calls", false, func() ([]Row, error) { return r.counts(ctx, o.Root, list) }},
		{"counting in virtual time", false, func() ([]Row, error) { return virtual(ctx, o.Root, o.Log) }},
		{"acknowledging and draining", true, func() ([]Row, error) { return acks(ctx, o.Root, length) }},
		{"draining to each CRM alone", true, func() ([]Row, error) { return drainsAlone(ctx, o.Root, length) }},
		{"a receiver that does nothing", false, func() ([]Row, error) { return ceiling(ctx, o, length) }},
		{"from the webhook to every CRM", true, func() ([]Row, error) { return paths(ctx, o.Root, length) }},
		{"the peer", true, func() ([]Row, error) { return o.Peer.rows(ctx, length, r.Rows) }},
		{"cold starts", false, func() ([]Row, error) { return colds(ctx, o.Root, runs) }},
		{"sizes", false, func() ([]Row, error) { return sizes(ctx, o.Root, o.Log) }},
		{"Go benchmarks", false, func() ([]Row, error) {
			results, err := goBenchmarks(ctx, o.Root, benchtime, o.Log)
			rows, missing := goRows(results)
			r.Missing = append(r.Missing, missing...)
			return rows, err
		}},
	} {
		if o.Beside && !step.beside {
			continue
		}
		began := time.Now()
		_, _ = fmt.Fprint(o.Log, "bench: ", step.name)
		rows, err := step.do()
		_, _ = fmt.Fprintf(o.Log, ", %.1f s\n", time.Since(began).Seconds())
		if err != nil {
			return nil, err
		}
		r.Rows = append(r.Rows, rows...)
	}
	if o.Peer == nil {
		r.Missing = append(r.Missing, "ratios against a peer: PEER names none")
	}
	return r, nil
}

// counts counts each CRM alone, and all together.
func (r *Report) counts(ctx context.Context, root string, list *prices) ([]Row, error) {
	var rows []Row
	names, err := local.SimulatedCRMs(root)
	if err != nil {
		return nil, err
	}
	var first usage
	for i, name := range names {
		c, err := count(ctx, root, name)
		if err == nil && c.single.CRM[name] == 0 {
			err = fmt.Errorf("bench: nothing was sent to %s: what it is to be sent is parked, for a reason that the log says", name)
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows,
			Row{Name: "CRM calls per message, known contact, " + name, Value: c.single.CRM[name], Unit: "calls", Bar: c.bar},
			Row{Name: "CRM calls per message, known contact, ten at once, " + name, Value: c.batches.CRM[name], Unit: "calls", Bar: 0.4},
			Row{Name: "CRM calls, first message of somebody unknown, " + name, Value: c.unknown.CRM[name], Unit: "calls"},
			Row{Name: "CRM calls, reply to an outreach, " + name, Value: c.reply.CRM[name], Unit: "calls"},
			Row{Name: "AWS calls, reply to an outreach, " + name + " alone", Value: c.reply.calls(), Unit: "calls"},
			Row{Name: "write units, reply to an outreach, " + name + " alone", Value: c.reply.WriteUnits, Unit: "units"})
		if i == 0 {
			first = c.single
			rows = append(rows,
				Row{Name: "AWS calls, outreach registered", Value: c.outreach.calls(), Unit: "calls"},
				Row{Name: "write units, outreach registered", Value: c.outreach.WriteUnits, Unit: "units"})
		}
		rows = append(rows, awsRows(list, name, c.single, c.batches)...)
	}
	if len(names) > 1 {
		all, err := count(ctx, root, names...)
		if err != nil {
			return nil, err
		}
		single, further := all.single, float64(len(names)-1)
		rows = append(rows,
			Row{Name: "AWS calls more per further CRM", Value: (single.calls() - first.calls()) / further, Unit: "calls", Bar: 6},
			Row{Name: "write units more per further CRM", Value: (single.WriteUnits - first.WriteUnits) / further, Unit: "units"},
			Row{
				Name: "request charges per million more per further CRM", Ring: "computed", Unit: "$",
				Value: (list.requestCharges(single) - list.requestCharges(first)) / further,
			})
	}
	fixed, note, err := fixedCharges(root, list)
	if err != nil {
		return nil, err
	}
	rows = append(rows, Row{Name: "fixed charges per month", Ring: "computed", Value: fixed, Unit: "$", Note: note})
	for i := range rows {
		if rows[i].Ring == "" {
			rows[i].Ring = "3 counted"
		}
	}
	return rows, nil
}

// awsRows are the rows of one CRM alone.
func awsRows(list *prices, crm string, single, batches usage) []Row {
	named := func(name string) string { return name + ", " + crm + " alone" }
	return []Row{
		{Name: named("AWS calls, batch of one"), Value: single.calls(), Unit: "calls", Bar: 12, Note: fmt.Sprintf("%s SQS, %s DynamoDB", number(single.SQS), number(single.Store))},
		{Name: named("AWS calls, batches of ten"), Value: batches.calls(), Unit: "calls", Bar: 2.5, Note: fmt.Sprintf("%s SQS, %s DynamoDB", number(batches.SQS), number(batches.Store))},
		{Name: named("write units"), Value: single.WriteUnits, Unit: "units", Bar: 4, Note: "stretch target 3"},
		{Name: named("read units"), Value: single.ReadUnits, Unit: "units", Bar: 2, Note: number(batches.ReadUnits) + " in batches of ten"},
		{Name: named("KMS calls"), Value: single.KMS, Unit: "calls", Bar: 0.01},
		{Name: named("Secrets Manager calls"), Value: single.Secrets, Unit: "calls", Bar: 0.0001},
		{Name: named("log bytes"), Value: single.LogBytes, Unit: "bytes", Bar: 2560},
		{Name: named("stored bytes"), Value: single.StoredBytes, Unit: "bytes"},
		{Name: named("invocations, batch of one"), Value: single.Invocations, Unit: ""},
		{Name: named("invocations, batches of ten"), Value: batches.Invocations, Unit: ""},
		{Name: named("request charges per million, batch of one"), Ring: "computed", Value: list.requestCharges(single), Unit: "$", Bar: 7.4, Note: "stretch target 6.0"},
		{Name: named("request charges per million, batches of ten"), Ring: "computed", Value: list.requestCharges(batches), Unit: "$", Bar: 4.7, Note: "stretch target 3.4"},
		{Name: named("whole bill per million, batch of one"), Ring: "computed", Value: list.wholeBill(single), Unit: "$", Note: "with the price list's latencies; without network, metrics and the fixed charges"},
		{Name: named("whole bill per million, batches of ten"), Ring: "computed", Value: list.wholeBill(batches), Unit: "$"},
	}
}

// How many messages are counted: counts do not vary, but for log lines whose numbers have more digits.
const (
	singles = 20
	rounds  = 3
)

// counted is what messages cost: one at a time, in tens, and of people whom nobody knows; and what outreach and its replies do.
type counted struct {
	single, batches, unknown, outreach, reply usage
	bar                                       float64 // of calls a message to the first CRM
}

// count counts messages to these CRMs.
func count(ctx context.Context, root string, crms ...string) (c counted, err error) {
	w, err := newWorld(ctx, root, true, crms...)
	if err != nil {
		return c, err
	}
	defer w.stop()
	c.bar = float64(w.Simulated[crms[0]].Calls)
	for range 2 { // the second message of a person meets every cache filled
		if err := w.know(ctx, batch); err != nil {
			return c, err
		}
	}
	if c.single, err = w.countSingle(ctx, 0, singles); err != nil {
		return c, err
	}
	if c.unknown, err = w.countSingle(ctx, batch, batch); err != nil {
		return c, err
	}
	if c.batches, err = w.countBatches(ctx, rounds); err != nil {
		return c, err
	}
	c.outreach, c.reply, err = w.countReplies(ctx)
	return c, err
}

// fixedCharges returns what a deployment costs without a message.
func fixedCharges(root string, list *prices) (perMonth float64, note string, err error) {
	deployed, err := template.Read(filepath.Join(root, "template.yaml"), nil, nil)
	if err != nil {
		return 0, "", fmt.Errorf("bench: %w", err)
	}
	alarms, keys, secrets, mappings := float64(deployed.Alarms), float64(len(deployed.Keys)), float64(len(deployed.Secrets)), 0.0
	for _, f := range deployed.Functions {
		mappings += float64(len(f.Mappings))
	}
	// Five pollers a mapping, each with a long poll of 20 s: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html.
	polls := mappings * 5 * 3 * 60 * 24 * 30
	perMonth = alarms*list.PerMonth["alarm"].Price + keys*list.PerMonth["kmsKey"].Price + secrets*list.PerMonth["secret"].Price + list.million("sqsFifoRequest", polls/1e6)
	return perMonth, fmt.Sprintf("%.0f alarms, %.0f key, %.0f secret, %.0f empty receives of %.0f mappings", alarms, keys, secrets, polls, mappings), nil
}
