// Command map-test prints what each CRM of a tenant's file would be sent for an event, without a network: make map-test.
package main

import (
	"context"
	"fmt"
	"os"

	"signalbox/shared/dev/maptest"
)

func main() {
	if err := maptest.Run(context.Background(), os.Stdout, os.Getenv("EVENT"), os.Getenv("TENANT"), os.Getenv("CRM")); err != nil {
		fmt.Fprintln(os.Stderr, "map-test:", err)
		os.Exit(1)
	}
}
