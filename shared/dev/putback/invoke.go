package putback

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// invoked is what Lambda says of an invocation that failed.
type invoked struct {
	FunctionError string `json:"FunctionError"`
	ErrorMessage  string `json:"errorMessage"`
}

// LocalStack is what the local cloud calls its stack.
const LocalStack = "signalbox"

// Local invokes functions of the local cloud at a URL.
func Local(endpoint string) Invoke {
	return func(ctx context.Context, function string, event []byte) ([]byte, error) {
		url := strings.TrimRight(endpoint, "/") + "/2015-03-31/functions/" + function + "/invocations"
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(event))
		if err != nil {
			return nil, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return nil, err
		}
		defer func() { _ = response.Body.Close() }()
		answer, err := io.ReadAll(response.Body)
		if err != nil {
			return nil, err
		}
		if response.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: %s", response.Status, answer)
		}
		if response.Header.Get("X-Amz-Function-Error") != "" {
			return nil, failed(answer)
		}
		return answer, nil
	}
}

// Deployed invokes functions with the AWS CLI, and whatever credentials it has.
func Deployed() Invoke {
	return func(ctx context.Context, function string, event []byte) ([]byte, error) {
		folder, err := os.MkdirTemp("", "put-back")
		if err != nil {
			return nil, err
		}
		defer func() { _ = os.RemoveAll(folder) }()
		payload, answer := filepath.Join(folder, "payload"), filepath.Join(folder, "answer")
		if err := os.WriteFile(payload, event, 0o600); err != nil {
			return nil, err
		}
		//nolint:gosec // the operator's own command
		cli := exec.CommandContext(ctx, "aws", "lambda", "invoke", "--function-name", function+":live",
			"--cli-binary-format", "raw-in-base64-out", "--output", "json", "--payload", "file://"+payload, answer)
		cli.Stderr = os.Stderr
		said, err := cli.Output()
		if err != nil {
			return nil, fmt.Errorf("aws lambda invoke: %w", err)
		}
		body, err := os.ReadFile(answer) //nolint:gosec // written above
		if err != nil {
			return nil, err
		}
		var status invoked
		if err := json.Unmarshal(said, &status); err != nil || status.FunctionError != "" {
			return nil, failed(body)
		}
		return body, nil
	}
}

// failed answers the error a function ended with.
func failed(answer []byte) error {
	var told invoked
	if json.Unmarshal(answer, &told) != nil || told.ErrorMessage == "" {
		return errors.New("the function failed: see its log")
	}
	return errors.New("the function failed: " + told.ErrorMessage)
}
