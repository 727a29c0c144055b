package relay

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"signalbox/shared/secret"
	"signalbox/shared/standardwebhooks"
)

// Config is what a relay has to be told. ReadConfig reads it.
type Config struct {
	Endpoint string        // where messages go: the account's URL
	Secret   secret.Value  // the account's authToken
	Server   string        // the BlueBubbles server
	Password secret.Value  // the server's
	Listen   string        // where the server's webhooks are taken
	Path     string        // the last part of the URL of these webhooks, which nobody else knows
	Folder   string        // where the queue is kept
	Handles  []string      // who may be forwarded: phones in E.164, and e-mail addresses
	Groups   []string      // chats of several that may be forwarded whoever takes part, by the guid that the server gives them
	Every    time.Duration // how often the server is asked what it has
	Lookback time.Duration // how old a message may be whose edits and receipts are asked for
	Media    string        // the public URL at which MediaListen can be reached; "" keeps files on the Mac
	// MediaListen is where forwarded files can be read by who was told their address.
	MediaListen string
}

// setting is one thing to be told, by a member of the file, a variable of the environment or a flag.
type setting struct {
	name, usage string
	hidden      bool // not by a flag, which every user of the machine can read
	set         func(string) error
}

// settings returns everything that can be told.
func (c *Config) settings() []setting {
	text := func(to *string) func(string) error { return func(s string) error { *to = s; return nil } }
	hide := func(to *secret.Value) func(string) error {
		return func(s string) error { *to = secret.Value(s); return nil }
	}
	list := func(to *[]string) func(string) error {
		return func(s string) error {
			for one := range strings.SplitSeq(s, ",") {
				if one = strings.TrimSpace(one); one != "" {
					*to = append(*to, one)
				}
			}
			return nil
		}
	}
	period := func(to *time.Duration) func(string) error {
		return func(s string) (err error) { *to, err = time.ParseDuration(s); return err }
	}
	return []setting{
		{"endpoint", "`URL` that messages are sent to: https://<host>/v1/accounts/<account>/bluebubbles/messages", false, text(&c.Endpoint)},
		{"secret", "", true, hide(&c.Secret)},
		{"server", "`URL` of the BlueBubbles server", false, text(&c.Server)},
		{"password", "", true, hide(&c.Password)},
		{"listen", "`address` of this Mac where the server's webhooks are taken", false, text(&c.Listen)},
		{"path", "", true, text(&c.Path)},
		{"folder", "`folder` of the queue", false, text(&c.Folder)},
		{"handles", "`addresses` that may be forwarded, with commas between them", false, list(&c.Handles)},
		{"groups", "`guids` of chats of several that may be forwarded, with commas between them", false, list(&c.Groups)},
		{"every", "`time` between two looks at what the server has", false, period(&c.Every)},
		{"lookback", "`time` for which edits and receipts of a message are asked for", false, period(&c.Lookback)},
		{"media", "public `URL` at which media-listen can be reached", false, text(&c.Media)},
		{"media-listen", "`address` of this Mac where forwarded files are read", false, text(&c.MediaListen)},
	}
}

// prefix is what the variables' names begin with.
const prefix = "RELAY_"

// ReadConfig reads the configuration: what flags say holds over what the environment says, and that over the file that -config names. Of lists
// all that is named counts. An error says what is wrong, where, and what is wanted.
func ReadConfig(arguments []string, getenv func(string) string, output io.Writer) (Config, error) {
	c := Config{Server: "http://127.0.0.1:1234", Listen: "127.0.0.1:8471", MediaListen: "127.0.0.1:8472", Every: time.Minute, Lookback: 24 * time.Hour}
	settings := c.settings()
	var given []func() error
	flags := flag.NewFlagSet("relay", flag.ContinueOnError)
	flags.SetOutput(output)
	file := flags.String("config", getenv(prefix+"CONFIG"), "`file` of JSON that says all of this; nobody else may read it")
	for _, s := range settings {
		if s.hidden {
			continue
		}
		flags.Func(s.name, s.usage, func(value string) error {
			given = append(given, func() error { return wrap("-"+s.name, s.set(value)) })
			return nil
		})
	}
	if err := flags.Parse(arguments); err != nil {
		return c, err
	}
	if flags.NArg() > 0 {
		return c, fmt.Errorf("%q is no flag: all is told by flags, see -help", flags.Arg(0))
	}
	var problems []error
	if *file != "" {
		problems = append(problems, readFile(*file, settings))
	}
	for _, s := range settings {
		if value := getenv(prefix + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))); value != "" {
			problems = append(problems, wrap("the variable of "+s.name, s.set(value)))
		}
	}
	for _, apply := range given {
		problems = append(problems, apply())
	}
	return c, errors.Join(append(problems, c.check()...)...)
}

func wrap(where string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", where, err)
}

// readFile reads a file of the settings: an object of texts, and lists of texts. It holds secrets, so that nobody else may read it.
func readFile(name string, settings []setting) error {
	about, err := os.Stat(name)
	if err != nil {
		return fmt.Errorf("-config: %w", err)
	}
	if about.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("-config: %s holds secrets and may be read by others: chmod 600 it", name)
	}
	data, err := os.ReadFile(name) //nolint:gosec // whoever runs the relay names it
	if err != nil {
		return fmt.Errorf("-config: %w", err)
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil {
		return fmt.Errorf("-config: %s is no object of JSON", name)
	}
	var problems []error
	for member, raw := range members {
		at := slices.IndexFunc(settings, func(s setting) bool { return s.name == member })
		var texts []string
		var one string
		switch {
		case at < 0:
			problems = append(problems, fmt.Errorf("%s: there is no setting %q", name, member))
			continue
		case json.Unmarshal(raw, &one) == nil:
			texts = []string{one}
		case json.Unmarshal(raw, &texts) != nil:
			problems = append(problems, fmt.Errorf("%s: %s must be a text, or a list of texts", name, member))
		}
		for _, text := range texts {
			problems = append(problems, wrap(name+": "+member, settings[at].set(text)))
		}
	}
	return errors.Join(problems...)
}

// replace stands in relay.example.json for what is to be said.
const replace = "REPLACE"

// check returns what is wrong, and what is wanted.
func (c *Config) check() (problems []error) {
	wrong := func(is bool, text string) {
		if is {
			problems = append(problems, errors.New(text))
		}
	}
	_, keyed := standardwebhooks.Key(c.Secret)
	wrong(!private(c.Endpoint, "/v1/accounts/") || strings.Contains(c.Endpoint, replace), "endpoint: must be https://<host>/v1/accounts/<account>/bluebubbles/messages (http is for this machine alone)")
	wrong(!keyed, "secret: must be the account's authToken, whsec_ and 24 to 64 bytes in base64, by the file or RELAY_SECRET")
	wrong(!private(c.Server, ""), "server: must be the URL of the BlueBubbles server; its password travels in every URL, so that http is for this machine alone")
	wrong(c.Password == "" || strings.HasPrefix(string(c.Password), replace), "password: must be the BlueBubbles server's, by the file or RELAY_PASSWORD")
	wrong(!loopback(c.Listen), "listen: must be an address of this machine alone, such as 127.0.0.1:8471")
	wrong(!regexp.MustCompile(`^[A-Za-z0-9_-]{22,128}$`).MatchString(c.Path), "path: must be 22 to 128 letters, digits, - and _ that nobody can guess, by the file or RELAY_PATH: openssl rand -hex 16")
	wrong(c.Folder == "", "folder: must be a folder that nobody else may read, where what is not yet sent is kept")
	wrong(c.Every < time.Second, "every: must be one second or more, such as 1m")
	wrong(c.Lookback < time.Minute || c.Lookback > keep, "lookback: must be one minute to seven days, such as 24h")
	if c.Media != "" {
		at, err := url.Parse(c.Media)
		wrong(err != nil || at.Scheme != "https" || at.Host == "" || at.Path != "" || at.RawQuery != "", "media: must be https://<host>: where others reach media-listen")
		wrong(!loopback(c.MediaListen), "media-listen: must be an address of this machine alone, such as 127.0.0.1:8472")
		wrong(c.MediaListen == c.Listen, "media-listen: must not be where webhooks are taken: others reach it")
	}
	return problems
}

// private reports whether what is sent to a URL can be read by who is at its end alone: it is https, or does not leave the machine.
func private(address, beginning string) bool {
	at, err := url.Parse(address)
	if err != nil || at.Host == "" || at.User != nil || at.RawQuery != "" || !strings.HasPrefix(at.Path, beginning) {
		return false
	}
	return at.Scheme == "https" || at.Scheme == "http" && local(at.Hostname())
}

// loopback reports whether an address to listen at is of this machine alone.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && local(host)
}

func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
