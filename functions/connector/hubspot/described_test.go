package hubspot_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// descriptionsFolder is where HubSpot's OpenAPI descriptions are. They are HubSpot's, and no part of this project.
const descriptionsFolder = "HUBSPOT_DESCRIPTIONS"

// described holds what passes a simulator against HubSpot's own descriptions of its API.
type described struct {
	compiler   *jsonschema.Compiler
	operations []operation

	mu       sync.Mutex
	compiled map[string]*jsonschema.Schema
	seen     map[string]map[string]bool // by shape (a method, a path and a status): what does not fit
}

// operation is a method of a path in one of the files.
type operation struct {
	method, path string
	file         string
	about        map[string]any // as the file has it
}

// readDescriptions skips the test when there are none.
func readDescriptions(t *testing.T) *described {
	t.Helper()
	root := os.Getenv(descriptionsFolder)
	if root == "" {
		t.Skipf("%s is not set: it names the folder PublicApiSpecs of a checkout, or a copy of it with CRM, Files and Account in it, of "+
			"https://github.com/HubSpot/HubSpot-public-api-spec-collection, which every reply is held against", descriptionsFolder)
	}
	d := &described{compiler: jsonschema.NewCompiler(), compiled: map[string]*jsonschema.Schema{}, seen: map[string]map[string]bool{}}
	d.compiler.DefaultDraft(jsonschema.Draft4) // what a schema of OpenAPI 3.0 is closest to
	d.compiler.AssertFormat()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".json" {
			return err
		}
		return d.readFile(path)
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.operations) == 0 {
		t.Fatalf("%s holds no OpenAPI description", root)
	}
	return d
}

func (d *described) readFile(path string) error {
	encoded, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	about, _ := document.(map[string]any)
	if about["openapi"] == nil || !bytes.Contains(encoded, []byte(`"https://api.hubapi.com"`)) { // other hosts are HubSpot's own tests
		return nil
	}
	closed(about, "")
	file := "file:///" + strconv.Itoa(len(d.operations)) + ".json"
	if err := d.compiler.AddResource(file, document); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	paths, _ := about["paths"].(map[string]any)
	for path, methods := range paths {
		methods, _ := methods.(map[string]any)
		for method, operationAbout := range methods {
			one, _ := operationAbout.(map[string]any)
			d.operations = append(d.operations, operation{strings.ToUpper(method), path, file, one})
		}
	}
	return nil
}

// closed turns the schemas of a description into JSON Schemas that hold it to its word: what is nullable may be null, and a
// member that is not described is wrong. Two things are known to be otherwise. Refusals have members that only HubSpot's guides
// tell of. And a property without a value is null, as the descriptions of v3 and 2026-09 say, and that of 2026-03 does not.
func closed(value any, name string) {
	switch value := value.(type) {
	case []any:
		for _, one := range value {
			closed(one, "")
		}
	case map[string]any:
		for name, one := range value {
			closed(one, name)
		}
		kind, _ := value["type"].(string)
		members, _ := value["properties"].(map[string]any)
		if members != nil && kind == "object" && value["additionalProperties"] == nil && name != "Error" {
			value["additionalProperties"] = false
		}
		if properties, _ := members["properties"].(map[string]any); properties != nil && strings.HasPrefix(name, "SimplePublic") {
			properties["additionalProperties"] = map[string]any{"type": []any{"string", "null"}}
		}
		if kind != "" && value["nullable"] == true {
			value["type"] = []any{kind, "null"}
		}
	}
}

// matching returns the operations that describe a request: of several templates the one with the fewest variables, in whatever
// file has it.
func (d *described) matching(method string, u *url.URL) []operation {
	parts := strings.Split(u.Path, "/")
	var found []operation
	fewest := len(parts)
	for _, o := range d.operations {
		template := strings.Split(o.path, "/")
		if o.method != method || len(template) != len(parts) {
			continue
		}
		variables := 0
		fits := true
		for i, part := range template {
			if strings.HasPrefix(part, "{") {
				variables++
			} else if part != parts[i] {
				fits = false
			}
		}
		switch {
		case !fits || variables > fewest:
		case variables < fewest:
			fewest, found = variables, []operation{o}
		default:
			found = append(found, o)
		}
	}
	return found
}

// watch holds what passes a simulator against the descriptions. What the suite makes the simulator say has no correlation id.
func (d *described) watch(simulator http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(sent))
		recorded := httptest.NewRecorder()
		simulator.ServeHTTP(recorded, r)
		if recorded.Header().Get("X-HubSpot-Correlation-Id") != "" {
			d.hold(r, sent, recorded.Code, recorded.Body.Bytes())
		}
		maps.Copy(w.Header(), recorded.Header())
		w.WriteHeader(recorded.Code)
		_, _ = w.Write(recorded.Body.Bytes())
	})
}

func (d *described) hold(r *http.Request, sent []byte, status int, received []byte) {
	operations := d.matching(r.Method, r.URL)
	if len(operations) == 0 {
		if status != http.StatusNotFound && d.holds(r.URL.Path) { // what nobody describes is to be refused; other folders have the rest
			d.note(fmt.Sprintf("%s %s %d", r.Method, r.URL.Path, status), errors.New("no description has it"))
		}
		return
	}
	var wrong error // what is described several times, differently, is to fit one of them
	for _, o := range operations {
		err := d.reply(o, status, received)
		if err == nil && status < 300 {
			err = d.request(o, r, sent)
		}
		if wrong = err; err == nil {
			break
		}
	}
	d.note(fmt.Sprintf("%s %s %d", r.Method, operations[0].path, status), wrong)
}

// holdRequest holds a request alone: in one of the operations that describe its path and method.
func (d *described) holdRequest(r *http.Request, sent []byte) {
	operations, wrong := d.matching(r.Method, r.URL), errors.New("no description has it")
	for _, o := range operations {
		if wrong = d.request(o, r, sent); wrong == nil {
			break
		}
	}
	path := r.URL.Path
	if len(operations) > 0 {
		path = operations[0].path
	}
	d.note(r.Method+" "+path, wrong)
}

// holds reports whether the descriptions that were read have paths of the kind: a folder may be one of several.
func (d *described) holds(path string) bool {
	kind, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return slices.ContainsFunc(d.operations, func(o operation) bool { return strings.HasPrefix(o.path, "/"+kind+"/") })
}

func (d *described) note(shape string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen[shape] == nil {
		d.seen[shape] = map[string]bool{}
	}
	if err != nil {
		d.seen[shape][err.Error()] = true
	}
}

func (d *described) request(o operation, r *http.Request, sent []byte) error {
	parameters, _ := o.about["parameters"].([]any)
	for name := range r.URL.Query() {
		if !slices.ContainsFunc(parameters, func(p any) bool {
			about, _ := p.(map[string]any)
			return about["name"] == name && about["in"] == "query"
		}) {
			return fmt.Errorf("the request: the parameter %s is not described", name)
		}
	}
	body, described := o.about["requestBody"].(map[string]any)
	if !described {
		if len(sent) > 0 {
			return errors.New("the request: a body is not described")
		}
		return nil
	}
	kind, form, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && kind == "multipart/form-data" {
		sent, err = formOf(sent, form["boundary"])
	}
	if err == nil {
		err = d.validate(o.file, body, pointer(o, "requestBody"), kind, sent)
	}
	if err != nil {
		return fmt.Errorf("the request: %w", err)
	}
	return nil
}

// formOf returns a form as the object that a description has it as: its parts by their names, all of them texts.
func formOf(sent []byte, boundary string) ([]byte, error) {
	form, err := multipart.NewReader(bytes.NewReader(sent), boundary).ReadForm(1 << 20)
	if err != nil {
		return nil, err
	}
	parts := map[string]string{}
	for name, values := range form.Value {
		parts[name] = values[0]
	}
	for name, files := range form.File {
		parts[name] = files[0].Filename
	}
	return json.Marshal(parts)
}

func (d *described) reply(o operation, status int, received []byte) error {
	replies, _ := o.about["responses"].(map[string]any)
	key := strconv.Itoa(status)
	if replies[key] == nil {
		key = "default"
	}
	about, _ := replies[key].(map[string]any)
	at := pointer(o, "responses", key)
	if elsewhere, ok := about["$ref"].(string); ok {
		at = strings.TrimPrefix(elsewhere, "#")
		about = map[string]any{"content": map[string]any{"*/*": nil}} // as all of HubSpot's refusals
	}
	if content, _ := about["content"].(map[string]any); len(content) == 0 {
		if len(received) > 0 {
			return errors.New("the reply: a body is not described")
		}
		return nil
	}
	if err := d.validate(o.file, about, at, "", received); err != nil {
		return fmt.Errorf("the reply: %w", err)
	}
	return nil
}

// pointer returns the JSON pointer of a part of an operation.
func pointer(o operation, parts ...string) string {
	var b strings.Builder
	for _, part := range append([]string{"paths", o.path, strings.ToLower(o.method)}, parts...) {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(part))
	}
	return b.String()
}

// validate holds a body against the schema of the content at a pointer: that of a kind, or the only one for "".
func (d *described) validate(file string, about map[string]any, at, kind string, body []byte) error {
	contents, _ := about["content"].(map[string]any)
	if kind == "" {
		kind = slices.Collect(maps.Keys(contents))[0]
	}
	if _, there := contents[kind]; !there {
		return fmt.Errorf("a body of %s is not described", kind)
	}
	at += "/content/" + strings.ReplaceAll(kind, "/", "~1") + "/schema"
	decoded, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	where := file + "#" + (&url.URL{Path: at}).EscapedPath()
	d.mu.Lock()
	schema := d.compiled[where]
	if schema == nil {
		if schema, err = d.compiler.Compile(where); err == nil {
			d.compiled[where] = schema
		}
	}
	d.mu.Unlock()
	if err != nil {
		return err
	}
	return schema.Validate(decoded)
}

// report fails the test for every shape that does not fit, and says how many do.
func (d *described) report(t *testing.T) {
	t.Helper()
	fit := 0
	for _, shape := range slices.Sorted(maps.Keys(d.seen)) {
		wrong := slices.Sorted(maps.Keys(d.seen[shape]))
		if len(wrong) == 0 {
			fit++
			t.Log("fits: " + shape)
			continue
		}
		t.Errorf("does not fit: %s: %s", shape, wrong[0])
	}
	t.Logf("%d shapes fit HubSpot's descriptions, %d do not", fit, len(d.seen)-fit)
}
