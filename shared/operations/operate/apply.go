package operate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"signalbox/shared/tenant"
	"signalbox/shared/tenant/tenantfile"
)

// ApplyUsage says how a tenant's file is applied.
const ApplyUsage = `make apply STACK=<stack> | ENDPOINT=http://127.0.0.1:4566   (a deployed stack, or a running make run)
    TENANT=<file>          the file of a tenant, or of an account that several have lines of, for example TENANT=acme.yaml
    ACTION=apply           plan: only print what would change`

// maxRequest is the largest request of a function that is waited for.
const maxRequest = 6 << 20

// Apply plans or applies the file of a tenant or an account and writes to out what changes, a line each. An error says what is wrong with
// the file, and where, or that the function failed.
func Apply(ctx context.Context, out io.Writer, action, path string, invoke Invoke) error {
	if action != "plan" && action != "apply" {
		return &UsageError{"ACTION is plan or apply", ApplyUsage}
	}
	file, event, err := applyRequest(action, path)
	if err != nil {
		return err
	}
	body, err := invoke(ctx, "apply-tenant", event)
	if err != nil {
		return err
	}
	var answer struct {
		Version  *int             `json:"version"`
		Changes  []tenant.Change  `json:"changes"`
		Problems []tenant.Problem `json:"problems"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("apply-tenant returned no JSON: %w", err)
	}
	if len(answer.Problems) > 0 {
		lines := make([]string, len(answer.Problems))
		for i, p := range answer.Problems {
			lines[i] = file.Locate(p)
		}
		return fmt.Errorf("%s\n%w", strings.Join(lines, "\n"), errRefused)
	}
	if answer.Version == nil {
		return errors.New("apply-tenant returned neither a version nor problems: is the stack of this release?")
	}
	return writeChanges(out, path, action, *answer.Version, answer.Changes)
}

// writeChanges writes what changes, as a person reads it: what is not told of a value is that it is another one.
func writeChanges(out io.Writer, path, action string, version int, changes []tenant.Change) error {
	var b strings.Builder
	switch {
	case len(changes) == 0:
		fmt.Fprintf(&b, "%s: nothing changes, version %d is in force\n", path, version)
	case action == "plan":
		fmt.Fprintf(&b, "%s: version %d would come into force, changes: %d\n", path, version, len(changes))
	default:
		fmt.Fprintf(&b, "%s: version %d is in force, changes: %d\n", path, version, len(changes))
	}
	for _, c := range changes {
		fmt.Fprintln(&b, sign(c.Kind), c.Path+described(c))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func sign(kind string) string {
	switch kind {
	case "added":
		return "+"
	case "removed":
		return "-"
	default:
		return "~"
	}
}

func described(c tenant.Change) string {
	switch {
	case c.Before == "" && c.After == "":
		return ": " + c.Kind
	case c.Kind == "changed":
		return ": " + printable(c.Before) + " -> " + printable(c.After)
	default:
		return ": " + printable(c.Before+c.After)
	}
}

// printable keeps what a terminal would obey from it.
func printable(value string) string {
	if strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(value)
	}
	return value
}

// applyRequest reads the file into a request. No error quotes the file, which holds credentials.
func applyRequest(action, path string) (*tenantfile.File, []byte, error) {
	if path == "" {
		return nil, nil, &UsageError{"TENANT is not set: name the file of a tenant or of an account", ApplyUsage}
	}
	file, err := tenantfile.Read(path)
	if err != nil {
		return nil, nil, err
	}
	event, err := json.Marshal(struct {
		Action string          `json:"action"`
		File   json.RawMessage `json:"file"`
	}{action, file.JSON})
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(event) > maxRequest {
		return nil, nil, fmt.Errorf("%s has more than 6 MiB, which a function does not take", path)
	}
	return file, event, nil
}
