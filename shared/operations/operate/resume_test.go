package operate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"signalbox/shared/connect"
)

func TestResumeDrainsForAsLongAsItGetsOn(t *testing.T) {
	gate := func(delivered int, parked int64) connect.Gate {
		g := connect.Gate{Tenant: "acme", CRM: "main", Delivered: delivered, Parked: parked, Closed: parked > 0}
		if g.Closed {
			g.Since, g.Code, g.Advice = time.Unix(0, 0).UTC(), "kind_scopes", "give it the scope"
		}
		return g
	}
	second := func(delivered int, parked int64) connect.Gate {
		g := gate(delivered, parked)
		g.CRM = "second"
		return g
	}
	of := func(gates ...connect.Gate) connect.Result { return connect.Result{Gates: gates} }
	for sentence, c := range map[string]struct {
		variables string
		answers   []connect.Result
		printed   string
		problem   string
	}{
		"nothing waits":          {"TENANT=acme", []connect.Result{of()}, "nothing is parked\n", ""},
		"all of it gets through": {"TENANT=acme CRM=main", []connect.Result{of(gate(200, 100)), of(gate(300, 0))}, "acme main: open, 300 delivered\n", ""},
		"one CRM's gate opens before another's": {
			"TENANT=acme",
			[]connect.Result{of(gate(300, 0), second(100, 200)), of(second(200, 100)), of(second(300, 0))},
			"acme second: open, 300 delivered\n", "",
		},
		"what is left is given up":   {"TENANT=acme", []connect.Result{of(gate(200, 100)), of(gate(200, 50)), of(gate(200, 0))}, "acme main: open, 200 delivered\n", ""},
		"the CRM takes nothing":      {"TENANT=acme", []connect.Result{of(gate(0, 300))}, "closed since 1970-01-01T00:00:00Z by kind_scopes, 300 parked\n  give it the scope\n", "deliveries are parked"},
		"it stops on the way":        {"TENANT=acme", []connect.Result{of(gate(200, 100)), of(gate(200, 100))}, "100 parked, 200 delivered\n  give it the scope\n", "deliveries are parked"},
		"another process is at it":   {"TENANT=acme", []connect.Result{of(connect.Gate{Tenant: "acme", CRM: "main", Closed: true, Busy: true})}, "being drained\n", "deliveries are parked"},
		"the request is refused":     {"TENANT=acme", []connect.Result{connect.Refuse("no")}, "", "one-drain: no"},
		"whose is not said":          {"CRM=main", nil, "", "TENANT is not set"},
		"a file stands for a tenant": {"TENANT=acme.yaml", nil, "", "not its file"},
	} {
		var out bytes.Buffer
		variables := map[string]string{}
		for pair := range strings.FieldsSeq(c.variables) {
			name, value, _ := strings.Cut(pair, "=")
			variables[name] = value
		}
		answers := c.answers
		err := Resume(t.Context(), &out, func(name string) string { return variables[name] }, []string{"one", "two"}, func(_ context.Context, function string, _ []byte) ([]byte, error) {
			if function != "one-drain" {
				return nil, fmt.Errorf("%w %s", ErrNoFunction, function)
			}
			if len(answers) == 0 {
				return nil, errors.New("asked once too often")
			}
			body, err := json.Marshal(answers[0])
			answers = answers[1:]
			return body, err
		})
		if len(answers) > 0 {
			t.Errorf("%s: not asked %d times more", sentence, len(answers))
		}
		if !strings.HasSuffix(out.String(), c.printed) || fmt.Sprint(err) != "<nil>" && (c.problem == "" || !strings.Contains(err.Error(), c.problem)) || err == nil && c.problem != "" {
			t.Errorf("%s: %q, %v", sentence, out.String(), err)
		}
	}
}

func TestResumeDrainsTheOtherKindsWhenOneFails(t *testing.T) {
	var out bytes.Buffer
	variables := map[string]string{"TENANT": "acme"}
	err := Resume(t.Context(), &out, func(name string) string { return variables[name] }, []string{"one", "two"}, func(_ context.Context, function string, _ []byte) ([]byte, error) {
		if function == "one-drain" {
			return nil, errors.New("it panicked")
		}
		return json.Marshal(connect.Result{Gates: []connect.Gate{{Tenant: "acme", CRM: "second", Delivered: 3}}})
	})
	if err == nil || !strings.Contains(err.Error(), "it panicked") || out.String() != "acme second: open, 3 delivered\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}
