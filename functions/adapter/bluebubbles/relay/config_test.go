package relay

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// told is a file that says all that must be said.
func told(t *testing.T, change map[string]any) string {
	t.Helper()
	all := map[string]any{
		"endpoint": "https://hooks.example/v1/accounts/anna-mac/bluebubbles/messages", "secret": string(key), "password": password,
		"path": hidden, "folder": "/queue", "handles": []string{"+15552010551", "ines.example@mail.example"},
	}
	for name, value := range change {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "relay.json")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func nothing(string) string { return "" }

func TestAFlagHoldsOverTheEnvironmentAndThatOverTheFile(t *testing.T) {
	environment := map[string]string{
		"RELAY_CONFIG": told(t, map[string]any{"every": "5m", "groups": []string{"iMessage;+;chat1"}}), "RELAY_EVERY": "3m", "RELAY_LOOKBACK": "2h",
		"RELAY_HANDLES": "+15552010552, +15552010553", "RELAY_MEDIA_LISTEN": "127.0.0.1:9",
	}
	c, err := ReadConfig([]string{"-every", "2m", "-handles", "+15552010554"}, func(name string) string { return environment[name] }, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Endpoint: "https://hooks.example/v1/accounts/anna-mac/bluebubbles/messages", Secret: key, Server: "http://127.0.0.1:1234", Password: password,
		Listen: "127.0.0.1:8471", Path: hidden, Folder: "/queue", Groups: []string{"iMessage;+;chat1"}, Every: 2 * time.Minute, Lookback: 2 * time.Hour,
		Handles:     []string{"+15552010551", "ines.example@mail.example", "+15552010552", "+15552010553", "+15552010554"},
		MediaListen: "127.0.0.1:9",
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestNobodyIsAllowedByDefault(t *testing.T) {
	c, err := ReadConfig([]string{"-config", told(t, map[string]any{"handles": nil})}, nothing, io.Discard)
	if err != nil || len(c.Handles) > 0 || len(c.Groups) > 0 || c.Media != "" {
		t.Errorf("%v %v %q, %v", c.Handles, c.Groups, c.Media, err)
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		change    map[string]any
		arguments []string
		want      string
	}{
		"an endpoint in the clear":             {map[string]any{"endpoint": "http://hooks.example/v1/accounts/a/bluebubbles/messages"}, nil, "endpoint: must be https"},
		"an endpoint that is none":             {map[string]any{"endpoint": "https://hooks.example/"}, nil, "endpoint: must be https"},
		"an endpoint of this machine":          {map[string]any{"endpoint": "http://127.0.0.1:8080/v1/accounts/a/bluebubbles/messages"}, nil, ""},
		"an endpoint of the example":           {map[string]any{"endpoint": "https://REPLACE/v1/accounts/REPLACE/bluebubbles/messages"}, nil, "endpoint: must be https"},
		"a password of the example":            {map[string]any{"password": "REPLACE: the BlueBubbles server's"}, nil, "password: must be the BlueBubbles server's"},
		"no secret":                            {map[string]any{"secret": nil}, nil, "secret: must be the account's authToken"},
		"a secret of another form":             {map[string]any{"secret": "whpk_AAAA"}, nil, "secret: must be the account's authToken"},
		"the server elsewhere, in the clear":   {map[string]any{"server": "http://192.0.2.1:1234"}, nil, "server: must be"},
		"the password in the server's URL":     {map[string]any{"server": "http://127.0.0.1:1234/?password=x"}, nil, "server: must be"},
		"no password":                          {map[string]any{"password": nil}, nil, "password: must be"},
		"listening where others come":          {map[string]any{"listen": "0.0.0.0:8471"}, nil, "listen: must be an address of this machine alone"},
		"listening everywhere":                 {map[string]any{"listen": ":8471"}, nil, "listen: must be an address of this machine alone"},
		"a path that can be guessed":           {map[string]any{"path": "webhook"}, nil, "path: must be 22 to 128"},
		"no folder":                            {map[string]any{"folder": nil}, nil, "folder: must be"},
		"asking all the time":                  {map[string]any{"every": "1ms"}, nil, "every: must be one second or more"},
		"a time that is none":                  {map[string]any{"every": "often"}, nil, "relay.json: every: time: invalid duration"},
		"asking for longer than is remembered": {map[string]any{"lookback": "1000h"}, nil, "lookback: must be"},
		"files in the clear":                   {map[string]any{"media": "http://files.mac.example"}, nil, "media: must be https"},
		"files where webhooks are taken":       {map[string]any{"media": "https://files.mac.example", "media-listen": "127.0.0.1:8471"}, nil, "media-listen: must not be where webhooks"},
		"a setting that nobody knows":          {map[string]any{"handle": "+15552010551"}, nil, `there is no setting "handle"`},
		"a setting of another type":            {map[string]any{"handles": 1}, nil, "handles must be a text, or a list of texts"},
		"a secret as a flag":                   {nil, []string{"-secret", "whsec_x"}, "flag provided but not defined: -secret"},
		"a word that is no flag":               {nil, []string{"run"}, `"run" is no flag`},
		"a file that is not there":             {nil, []string{"-config", "/nowhere/relay.json"}, "-config: stat /nowhere/relay.json"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadConfig(append([]string{"-config", told(t, c.change)}, c.arguments...), nothing, io.Discard)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if err != nil && (strings.Contains(err.Error(), password) || strings.Contains(err.Error(), string(key)) || strings.Contains(err.Error(), hidden)) {
				t.Errorf("a secret is in %v", err)
			}
		})
	}
}

func TestAFileThatOthersMayReadIsRefused(t *testing.T) {
	name := told(t, nil)
	if err := os.Chmod(name, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadConfig([]string{"-config", name}, nothing, io.Discard); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Error(err)
	}
}

// TestThePageSaysWhatCanBeTold holds the page, the example and the launchd file against the settings.
func TestThePageSaysWhatCanBeTold(t *testing.T) {
	page, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var help bytes.Buffer
	if _, err := ReadConfig([]string{"-help"}, nothing, &help); !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
	names := map[string]bool{}
	for _, s := range new(Config).settings() {
		names[s.name] = true
		if !strings.Contains(string(page), "`"+s.name+"`") {
			t.Errorf("README.md does not say what %s is", s.name)
		}
		if strings.Contains(help.String(), "  -"+s.name+" ") == s.hidden {
			t.Errorf("-%s is a flag: %t", s.name, s.hidden)
		}
	}
	example, err := os.ReadFile("relay.example.json")
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(example, &members); err != nil {
		t.Fatal(err)
	}
	for name := range members {
		if !names[name] {
			t.Errorf("relay.example.json has %s", name)
		}
	}
	file, err := os.ReadFile("launchd.plist")
	if err != nil {
		t.Fatal(err)
	}
	var plist struct {
		Strings   []string `xml:"dict>string"`
		Arguments []string `xml:"dict>array>string"`
	}
	if err := xml.Unmarshal(file, &plist); err != nil {
		t.Fatal(err)
	}
	if len(plist.Arguments) != 3 || plist.Arguments[1] != "-config" || !strings.Contains(string(page), plist.Strings[0]) {
		t.Errorf("%+v", plist)
	}
	for _, secret := range []string{"whsec_", "password"} {
		if strings.Contains(string(file), secret) {
			t.Errorf("launchd.plist holds %s", secret)
		}
	}
}
