package tenantfile_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"signalbox/shared/tenant"
	"signalbox/shared/tenant/tenantfile"

	"github.com/google/go-cmp/cmp"
)

func TestYAMLIsReadAsTheJSONThatItMeans(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ file, want string }{
		"comments":                                {"# first\na: b # last\n", `{"a":"b"}`},
		"JSON":                                    {`{"a": [1, true, null, "x\n"]}`, `{"a":[1,true,null,"x\n"]}`},
		"lists":                                   {"a:\n  - b\n  - {c: d}\n", `{"a":["b",{"c":"d"}]}`},
		"a key on many lines":                     {"token: |\n  -----BEGIN PRIVATE KEY-----\n  AAAA\n", `{"token":"-----BEGIN PRIVATE KEY-----\nAAAA\n"}`},
		"a phone number is no number":             {"a: +15557654321", `{"a":"+15557654321"}`},
		"nor is what has a zero in front":         {"a: 007", `{"a":"007"}`},
		"nor a date, a version, or hexadecimal":   {"a: 2026-11-27\nb: 2026-03\nc: 0x1F\nd: .inf", `{"a":"2026-11-27","b":"2026-03","c":"0x1F","d":".inf"}`},
		"Norway is no boolean":                    {"region: NO\na: yes\nb: off", `{"region":"NO","a":"yes","b":"off"}`},
		"true and null are what they are in JSON": {"a: true\nb: False\nc: ~\nd:", `{"a":true,"b":false,"c":null,"d":null}`},
		"numbers are, too":                        {"a: 2\nb: 1.5\nc: -3", `{"a":2,"b":1.5,"c":-3}`},
		"in quotes all is text":                   {`{a: "2", b: 'true', c: "null"}`, `{"a":"2","b":"true","c":"null"}`},
		"a name that is a number":                 {"1: x", `{"1":"x"}`},
		"a name written twice stays so":           {"a: 1\na: 2", `{"a":1,"a":2}`}, // the function refuses it
	} {
		f, err := tenantfile.Parse("acme.yaml", []byte(tt.file))
		if err != nil || string(f.JSON) != tt.want {
			t.Errorf("%s: %v, %+v, want %s", name, err, f, tt.want)
		}
	}
}

func TestWhatIsNoFileIsRefusedWithItsLine(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ name, file, want string }{
		"a tab":                    {"a.yaml", "a:\n\tb: hunter2", "a.yaml:2: this is not YAML: found character that cannot start any token"},
		"two values in a line":     {"a.yaml", "a: b\nc: d: hunter2", "a.yaml:2: this is not YAML: mapping values are not allowed in this context"},
		"an alias":                 {"a.yaml", "a: &x hunter2\nb: *x", "a.yaml:2:4: an alias: write out what it stands for, or put a text that begins with * in quotes"},
		"an alias of nothing":      {"a.yaml", "a: *hunter2", "a.yaml:1: this is not YAML: an alias that nothing stands for, or a character that it does not have"},
		"a merge":                  {"a.yaml", "a: &x {b: c}\nd:\n  <<: *x", "a.yaml:3:3: a name that is no text"},
		"a tag":                    {"a.yaml", "a: !hunter2 b", "a.yaml:1:4: a tag: leave it out, or put a text that begins with ! in quotes"},
		"two documents":            {"a.yaml", "a: b\n---\nc: d", "a.yaml:2: a second document: a file is one"},
		"nothing":                  {"a.yaml", "", "a.yaml:1: the file is empty"},
		"only comments":            {"a.yml", "# hunter2\n", "a.yml:1: the file is empty"},
		"an object as a name":      {"a.yaml", "{a: b}: c", "a.yaml:1:1: a name that is no text"},
		"no UTF-8":                 {"a.yaml", "a: \xff", "a.yaml: is not in UTF-8"},
		"UTF-16":                   {"a.yaml", "\xff\xfea\x00", "a.yaml: is not in UTF-8"},
		"a byte order mark":        {"a.yaml", "\ufeffa: b", "a.yaml: begins with a byte order mark; save it as UTF-8 without one"},
		"a file without end":       {"a.yaml", strings.Repeat("[", 200), "a.yaml:1: this is not YAML: did not find expected node content"},
		"a file that is deep":      {"a.yaml", strings.Repeat("[", 200) + strings.Repeat("]", 200), "a.yaml:1:102: nested too deep"},
		"a file that is too large": {"a.json", strings.Repeat(" ", tenant.MaxFile+1), "a.json: is larger than 1048576 bytes"},
		"a comment in JSON":        {"a.json", "{\n  // hunter2\n}", "a.json:2:3: this is not JSON: a comment, which JSON does not have: name the file .yaml, in which JSON is also read"},
		"a comma at the end":       {"a.json", "{\"a\": 1,\n}", "a.json:2:1: this is not JSON: a character looking for beginning of object key string"},
	} {
		f, err := tenantfile.Parse(tt.name, []byte(tt.file))
		if err == nil {
			t.Errorf("%s is read as %s", name, f.JSON)
		} else if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if _, err := tenantfile.Read(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestAProblemHasItsLine(t *testing.T) {
	t.Parallel()
	const inYAML = "# Acme\ntenant:\n  id: acme\n  crms:\n    - name: a\n      settings:\n        hunter2 hunter2: 1\n    - name: b\n\nlines: []\n"
	const inJSON = "{\n  \"tenant\": {\n    \"id\": \"acme\",\n    \"crms\": [\n      {\n        \"settings\": {\n          \"hunter2 hunter2\": 1 } },\n      { \"name\": \"b\" }\n    ]\n  },\n  \"lines\": []\n}"
	for path, want := range map[string][2]int{
		"": {2, 1}, "tenant": {2, 2}, "tenant.id": {3, 3}, "tenant.name": {2, 2}, "tenant.crms": {4, 4}, "tenant.crms[0].name": {5, 5}, "tenant.crms[0].settings": {6, 6},
		"tenant.crms[0].settings.?": {7, 7}, "tenant.crms[1]": {8, 8}, "tenant.crms[1].kind": {8, 8}, "tenant.crms[2].kind": {4, 4}, "lines[7].address": {10, 11}, "accounts": {2, 1},
	} {
		for i, name := range []string{"a.yaml", "a.json"} {
			f, err := tenantfile.Parse(name, []byte([]string{inYAML, inJSON}[i]))
			if err != nil {
				t.Fatal(err)
			}
			got := f.Locate(tenant.Problem{Path: path, Reason: "is missing"})
			if found := regexp.MustCompile(`:(\d+): `).FindStringSubmatch(got); path != "tenant.crms[0].name" && !strings.HasPrefix(got, name+":"+found[1]) || found[1] != jsonNumber(want[i]) {
				t.Errorf("%s in %s: %s, want line %d", path, name, got, want[i])
			}
		}
	}
}

func jsonNumber(n int) string {
	encoded, _ := json.Marshal(n)
	return string(encoded)
}

// TestTheExamplesAreRead: what they are is checked where they are applied.
func TestTheExamplesAreRead(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../events/tenants/*")
	if err != nil || len(files) < 3 {
		t.Fatal(err, files)
	}
	for _, path := range files {
		f, err := tenantfile.Read(path)
		if err != nil || !json.Valid(f.JSON) {
			t.Errorf("%s: %v", path, err)
		}
		data, err := os.ReadFile(path)
		schema := regexp.MustCompile(`(?m)^# yaml-language-server: \$schema=(\S+)$`).FindSubmatch(data)
		if err != nil || filepath.Ext(path) == ".json" {
			continue
		}
		if schema == nil {
			t.Errorf("%s names no schema: editors complete nothing", path)
		} else if _, err := os.Stat(filepath.Join(filepath.Dir(path), string(schema[1]))); err != nil {
			t.Errorf("%s names a schema that is not there: %v", path, err)
		}
	}
}

// FuzzYAML: whatever is read is JSON that a function can check, and an error tells nothing of the file.
func FuzzYAML(f *testing.F) {
	for _, seed := range []string{"a: b", "- 1\n- +2", "a: |\n  x\n", "{a: [~, true]}", "a: &b c\nd: *b", "? [a]\n: b", "\"\\ud83d\"", "a: 1e999", "a: 'it''s'"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := tenantfile.Parse("a.yaml", data)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q", err)
			}
			return
		}
		if !json.Valid(file.JSON) {
			t.Errorf("%q is read as %q", data, file.JSON)
		}
		if bytes.Contains(data, []byte("\x00")) {
			t.Errorf("%q is read", data)
		}
	})
}
