package local

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"signalbox/shared/dev/local/cloud"
	"signalbox/shared/dev/samples"
)

// applyFunction is what applies tenant files, here as on AWS.
const applyFunction = "ApplyTenant"

// applyTenant applies the demo tenant by a direct invocation, with its CRMs bound to the simulators.
func (c *Cloud) applyTenant(ctx context.Context) error {
	file, err := c.Tenant()
	if err != nil {
		return err
	}
	event, err := json.Marshal(map[string]any{"action": "apply", "file": file})
	if err != nil {
		return fmt.Errorf("local: %w", err)
	}
	url := c.AWS + cloud.InvokePath(applyFunction)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(event))
	if err != nil {
		return fmt.Errorf("local: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("local: apply the demo tenant: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("local: apply the demo tenant: %w", err)
	}
	var answer struct {
		Version  int               `json:"version"`
		Problems []json.RawMessage `json:"problems"`
	}
	if response.StatusCode != http.StatusOK || response.Header.Get("X-Amz-Function-Error") != "" ||
		json.Unmarshal(body, &answer) != nil || len(answer.Problems) > 0 || answer.Version == 0 {
		return fmt.Errorf("local: the demo tenant was not applied: status %d: %s; the log is %s", response.StatusCode, body, c.LogPath)
	}
	return nil
}

// Tenant returns the demo tenant's file with the simulators as its CRMs.
func (c *Cloud) Tenant() (map[string]any, error) { return BoundTenant(c.options.Root, c.bindings) }

// BoundTenant returns the demo tenant's file with its CRMs at base URLs by kind.
func BoundTenant(root string, bases map[string]string) (map[string]any, error) {
	file, err := readDemoTenant(root)
	if err != nil {
		return nil, err
	}
	for _, crm := range bound(file) {
		kind, _ := crm["kind"].(string)
		base, found := bases[kind]
		if !found {
			return nil, fmt.Errorf("local: %s is bound to the CRM %q, for which there is no simulator", samples.DemoTenant, kind)
		}
		crm["baseUrl"] = base
	}
	return file, nil
}

func readDemoTenant(root string) (file map[string]any, err error) {
	data, err := os.ReadFile(filepath.Join(root, samples.DemoTenant)) //nolint:gosec // the repository's own
	if err != nil {
		return nil, fmt.Errorf("local: %w", err)
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("local: %s: %w", samples.DemoTenant, err)
	}
	return file, nil
}

// bound returns the CRMs that a tenant's file binds.
func bound(file map[string]any) []map[string]any {
	tenant, _ := file["tenant"].(map[string]any)
	list, _ := tenant["crms"].([]any)
	crms := make([]map[string]any, 0, len(list))
	for _, one := range list {
		if crm, ok := one.(map[string]any); ok {
			crms = append(crms, crm)
		}
	}
	return crms
}
