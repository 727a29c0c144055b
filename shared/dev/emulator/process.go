package emulator

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/local/process"
)

// What make installs, below the root of the repository.
const (
	sam       = ".bin/venv/bin/sam"
	python    = ".bin/venv/bin/python"
	ministack = ".bin/emulator/bin/ministack"
)

// readiness is how long an emulator may take until it listens.
const readiness = 60 * time.Second

// region is where the stack is. Emulators keep regions apart.
const region = "us-east-1"

// start starts MiniStack on a free port of the loopback interface, unless there is an endpoint.
func (r *run) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readiness)
	defer cancel()
	if r.Endpoint != "" {
		r.Endpoint = strings.TrimRight(r.Endpoint, "/")
		if err := listening(ctx, r.Endpoint, nil); err != nil {
			return fmt.Errorf("ENDPOINT=%s: %w", r.Endpoint, err)
		}
		r.say("emulator at %s", r.Endpoint)
		return nil
	}
	number, err := local.Reserve(ctx, "ENDPOINT", 0)
	if err != nil {
		return err
	}
	port := strconv.Itoa(number)
	r.Endpoint = "http://127.0.0.1:" + port
	began := time.Now()
	child, err := r.guardian.Start(r.life, process.Spec{ //nolint:contextcheck // it outlives the start
		Path: filepath.Join(r.Root, ministack), Dir: r.path(), Output: r.log.Lines("ministack"),
		Env: []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + r.path("tmp"), "TMPDIR=" + r.path("tmp"),
			"GATEWAY_PORT=" + port, "BIND_HOST=127.0.0.1", "LAMBDA_EXECUTOR=local", "AWS_ENDPOINT_URL=" + r.Endpoint,
			"IOT_MTLS_ENABLED=0", "SFTP_ENABLED=0", // which would listen on ports of their own
		},
	})
	if err != nil {
		return err
	}
	if err := listening(ctx, r.Endpoint, child); err != nil {
		return fmt.Errorf("MiniStack: %w", err)
	}
	r.started = true
	r.say("MiniStack at %s: %s", r.Endpoint, since(began))
	return nil
}

// command runs a program of make's in the root of the repository against the emulator. What it prints is in a log named like
// the step, whose end is in the error.
func (r *run) command(ctx context.Context, step string, environment []string, name string, arguments ...string) error {
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(r.Root, name), arguments...) //nolint:gosec // what make installed
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.Root, &output, &output
	isAWS := func(variable string) bool { return strings.HasPrefix(variable, "AWS_") } // of an account that is not meant
	cmd.Env = append(slices.DeleteFunc(os.Environ(), isAWS), append(environment,
		"AWS_ENDPOINT_URL="+r.Endpoint, "AWS_DEFAULT_REGION="+region, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "SAM_CLI_TELEMETRY=0")...)
	err := cmd.Run()
	if written := os.WriteFile(r.path(strings.ReplaceAll(step, " ", "-")+".log"), output.Bytes(), 0o600); err == nil && written != nil {
		return fmt.Errorf("emulator: %w", written)
	}
	if err != nil {
		lines := strings.Split(strings.TrimSpace(output.String()), "\n")
		return fmt.Errorf("%s:\n%s\n%w", step, strings.Join(lines[max(0, len(lines)-15):], "\n"), err)
	}
	return nil
}
