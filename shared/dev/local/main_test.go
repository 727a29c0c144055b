package local_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	"signalbox/shared/dev/local"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if !testing.Short() {
		if err := build(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// build builds the functions once for all tests.
func build() error {
	root, err := local.Root()
	if err != nil {
		return err
	}
	return local.Build(context.Background(), root, os.Stderr)
}
