package hubspot_test

import (
	"bytes"
	"net/http"
	"os"
	"strings"
	"testing"

	"signalbox/functions/connector/hubspot"
	"signalbox/functions/connector/hubspot/simulator"
	"signalbox/shared/secret"
)

func TestInstallingFromATenantFile(t *testing.T) {
	demo, err := os.ReadFile("../../../events/tenants/demo.json")
	if err != nil {
		t.Fatal(err)
	}
	const token = "local-use-only-hubspot-token"
	for name, c := range map[string]struct {
		file  string
		token string // what the portal lets in
		want  string // the output, or the beginning of the error
	}{
		"the demo tenant's portal": {string(demo), token, "demo: hubspot, a CRM of the kind hubspot, by version 0 of the file\n  ok         portal "},
		"a token that is refused":  {string(demo), "another", "demo: hubspot, a CRM of the kind hubspot, by version 0 of the file\n  refused    portal  hubspot_unauthenticated"},
		"no portal at all":         {strings.ReplaceAll(string(demo), `"kind": "hubspot"`, `"kind": "other"`), token, "the file has no CRM of the kind hubspot"},
		"what is no tenant file":   {`{`, token, "the tenant file is refused;"},
	} {
		t.Run(name, func(t *testing.T) {
			portal := simulator.New(simulator.Options{Token: secret.Value(c.token), Bare: true})
			client := &http.Client{Transport: simulator.Transport(portal)}
			for range 2 { // what is there stays
				var out bytes.Buffer
				err := hubspot.Install(t.Context(), &out, client, []byte(c.file))
				if err != nil {
					out.WriteString(err.Error())
				}
				if got := out.String(); !strings.HasPrefix(got, c.want) || (err == nil) != (name == "the demo tenant's portal") {
					t.Errorf("got %q, want %q", got, c.want)
				}
			}
		})
	}
}
