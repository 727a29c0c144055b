package operate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"signalbox/shared/dev/samples"
)

// HealthUsage says what can be asked for.
const HealthUsage = `make health STACK=<stack> | ENDPOINT=http://127.0.0.1:4566   (a deployed stack, or a running make run)
    CRM=<kind>             one of the template's Crms; all of them if it is left out
    MINUTES=10             up to 60: what the figures are about
It asks with your credentials of AWS, which need execute-api:Invoke on the stack's HTTP API, prints a line for each tenant's CRM, and fails if a gate is closed.`

// Errors of Health.
var (
	errGateClosed = errors.New("a gate is closed: deliveries are parked until what its line says is mended")
	errNoHealth   = errors.New("the stack tells nothing of its connectors: deploy this release first, or check CRM")
)

// healthTime is how long one request may take: as long as API Gateway's longest integration.
const healthTime = 30 * time.Second

// crmHealth is what the stack answers about a kind of CRM, as far as it is printed. The page shared/docs/health.md describes it.
type crmHealth struct {
	CRM         string
	From, Until time.Time
	Queues      []struct {
		Name              string
		Waiting, InFlight int
	}
	Versions []struct {
		Function, Version string
		Processes         int
	}
	Bindings []struct {
		Tenant, CRM string
		Calls, Lag  struct {
			Count      int64
			P95Seconds float64
		}
		Errors        map[string]float64
		Gate, History *gateHealth
		Budget        *budgetHealth
	}
}

// gateHealth is how a closed gate stands.
type gateHealth struct {
	Code, Tier, Advice string
	Since, Probe       time.Time
	Parked             int64
	Delivered          int
	Job                *struct {
		State                   string
		Rows, Processed, Failed int
	}
}

// blocked reports whether a fault keeps it closed.
func (g *gateHealth) blocked() bool { return g != nil && g.Code != "" }

// cells returns how a gate stands, how many are parked behind it, and what mends it.
func (g *gateHealth) cells() (stands, parked, mend string) {
	switch {
	case g == nil:
		return "open", "", ""
	case g.Code != "":
		stands, mend = "closed since "+g.Since.UTC().Format("2006-01-02 15:04 UTC"), strings.TrimSuffix(g.Code+": "+g.Advice, ": ")
	case g.Tier == "bulk":
		stands = fmt.Sprintf("bulk, %d delivered", g.Delivered)
		if j := g.Job; j != nil {
			stands += fmt.Sprintf("; job %s, %d of %d records, %d failed", j.State, j.Processed, j.Rows, j.Failed)
		}
	default:
		stands = g.Tier + ", next at " + g.Probe.UTC().Format("15:04 UTC")
	}
	return stands, fmt.Sprint(g.Parked), mend
}

// budgetHealth is how the requests of a day stand.
type budgetHealth struct {
	Limit, Used, ByUs int64
	RunsOut           time.Time
	State             string
}

// says returns it in words, behind a semicolon; "" of one without a limit.
func (b *budgetHealth) says() string {
	if b == nil {
		return ""
	}
	said := fmt.Sprintf("; requests of the day %s: %d of %d, %d by us", b.State, b.Used, b.Limit, b.ByUs)
	if !b.RunsOut.IsZero() {
		said += ", all at " + b.RunsOut.UTC().Format("15:04 UTC")
	}
	return said
}

// Health asks a stack how its connectors to kinds of CRM are, and writes it to out. An error says that a gate is closed.
func Health(ctx context.Context, out io.Writer, lookup func(string) string, kinds []string, at Stack) error {
	if kind := lookup("CRM"); kind != "" {
		kinds = []string{kind}
	}
	outputs, err := at.Outputs(ctx)
	if err != nil {
		return err
	}
	target := samples.At(lookup("ENDPOINT"), outputs["GatewayUrl"], "")
	told, closed := false, false
	for _, kind := range kinds {
		h, found, err := askHealth(ctx, target, kind, lookup("MINUTES"), at.Sign)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		if err := h.write(out); err != nil {
			return err
		}
		told = true
		for _, b := range h.Bindings {
			closed = closed || b.Gate.blocked() || b.History.blocked()
		}
	}
	switch {
	case !told:
		return errNoHealth
	case closed:
		return errGateClosed
	}
	return nil
}

// askHealth asks about a kind of CRM. Found is false if the stack has none of that kind.
func askHealth(ctx context.Context, at samples.Target, kind, minutes string, sign func(context.Context, *http.Request) error) (h crmHealth, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	address := at.Gateway + "/v1/connectors/" + url.PathEscape(kind) + "/health"
	if minutes != "" {
		address += "?minutes=" + url.QueryEscape(minutes)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return h, false, err
	}
	request.Host = cmp.Or(at.Host, request.Host)
	if err := sign(ctx, request); err != nil {
		return h, false, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return h, false, fmt.Errorf("the gateway %s gave no answer: %w", at.Gateway, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return h, false, fmt.Errorf("the gateway %s: %w", at.Gateway, err)
	}
	switch response.StatusCode {
	case http.StatusOK:
		if err := json.Unmarshal(body, &h); err != nil {
			return h, false, fmt.Errorf("%s: the answer is not as it should be: %w", kind, err)
		}
		return h, true, nil
	case http.StatusNotFound:
		return h, false, nil
	case http.StatusForbidden:
		return h, false, errors.New("the gateway refused: who asks needs execute-api:Invoke on the stack's HTTP API; check AWS_PROFILE, and the clock of this machine")
	default:
		var told struct{ Message string }
		_ = json.Unmarshal(body, &told)
		return h, false, fmt.Errorf("%s: %d %s", kind, response.StatusCode, told.Message)
	}
}

// write writes a table of the bindings, what waits above it, and what to mend below.
func (h crmHealth) write(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(cells ...string) { _, _ = fmt.Fprintln(t, strings.Join(cells, "\t")) } // Flush tells
	heading := []string{h.CRM + ", " + h.Until.Sub(h.From).String() + " until " + h.Until.UTC().Format("15:04 UTC")}
	for _, q := range h.Queues {
		heading = append(heading, fmt.Sprintf("%s %d waiting, %d in flight", q.Name, q.Waiting, q.InFlight))
	}
	for _, v := range h.Versions {
		heading = append(heading, fmt.Sprintf("%s version %s in %d", v.Function, v.Version, v.Processes))
	}
	line(strings.Join(heading, "; "))
	line("tenant", "crm", "gate", "calls", "p95", "errors", "lag p95", "parked", "what to mend")
	for _, b := range h.Bindings {
		var failed []string
		for _, class := range slices.Sorted(maps.Keys(b.Errors)) {
			failed = append(failed, fmt.Sprintf("%s %.1f%%", class, 100*b.Errors[class]))
		}
		gate, parked, mend := b.Gate.cells()
		line(b.Tenant, b.CRM, gate, fmt.Sprint(b.Calls.Count), seconds(b.Calls.Count, b.Calls.P95Seconds), strings.Join(failed, ", "), seconds(b.Lag.Count, b.Lag.P95Seconds), parked, strings.TrimPrefix(mend+b.Budget.says(), "; "))
		if b.History != nil {
			gate, parked, mend = b.History.cells()
			line(b.Tenant, b.CRM+" history", gate, "", "", "", "", parked, mend)
		}
	}
	if len(h.Bindings) == 0 {
		line("nothing is told of any tenant's: a minute is told once it is over and something more has come")
	}
	line("")
	return t.Flush()
}

// seconds returns a duration of so many, "" of none.
func seconds(n int64, s float64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f s", s)
}
