package operate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"signalbox/shared/tenant"
)

// ApplyUsage says how a tenant file is applied.
const ApplyUsage = `make apply STACK=<stack> | ENDPOINT=http://127.0.0.1:4566   (a deployed stack, or a running make run)
    TENANT=<file>          the tenant file, for example TENANT=acme.json
    ACTION=apply           plan: only print what would change`

// maxRequest is the largest request of a function that is waited for.
const maxRequest = 6 << 20

// Apply plans or applies a tenant file and writes what the function answers to out, as JSON. An error says what is wrong with
// the file, or that the function failed.
func Apply(ctx context.Context, out io.Writer, action, path string, invoke Invoke) error {
	if action != "plan" && action != "apply" {
		return &UsageError{"ACTION is plan or apply", ApplyUsage}
	}
	event, err := applyRequest(action, path)
	if err != nil {
		return err
	}
	body, err := invoke(ctx, "apply-tenant", event)
	if err != nil {
		return err
	}
	var answer struct {
		Version  *int             `json:"version"`
		Problems []tenant.Problem `json:"problems"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("apply-tenant returned no JSON: %w", err)
	}
	if _, err := fmt.Fprintf(out, "%s\n", bytes.TrimSpace(body)); err != nil {
		return err
	}
	if len(answer.Problems) > 0 {
		lines := make([]string, len(answer.Problems))
		for i, p := range answer.Problems {
			lines[i] = fmt.Sprintf("%s: %s %s", path, p.Path, p.Reason)
		}
		return fmt.Errorf("%s\n%w", strings.Join(lines, "\n"), errRefused)
	}
	if answer.Version == nil {
		return errors.New("apply-tenant returned neither a version nor problems: is the stack of this release?")
	}
	return nil
}

// applyRequest reads the file into a request. No error quotes the file, which holds credentials.
func applyRequest(action, path string) ([]byte, error) {
	if path == "" {
		return nil, &UsageError{"TENANT is not set: name the tenant file", ApplyUsage}
	}
	file, err := os.ReadFile(path) //nolint:gosec // the operator's own file
	if err != nil {
		return nil, fmt.Errorf("the tenant file cannot be read: %w", err)
	}
	if err := checkJSON(file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	event, err := json.Marshal(struct {
		Action string          `json:"action"`
		File   json.RawMessage `json:"file"`
	}{action, file})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(event) > maxRequest {
		return nil, fmt.Errorf("%s has more than 6 MiB, which a function does not take", path)
	}
	return event, nil
}

// checkJSON reports where a file stops being JSON.
func checkJSON(file []byte) error {
	if bytes.HasPrefix(file, []byte("\ufeff")) {
		return errors.New("begins with a byte order mark; save it as UTF-8 without one")
	}
	var value json.RawMessage
	err := json.Unmarshal(file, &value)
	if broken, ok := errors.AsType[*json.SyntaxError](err); ok {
		at := file[:min(int(broken.Offset), len(file))]
		line := bytes.Count(at, []byte("\n")) + 1
		column := len(at) - bytes.LastIndexByte(at, '\n') - 1
		return fmt.Errorf("line %d, column %d: this is not JSON: %s", line, max(column, 1), syntaxReason(broken))
	}
	return err
}

// syntaxReason is the decoder's reason without the character it met, which may be of a secret.
func syntaxReason(err *json.SyntaxError) string {
	reason := err.Error()
	_, after, found := strings.Cut(reason, "' ")
	switch {
	case after == "exceeded max depth":
		return "nested too deep"
	case found:
		return "a character " + after
	}
	return reason
}
