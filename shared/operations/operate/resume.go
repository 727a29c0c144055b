package operate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"signalbox/shared/connect"
)

// ResumeUsage says what can be asked for.
const ResumeUsage = `make resume STACK=<stack> | ENDPOINT=http://127.0.0.1:4566   (a deployed stack, or a running make run)
    TENANT=<id>            whose CRMs, by the id in the tenant's file
    CRM=<name>             of the file's crms; all of them if it is left out
It delivers now what is parked, once what kept it waiting is mended, and prints how the gates stand. It may be given again at any time.`

// errClosed is the error of Resume while something is parked.
var errClosed = errors.New("deliveries are parked: the lines above say what mends it; once it is mended give the command again, or wait for the next try")

// Resume has what is parked for the CRMs of a tenant delivered, and writes to out how each of their gates stands that was closed. Kinds are those whose
// functions the stack may have. An error says that a gate is closed.
func Resume(ctx context.Context, out io.Writer, lookup func(string) string, kinds []string, invoke Invoke) error {
	r := connect.Request{Action: connect.Drain, Tenant: lookup("TENANT"), CRM: lookup("CRM")}
	switch {
	case r.Tenant == "":
		return &UsageError{"TENANT is not set: say whose, by the tenant's id", ResumeUsage}
	case strings.ContainsAny(r.Tenant, "/."):
		return &UsageError{"TENANT is the tenant's id, not its file", ResumeUsage}
	}
	var gates []connect.Gate
	var failed error // the first
	asked := false
	for _, kind := range kinds {
		found, err := drainKind(ctx, out, kind, r, invoke)
		if errors.Is(err, ErrNoFunction) {
			continue
		}
		if err != nil { // the others' gates are drained all the same
			failed = cmp.Or(failed, err)
			continue
		}
		asked, gates = true, append(gates, found...)
	}
	switch {
	case failed != nil:
		return failed
	case !asked:
		return errNoConnect
	case len(gates) == 0:
		_, err := fmt.Fprintln(out, "nothing is parked")
		return err
	case slices.ContainsFunc(gates, func(g connect.Gate) bool { return g.Closed && (g.Tier == "" || g.Code != "" || g.Parked > 0) }):
		return errClosed
	}
	return nil
}

// drainKind asks the function of a kind for as long as it gets on with a gate that is closed, and writes how the gates stand.
func drainKind(ctx context.Context, out io.Writer, kind string, r connect.Request, invoke Invoke) ([]connect.Gate, error) {
	for before := map[string]connect.Gate{}; ; {
		answer, err := askDrain(ctx, kind, r, invoke)
		if err != nil {
			return nil, err
		}
		more := false
		for _, g := range answer.Gates {
			if _, err := io.WriteString(out, gateLine(g)); err != nil {
				return nil, err
			}
			was, known := before[g.CRM]
			more = more || g.Closed && (g.Delivered > was.Delivered || known && g.Parked < was.Parked)
			before[g.CRM] = g
		}
		if !more {
			return answer.Gates, nil
		}
	}
}

// gateLine returns how a gate stands, in a line, and in another what mends it.
func gateLine(g connect.Gate) string {
	of := g.Tenant + " " + g.CRM + ": "
	if !g.Closed {
		return fmt.Sprintf("%sopen, %d delivered\n", of, g.Delivered)
	}
	line := fmt.Sprintf("%sclosed since %s by %s, %d parked", of, g.Since.Format(time.RFC3339), g.Code, g.Parked)
	if g.Code == "" && g.Tier != "" {
		line = fmt.Sprintf("%s%s, %d parked", of, g.Tier, g.Parked)
	}
	if g.Delivered > 0 {
		line += fmt.Sprintf(", %d delivered", g.Delivered)
	}
	switch {
	case g.Busy:
		line += ", being drained"
	case !g.Probe.IsZero():
		line += ", tried again at " + g.Probe.Format(time.RFC3339)
	}
	if g.Advice != "" {
		line += "\n  " + g.Advice
	}
	return line + "\n"
}
