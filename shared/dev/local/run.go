package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"
)

// Main runs a program of this repository until command returns, or is interrupted and returns. It ends the process with its error.
func Main(command func(ctx context.Context, root string) error) {
	debug.SetGCPercent(sparingGC) // a process of its own has sparingEnvironment
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	root, err := Root()
	if err == nil {
		err = command(ctx, root)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Root returns the folder at or above the working directory that holds template.yaml.
func Root() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("local: %w", err)
	}
	for {
		_, err := os.Stat(filepath.Join(folder, "template.yaml"))
		if err == nil {
			return folder, nil
		}
		if !errors.Is(err, fs.ErrNotExist) || folder == filepath.Dir(folder) {
			return "", errors.New("local: there is no template.yaml here or above")
		}
		folder = filepath.Dir(folder)
	}
}

// Serve runs everything until ctx is done or the process that started this one is gone. When all is ready it writes one line of
// JSON to ready; nothing else is written there.
func Serve(ctx context.Context, ready io.Writer, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go watchParent(ctx, cancel)
	c, err := Start(ctx, o)
	if err != nil {
		return err
	}
	defer c.Stop()
	if err := json.NewEncoder(ready).Encode(struct {
		Ready         bool              `json:"ready"`
		Gateway       string            `json:"gateway"`
		AWS           string            `json:"aws"`
		CRMs          map[string]string `json:"crms"`
		PublicBaseURL string            `json:"publicBaseUrl"`
	}{true, c.Gateway, c.AWS, c.CRMs, c.PublicBaseURL}); err != nil {
		return fmt.Errorf("local: %w", err)
	}
	<-ctx.Done()
	return nil
}

// watchParent cancels when this process has another parent: make, or a test, was killed and could not say so.
func watchParent(ctx context.Context, cancel context.CancelFunc) {
	parent := os.Getppid()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if os.Getppid() != parent {
				cancel()
				return
			}
		}
	}
}
