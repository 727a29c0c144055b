// Command salesforce-simulate serves a simulated Salesforce org on 127.0.0.1:$PORT. It ends when its standard input does, so
// that it dies with whoever started it.
package main

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"signalbox/functions/connector/salesforce/simulator"
	"signalbox/shared/config"
	"signalbox/shared/telemetry"
)

func main() {
	logger := telemetry.NewLogger(os.Stderr, telemetry.Identity{Function: "salesforce-simulate"})
	if err := serve(logger); err != nil {
		logger.Error("the simulator stopped", slog.String("error", err.Error()))
		os.Exit(1)
	}
}

func serve(logger *slog.Logger) error {
	environment := config.New(os.LookupEnv)
	port := environment.Optional("PORT", "8091")
	daily := environment.Int("SALESFORCE_DAILY_LIMIT", 0)
	lag := environment.Seconds("SALESFORCE_INDEX_LAG_SECONDS", time.Nanosecond)
	if err := environment.Err(); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port)) //nolint:noctx // it lives as long as the process
	if err != nil {
		return err
	}
	org := simulator.New(simulator.Options{DailyLimit: daily, IndexLag: lag})
	server := &http.Server{Handler: org, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	logger.Info("serving", slog.String("url", "http://"+listener.Addr().String()))
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
