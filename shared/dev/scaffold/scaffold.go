// Package scaffold writes the folder of a new plug-in, and its name into the list of its kind in template.yaml. What is written builds; its
// conformance test fails, and says of each place what is to be written there.
package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"go/format"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
)

//go:embed all:channel all:crm
var templates embed.FS

// family is a kind of plug-in: where its folders are, the template's list of their names, and the entry in the list in Go: what is
// imported from the folder, the type of the list, and what is listed of the import.
type family struct{ folder, list, imported, listed, entry string }

var errUsage = errors.New("say what: scaffold channel or scaffold crm, with NAME in the environment")

func familyOf(kind string) (family, error) {
	switch kind {
	case "channel":
		return family{"functions/adapter", "Channels", "samples", "samples.Channel", "Channel{}"}, nil
	case "crm":
		return family{"functions/connector", "Crms", "NAMEtest", "simulatortest.CRM", "CRM()"}, nil
	}
	return family{}, errUsage
}

// Write writes a plug-in of a kind, "channel" or "crm", into the repository at root, and returns its folder. What is there already is not
// changed.
func Write(root, kind, name string) (folder string, err error) {
	f, err := familyOf(kind)
	if err != nil {
		return "", err
	}
	if !regexp.MustCompile(`^[a-z][a-z0-9]{1,19}$`).MatchString(name) || token.IsKeyword(name) || name == "cmd" || strings.HasSuffix(name, "test") {
		return "", fmt.Errorf("NAME=%s: it is a folder, a package and part of function names: 2 to 20 small letters and digits, a letter first, no word of Go's", name)
	}
	folder = filepath.Join(root, filepath.FromSlash(f.folder), name)
	if _, err := os.Stat(folder); err == nil {
		return "", fmt.Errorf("NAME=%s: %s/%s is there already", name, f.folder, name)
	}
	if err := f.enlist(root, name); err != nil {
		return "", err
	}
	if err := f.enlistInGo(root, name); err != nil {
		return "", err
	}
	return folder, fs.WalkDir(templates, kind, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return write(folder, strings.TrimPrefix(path, kind+"/"), path, name)
	})
}

// write fills one file.
func write(folder, to, from, name string) error {
	filled, err := template.ParseFS(templates, from)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := filled.Execute(&text, name); err != nil {
		return err
	}
	source := text.Bytes()
	if to = strings.TrimSuffix(to, ".tmpl"); strings.HasSuffix(to, ".go") {
		if source, err = format.Source(source); err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
	}
	to = filepath.Join(folder, filepath.FromSlash(strings.ReplaceAll(to, "NAME", name)))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil { //nolint:gosec // source code, as all of it
		return err
	}
	return os.WriteFile(to, source, 0o644) //nolint:gosec // source code, as all of it
}

// enlist adds a name to the list in template.yaml, and to the page that shows it.
func (f family) enlist(root, name string) error {
	path := filepath.Join(root, "template.yaml")
	text, err := os.ReadFile(path) //nolint:gosec // the repository's own
	if err != nil {
		return err
	}
	list := regexp.MustCompile(`(?m)^(  ` + f.list + `: \{.*Default: ')([a-z0-9,]*)(')`)
	found := list.FindSubmatch(text)
	if found == nil {
		return fmt.Errorf("template.yaml has no parameter %s with a Default in quotes", f.list)
	}
	longer := string(found[2]) + "," + name
	if err := os.WriteFile(path, list.ReplaceAll(text, []byte("${1}"+longer+"${3}")), 0o644); err != nil { //nolint:gosec // it is committed
		return err
	}
	page := filepath.Join(root, "shared", "docs", "parameters.md")
	shown, err := os.ReadFile(page) //nolint:gosec // the repository's own
	if err != nil {
		return err
	}
	shown = bytes.Replace(shown, []byte("| "+f.list+" | `"+string(found[2])+"`"), []byte("| "+f.list+" | `"+longer+"`"), 1)
	return os.WriteFile(page, shown, 0o644) //nolint:gosec // it is committed
}

// enlistInGo adds what programs and tests need of a plug-in to the list in Go.
func (f family) enlistInGo(root, name string) error {
	path := filepath.Join(root, "shared", "dev", "plugins", "plugins.go")
	source, err := os.ReadFile(path) //nolint:gosec // the repository's own
	if err != nil {
		return err
	}
	folder := f.folder + "/" + name + "/" + strings.ReplaceAll(f.imported, "NAME", name)
	text := strings.Replace(string(source), "import (\n", "import (\n\t"+name+` "signalbox/`+folder+"\"\n", 1)
	text = strings.Replace(text, f.listed+"{\n", f.listed+"{\n\t\t\""+name+`": `+name+"."+f.entry+",\n", 1)
	if source, err = format.Source([]byte(text)); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, source, 0o644) //nolint:gosec // it is committed
}
