// Command scaffold is what make channel and make crm run: it writes the folder of the plug-in that NAME names.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/scaffold"
)

func main() {
	if err := write(strings.Join(os.Args[1:], " "), os.Getenv("NAME")); err != nil {
		fmt.Fprintln(os.Stderr, "scaffold:", err)
		os.Exit(1)
	}
}

func write(kind, name string) error {
	root, err := local.Root()
	if err != nil {
		return err
	}
	folder, err := scaffold.Write(root, kind, name)
	if err != nil {
		return err
	}
	if folder, err = filepath.Rel(root, folder); err != nil {
		return err
	}
	fmt.Printf("%s is there, and its name in template.yaml. What is to be written: go test ./%s\n", folder, filepath.ToSlash(folder))
	fmt.Println("Once it is written, what the tree keeps of it, to be read: SAM_PYTHON=.bin/venv/bin/python go test ./shared/architecture ./shared/dev/samlocal -run 'RightsAre|HasAnEvent|Environments' -update")
	return nil
}
