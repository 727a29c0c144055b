package relay

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Main runs a relay by its flags and the environment until ctx is done. It logs to output what becomes of the relay, and nothing of any message.
func Main(ctx context.Context, arguments []string, getenv func(string) string, output io.Writer) error {
	c, err := ReadConfig(arguments, getenv, output)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(output, nil))
	r, err := New(c, http.DefaultTransport, log)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, len(r.handlers())+1)
	var served []*http.Server
	for address, handler := range r.handlers() {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err != nil {
			failed <- err
			stop()
			break
		}
		s := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
		served = append(served, s)
		go func() {
			failed <- s.Serve(listener)
			stop()
		}()
	}
	log.InfoContext(ctx, "relay runs", slog.String("listen", c.Listen), slog.Int("handles", len(c.Handles)), slog.Int("groups", len(c.Groups)), slog.Bool("media", c.Media != ""))
	r.Run(ctx)
	for _, s := range served {
		_ = s.Close() // whoever is in the middle of a webhook has its message asked for later
	}
	if err = <-failed; errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, r.Close())
}

// handlers returns what is served, by the address at which it is.
func (r *Relay) handlers() map[string]http.Handler {
	all := map[string]http.Handler{r.config.Listen: r}
	if r.config.Media != "" {
		all[r.config.MediaListen] = http.HandlerFunc(r.ServeFile)
	}
	return all
}
