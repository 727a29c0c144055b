package operate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"signalbox/shared/connect"
)

// ConnectUsage says what can be asked for.
const ConnectUsage = `make connect STACK=<stack> | ENDPOINT=http://127.0.0.1:4566   (a deployed stack, or a running make run)
    TENANT=<id>            whose CRMs, by the id in the tenant's file; apply the file first
    CRM=<name>             of the file's crms; all of them if it is left out
    ACTION=connect         check: only look, install nothing
    JSON=1                 print the reports as JSON
It installs what it may and prints how everything stands, with the click or command that mends what is missing. It may be given again at any time.`

// Errors of Connect.
var (
	errLacks     = errors.New("something is missing or refused: deliveries that need it wait; the lines above say what mends it")
	errUnbound   = errors.New("the tenant has no CRM of a kind that the stack connects")
	errNoConnect = errors.New("the stack has no function that connects: deploy this release first")
)

// Connect connects the CRMs of a tenant, or looks at them, and writes a report of each to out. Kinds are those whose functions the stack may have.
// An error says that something is missing or refused.
func Connect(ctx context.Context, out io.Writer, lookup func(string) string, kinds []string, invoke Invoke) error {
	r, err := connectRequest(lookup)
	if err != nil {
		return &UsageError{err.Error(), ConnectUsage}
	}
	var reports []connect.Report
	asked := false
	for _, kind := range kinds {
		found, err := connectKind(ctx, kind, r, invoke)
		if errors.Is(err, ErrNoFunction) {
			continue
		}
		if err != nil {
			return err
		}
		asked, reports = true, append(reports, found...)
	}
	switch {
	case !asked:
		return errNoConnect
	case len(reports) == 0:
		return errUnbound
	}
	if err := writeReports(out, reports, lookup("JSON") != ""); err != nil {
		return err
	}
	if slices.ContainsFunc(reports, connect.Report.Lacks) {
		return errLacks
	}
	return nil
}

func connectRequest(lookup func(string) string) (connect.Request, error) {
	r := connect.Request{Action: cmp.Or(lookup("ACTION"), connect.Connect), Tenant: lookup("TENANT"), CRM: lookup("CRM")}
	switch {
	case r.Action != connect.Connect && r.Action != connect.Check:
		return r, errors.New("ACTION is connect or check")
	case r.Tenant == "":
		return r, errors.New("TENANT is not set: say whose, by the tenant's id")
	case strings.ContainsAny(r.Tenant, "/."):
		return r, errors.New("TENANT is the tenant's id, not its file")
	}
	return r, nil
}

// maxAsked is how often a CRM that is not done is asked for: each time takes most of an invocation.
const maxAsked = 30

// connectKind asks the function of a kind, again for each CRM that is not done.
func connectKind(ctx context.Context, kind string, r connect.Request, invoke Invoke) ([]connect.Report, error) {
	first, err := askDrain(ctx, kind, r, invoke)
	for i, report := range first.Reports {
		for asked := 1; err == nil && report.After != ""; asked++ {
			if asked == maxAsked {
				return nil, fmt.Errorf("%s: %s does not get done: give the command again later", kind, report.CRM)
			}
			again := r
			again.CRM, again.After = report.CRM, report.After
			var next connect.Result
			if next, err = askDrain(ctx, kind, again, invoke); err == nil && len(next.Reports) != 1 {
				err = fmt.Errorf("%s-drain does not answer as it should", kind)
			}
			if err == nil {
				report = next.Reports[0]
			}
		}
		first.Reports[i] = report
	}
	return first.Reports, err
}

// askDrain invokes the function that drains and connects a kind of CRM.
func askDrain(ctx context.Context, kind string, r connect.Request, invoke Invoke) (answer connect.Result, err error) {
	event, err := json.Marshal(r)
	if err != nil {
		return answer, err
	}
	function := kind + "-drain"
	body, err := invoke(ctx, function, event)
	if err != nil {
		return answer, fmt.Errorf("%s: %w", function, err)
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return answer, fmt.Errorf("%s does not answer as it should: %w", function, err)
	}
	if len(answer.Problems) > 0 {
		return answer, fmt.Errorf("%s: %s", function, strings.Join(answer.Problems, "; "))
	}
	return answer, nil
}

func writeReports(out io.Writer, reports []connect.Report, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(connect.Result{Reports: reports})
	}
	for _, report := range reports {
		if err := report.Write(out); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%s: %s\n", report.CRM, report.Count()); err != nil {
			return err
		}
	}
	return nil
}
