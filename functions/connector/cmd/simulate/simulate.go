// Package simulate serves a CRM's simulator as a command: what listens, who is let in, and how much it takes. A main says what it
// simulates.
package simulate

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"signalbox/shared/config"
	"signalbox/shared/secret"
	"signalbox/shared/telemetry"
)

// Flags are what the command of every simulator takes.
type Flags struct {
	Listen   string          // host:port; what is below /_simulator is open to whoever reaches it
	Token    secret.Value    // what a tenant's binding holds to be let in with
	Settings json.RawMessage // what the binding's settings are, for a CRM that lets nobody in without them
	Limit    int             // the CRM's own limit of requests; zero is none
	IndexLag time.Duration   // how long a new record stays hidden from searches
}

// Main serves the simulator that build returns for what the environment and the arguments of this process say over defaults. When it
// cannot, it logs the reason and ends the process.
func Main(command string, defaults Flags, build func(Flags) (http.Handler, error)) {
	logger := telemetry.NewLogger(os.Stderr, telemetry.Identity{Function: command})
	flags, err := Parse(command, defaults, os.LookupEnv, os.Args[1:])
	var simulator http.Handler
	if err == nil {
		simulator, err = build(flags)
	}
	if err == nil {
		err = serve(logger, flags.Listen, simulator)
	}
	if err != nil {
		logger.Error("the simulator stopped", slog.String("error", err.Error()))
		os.Exit(1)
	}
}

// Parse reads the flags of a command over its defaults and these over what the environment says: SIMULATOR_TOKEN, because a secret
// there is not seen in the list of processes, SIMULATOR_LIMIT and SIMULATOR_SETTINGS. A token is required.
func Parse(command string, defaults Flags, lookup func(string) (string, bool), arguments []string) (Flags, error) {
	f, environment := defaults, config.New(lookup)
	f.Token = secret.Value(environment.Optional("SIMULATOR_TOKEN", ""))
	f.Settings = json.RawMessage(environment.Optional("SIMULATOR_SETTINGS", ""))
	f.Limit = environment.Int("SIMULATOR_LIMIT", defaults.Limit)
	if err := environment.Err(); err != nil {
		return Flags{}, err
	}
	set := flag.NewFlagSet(command, flag.ContinueOnError)
	set.StringVar(&f.Listen, "listen", f.Listen, "`host:port` to listen on; on other hosts than loopback the paths below /_simulator are open, too, to everybody")
	set.IntVar(&f.Limit, "limit", f.Limit, "requests before the CRM's own limit is reached, 0 for no limit (SIMULATOR_LIMIT)")
	set.DurationVar(&f.IndexLag, "index-lag", f.IndexLag, "how long a new record stays hidden from searches")
	set.Func("token", "the credential that is accepted, as a tenant's file has it (SIMULATOR_TOKEN)", func(token string) error {
		f.Token = secret.Value(token)
		return nil
	})
	if err := set.Parse(arguments); err != nil {
		return Flags{}, err
	}
	switch {
	case set.NArg() > 0:
		return Flags{}, fmt.Errorf("%s: %q is no flag", command, set.Arg(0))
	case f.Token == "":
		return Flags{}, fmt.Errorf("%s: -token or SIMULATOR_TOKEN is required: the credential that is accepted, as a tenant's file has it", command)
	case f.Limit < 0:
		return Flags{}, fmt.Errorf("%s: -limit is at least 0", command)
	}
	return f, nil
}

// serve serves a simulator. When standard input is a pipe it ends with that, and so dies with whoever started it.
func serve(logger *slog.Logger, listen string, simulator http.Handler) error {
	listener, err := net.Listen("tcp", listen) //nolint:noctx // it lives as long as the process
	if err != nil {
		return err
	}
	server := &http.Server{Handler: simulator, ReadHeaderTimeout: 5 * time.Second}
	if input, err := os.Stdin.Stat(); err == nil && input.Mode()&os.ModeNamedPipe != 0 {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			_ = server.Close()
		}()
	}
	logger.Info("serving", slog.String("url", "http://"+listener.Addr().String()))
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
