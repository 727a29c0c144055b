package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"

	"signalbox/shared/dev/samples"
)

// spoil makes the next requests to a CRM fail.
func spoil(ctx context.Context, base string, fault samples.Fault, count int) error {
	body := map[string]any{"count": count}
	maps.Copy(body, fault)
	return control(ctx, http.MethodPost, base+"/_simulator/faults", body)
}

func control(ctx context.Context, method, address string, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	if err := response.Body.Close(); err != nil {
		return fmt.Errorf("chaos: %w", err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("chaos: %s %s was answered %s", method, address, response.Status)
	}
	return nil
}
