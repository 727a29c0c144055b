package local

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"signalbox/shared/dev/samples"
	"signalbox/shared/operations/operate"
)

// applyFunction is what applies tenant files, here as on AWS.
const applyFunction = "ApplyTenant"

// applyTenant applies the demo tenant by a direct invocation, with its CRMs bound to the simulators.
func (c *Cloud) applyTenant(ctx context.Context) error {
	path := strings.TrimSuffix(c.LogPath, ".log") + "-tenant.json"
	err := ApplyDemo(ctx, io.Discard, c.options.Root, path, c.bindings, func(ctx context.Context, _ string, event []byte) ([]byte, error) {
		answer, failed, err := c.Invoke(ctx, applyFunction, event)
		if err == nil && failed != "" {
			err = fmt.Errorf("the function failed: %s", answer)
		}
		return answer, err
	})
	if err != nil {
		return fmt.Errorf("local: the demo tenant was not applied; the log is %s: %w", c.LogPath, err)
	}
	return nil
}

// ApplyDemo applies the demo tenant with its CRMs at base URLs by kind, as make apply does, from a file that it writes.
func ApplyDemo(
	ctx context.Context, out io.Writer, root, path string, bases map[string]string, invoke operate.Invoke, changes ...func(file map[string]any),
) error {
	file, err := boundTenant(root, bases)
	if err != nil {
		return err
	}
	for _, change := range changes {
		change(file)
	}
	data, err := json.Marshal(file)
	if err != nil {
		return fmt.Errorf("local: %w", err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("local: %w", err)
	}
	return operate.Apply(ctx, out, "apply", path, invoke)
}

// Tenant returns the demo tenant's file with the simulators as its CRMs.
func (c *Cloud) Tenant() (map[string]any, error) { return boundTenant(c.options.Root, c.bindings) }

// boundTenant returns the demo tenant's file with its CRMs at base URLs by kind.
func boundTenant(root string, bases map[string]string) (map[string]any, error) {
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
		settings, _ := crm["settings"].(map[string]any)
		for name, value := range settings { // where a CRM's tokens are given is the simulator, too
			if value == crm["baseUrl"] {
				settings[name] = base
			}
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

// Unbind takes the CRMs of a tenant's file away whose names keep reports not to be wanted, who the tenant's people are in them, and what rules
// ask of them by name.
func Unbind(file map[string]any, keep func(name string) bool) {
	tenant, _ := file["tenant"].(map[string]any)
	var kept []any
	for _, crm := range bound(file) {
		if name, _ := crm["name"].(string); keep(name) {
			kept = append(kept, crm)
		}
	}
	tenant["crms"] = kept
	leads, _ := tenant["leads"].(map[string]any)
	for _, seller := range objects(leads["people"]) {
		users, _ := seller["users"].(map[string]any)
		maps.DeleteFunc(users, func(name string, _ any) bool { return !keep(name) })
	}
	rules, _ := tenant["rules"].(map[string]any)
	for _, rule := range objects(rules["rules"]) {
		then, _ := rule["then"].([]any)
		rule["then"] = slices.DeleteFunc(then, func(one any) bool {
			action, _ := one.(map[string]any)
			name, _ := action["crm"].(string)
			return name != "*" && !keep(name)
		})
	}
}

// bound returns the CRMs that a tenant's file binds.
func bound(file map[string]any) []map[string]any {
	tenant, _ := file["tenant"].(map[string]any)
	return objects(tenant["crms"])
}

// objects returns the objects of a list.
func objects(list any) []map[string]any {
	all, _ := list.([]any)
	found := make([]map[string]any, 0, len(all))
	for _, one := range all {
		if object, ok := one.(map[string]any); ok {
			found = append(found, object)
		}
	}
	return found
}
