package operate

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/consent"
)

// ConsentUsage says what can be asked for.
const ConsentUsage = `make consent STACK=<stack> | ENDPOINT=http://127.0.0.1:4566   (a deployed stack, or a running make run)
    TENANT=<id>            whose
    ADDRESS=<number>       what may be sent to it, why, and the evidence: E.164, or a channel's identifier
    ACTION=export          what is held of every address, by its keyed digest, as CSV
  or, to enter what somebody was told, which every CRM that holds the address then shows, with BY (your login name) and REASON:
    ACTION=enter           ADDRESS, STATE=opted_out|opted_in|pending, CHANNEL (of an opt-out all, if it is left out),
                           LINE= PURPOSE=messaging|marketing AT= SOURCE=agent|form|crm PROOF=<where it can be looked up>`

// ConsentImportUsage says how a file is imported.
const ConsentImportUsage = `make consent-import STACK=<stack> | ENDPOINT=http://127.0.0.1:4566
    TENANT=<id>            whose
    FILE=<file>            CSV with the columns address and state (opted_out, opted_in or pending), and of these what there is:
                           channel, at, source, proof, purpose, line
    ACTION=plan            apply: keep it, with BY (your login name) and REASON
An opt-out is always taken, an opt-in only with channel, at and proof. What is older than what is held is kept as history.
CRMs that are known to hold the person show it; import a list into a CRM itself, too, for those in it who never wrote.`

// errRows is the import of a file some rows of which were refused.
var errRows = errors.New("some rows were refused; the others were not held up by them")

// consents asks one stack about one tenant.
type consents struct {
	out    io.Writer
	invoke Invoke
	asked  consent.Request // of all requests
}

// newConsents reads who asks of whom.
func newConsents(out io.Writer, lookup func(string) string, invoke Invoke, changes bool, usage string) (*consents, error) {
	c := &consents{out, invoke, consent.Request{
		Tenant: lookup("TENANT"), By: strings.TrimSpace(cmp.Or(lookup("BY"), lookup("USER"))), Reason: strings.TrimSpace(lookup("REASON")),
	}}
	switch {
	case c.asked.Tenant == "" || strings.ContainsAny(c.asked.Tenant, "/."):
		return nil, &UsageError{"TENANT is to be the tenant's id, not its file", usage}
	case changes && c.asked.By == "":
		return nil, &UsageError{"BY is not set: say who asks, for example BY=ada", usage}
	case changes && c.asked.Reason == "":
		return nil, &UsageError{"REASON is not set: say why, for example REASON=INC-7", usage}
	}
	return c, nil
}

// ask asks once. What is refused as a whole is an error.
func (c *consents) ask(ctx context.Context, action string, r consent.Request) (consent.Result, error) {
	var answer struct {
		Consent  *consent.Result `json:"consent"`
		Problems []struct {
			Path   string `json:"path"`
			Reason string `json:"reason"`
		} `json:"problems"`
	}
	event, err := json.Marshal(struct {
		Action  string          `json:"action"`
		Consent consent.Request `json:"consent"`
	}{action, r})
	if err != nil {
		return consent.Result{}, err
	}
	body, err := c.invoke(ctx, "apply-tenant", event)
	if err != nil {
		return consent.Result{}, err
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return consent.Result{}, fmt.Errorf("apply-tenant returned no JSON: %w", err)
	}
	if answer.Consent == nil {
		reasons := []string{"apply-tenant returned nothing about consent: is the stack of this release?"}
		for _, p := range answer.Problems {
			reasons = append(reasons, strings.TrimSpace(p.Path+" "+p.Reason))
		}
		return consent.Result{}, errors.New(strings.Join(reasons, "; "))
	}
	if len(answer.Consent.Problems) > 0 {
		return consent.Result{}, errors.New(strings.Join(answer.Consent.Problems, "; "))
	}
	return *answer.Consent, nil
}

// Consent carries out make consent.
func Consent(ctx context.Context, out io.Writer, lookup func(string) string, invoke Invoke) error {
	action := cmp.Or(lookup("ACTION"), "show")
	c, err := newConsents(out, lookup, invoke, action == "enter", ConsentUsage)
	if err != nil {
		return err
	}
	switch action {
	case "show":
		if lookup("ADDRESS") == "" {
			return &UsageError{"ADDRESS is not set: say whose consent is meant", ConsentUsage}
		}
		c.asked.Address = lookup("ADDRESS")
		return c.show(ctx)
	case "enter":
		return c.enter(ctx, consent.Enter, []consent.Row{{
			Number: 1, Address: lookup("ADDRESS"), Channel: lookup("CHANNEL"), Line: lookup("LINE"), Purpose: lookup("PURPOSE"), State: lookup("STATE"),
			At: cmp.Or(lookup("AT"), time.Now().UTC().Format(time.RFC3339)), Source: cmp.Or(lookup("SOURCE"), consent.SourceAgent), Proof: lookup("PROOF"),
		}})
	case "export":
		return c.export(ctx)
	default:
		return &UsageError{"ACTION is show, enter or export", ConsentUsage}
	}
}

// show prints what holds of an address and the evidence of it, and never the address.
func (c *consents) show(ctx context.Context) error {
	result, err := c.ask(ctx, consent.Show, c.asked)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(c.out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(result)
}

// export prints the marks that are held of all addresses, one a line.
func (c *consents) export(ctx context.Context) error {
	w := csv.NewWriter(c.out)
	_ = w.Write([]string{"address_digest", "channel", "line", "purpose", "state", "at", "source", "event"})
	for {
		result, err := c.ask(ctx, consent.Export, c.asked)
		if err != nil {
			return err
		}
		for _, known := range result.Known {
			for _, m := range known.Marks {
				_ = w.Write([]string{known.Address, string(m.Channel), m.Line, m.Purpose, m.State, m.At.UTC().Format(time.RFC3339Nano), m.Source, string(m.EventID)})
			}
		}
		if c.asked.After = result.Next; result.Next == "" {
			w.Flush()
			return w.Error()
		}
	}
}

// enter keeps rows, or plans them, and prints what becomes of each by its number, and a count.
func (c *consents) enter(ctx context.Context, action string, rows []consent.Row) error {
	counts := map[string]int{}
	for some := range slices.Chunk(rows, consent.MaxRows) {
		asked := c.asked
		asked.Rows = some
		result, err := c.ask(ctx, action, asked)
		if err != nil {
			return err
		}
		for _, r := range result.Rows {
			if counts[r.Outcome]++; r.Outcome == consent.Refused {
				_, err = fmt.Fprintf(c.out, "line %d is refused: %s\n", r.Number, r.Reason)
			}
			if err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(c.out, "%s: %d taken, %d history, %d refused\n", strings.TrimPrefix(action, "consent-"), counts[consent.Taken], counts[consent.History], counts[consent.Refused])
	if err == nil && counts[consent.Refused] > 0 {
		err = errRows
	}
	return err
}

// ConsentImport plans or applies a file.
func ConsentImport(ctx context.Context, out io.Writer, lookup func(string) string, invoke Invoke) error {
	action, known := map[string]string{"": consent.Plan, "plan": consent.Plan, "apply": consent.Enter}[lookup("ACTION")]
	if !known {
		return &UsageError{"ACTION is plan or apply", ConsentImportUsage}
	}
	c, err := newConsents(out, lookup, invoke, action == consent.Enter, ConsentImportUsage)
	if err != nil {
		return err
	}
	path := lookup("FILE")
	if path == "" {
		return &UsageError{"FILE is not set: name the file", ConsentImportUsage}
	}
	file, err := os.Open(path) //nolint:gosec // the operator's own file
	if err != nil {
		return fmt.Errorf("the file cannot be read: %w", err)
	}
	defer func() { _ = file.Close() }()
	rows, err := readRows(file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return c.enter(ctx, action, rows)
}

// readRows reads a CSV file. No error quotes it.
func readRows(r io.Reader) (rows []consent.Row, err error) {
	reader := csv.NewReader(r)
	reader.FieldsPerRecord = -1
	header, err := reader.Read()
	if err != nil {
		return nil, errors.New("the first line is to name the columns")
	}
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	for i, name := range header {
		header[i] = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains([]string{"address", "channel", "line", "purpose", "state", "at", "source", "proof"}, header[i]) {
			return nil, fmt.Errorf("column %d is none of address, state, channel, at, source, proof, purpose, line", i+1)
		}
	}
	if !slices.Contains(header, "address") || !slices.Contains(header, "state") {
		return nil, errors.New("the columns address and state are needed")
	}
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if broken, ok := errors.AsType[*csv.ParseError](err); ok {
			return nil, errors.New("line " + strconv.Itoa(broken.Line) + " is not CSV: look at its quotes; nothing was imported")
		}
		if err != nil {
			return nil, err
		}
		line, _ := reader.FieldPos(0)
		value := func(name string) string {
			if i := slices.Index(header, name); i >= 0 && i < len(record) {
				return strings.TrimSpace(record[i])
			}
			return ""
		}
		rows = append(rows, consent.Row{
			Number: line, Address: value("address"), Channel: value("channel"), Line: value("line"), Purpose: value("purpose"),
			State: value("state"), At: value("at"), Source: value("source"), Proof: value("proof"),
		})
	}
}
