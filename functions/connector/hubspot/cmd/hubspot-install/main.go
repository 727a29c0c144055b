// Command hubspot-install installs the properties of package/ in each HubSpot portal of a tenant file: run it with the file's name
// before the tenant is applied, or again. The token needs the scope crm.schemas.contacts.write for it, and only for it.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"signalbox/functions/connector/hubspot"
	"signalbox/shared/tenant/tenantfile"
)

func main() {
	if err := install(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "hubspot-install:", err)
		os.Exit(1)
	}
}

func install(arguments []string) error {
	if len(arguments) != 1 {
		return errors.New("name one tenant file, for example acme.yaml")
	}
	file, err := tenantfile.Read(arguments[0])
	if err != nil {
		return err
	}
	return hubspot.Install(context.Background(), os.Stdout, &http.Client{Timeout: 30 * time.Second}, file.JSON)
}
