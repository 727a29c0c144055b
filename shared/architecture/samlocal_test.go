package architecture

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	model "signalbox/shared/dev/local/template"

	"github.com/google/go-cmp/cmp"
)

// TestEveryFunctionIsSeenBySamLocal asks SAM's own code: a function, a route or a variable that it does not see does not exist for
// who runs sam local, and a variable that the template does not declare is dropped from an environment file.
func TestEveryFunctionIsSeenBySamLocal(t *testing.T) {
	python := os.Getenv(pythonVariable)
	if python == "" {
		t.Skip("needs the SAM CLI: run make validate")
	}
	path := filepath.Join(root(t), "template.yaml")
	command := exec.CommandContext(t.Context(), python, "sam_local.py", path)
	command.Stderr = t.Output()
	answer, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var seen struct {
		Functions map[string]struct {
			Code, Handler, Runtime string
			Variables              []string
		}
		Routes map[string]string
	}
	if err := json.Unmarshal(answer, &seen); err != nil {
		t.Fatal(err)
	}
	here, err := model.Read(path, map[string]string{"EndpointUrl": "http://127.0.0.1:4566"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	routes := map[string]string{}
	for _, f := range here.Functions {
		is := seen.Functions[f.LogicalID]
		if !strings.HasSuffix(strings.TrimSuffix(is.Code, "/"), f.Folder) || is.Handler != "bootstrap" || is.Runtime != "provided.al2023" {
			t.Errorf("SAM sees %s as %+v", f.LogicalID, is)
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(f.Environment)), is.Variables); diff != "" {
			t.Errorf("%s: variables (-template +SAM): %s", f.LogicalID, diff)
		}
		if !slices.Contains(is.Variables, "AWS_ENDPOINT_URL") {
			t.Errorf("%s: an environment file cannot set AWS_ENDPOINT_URL", f.LogicalID)
		}
		for _, route := range f.Routes {
			methods := []string{route.Method}
			if route.Method == "ANY" { // for which SAM has a route a method
				methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
			}
			for _, method := range methods {
				routes[method+" "+route.Path] = f.LogicalID
			}
		}
	}
	if len(seen.Functions) != len(here.Functions) || len(routes) == 0 {
		t.Errorf("SAM sees %d functions, the template has %d and %d routes", len(seen.Functions), len(here.Functions), len(routes))
	}
	if diff := cmp.Diff(routes, seen.Routes); diff != "" {
		t.Errorf("routes (-template +SAM): %s", diff)
	}
}
