package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// virtual counts what takes hours, in virtual time: tests of the pipeline as Go values do, and tell their rows as attributes.
func virtual(ctx context.Context, root string, log io.Writer) ([]Row, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-run", "^TestWhatATimelineCosts$", "./shared/dev/ring1")
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = root, &out, log
	failed := cmd.Run()
	rows, err := parseAttributes(bytes.NewReader(out.Bytes()))
	if err == nil && len(rows) == 0 {
		err = fmt.Errorf("bench: counting in virtual time: there are no rows: %w", failed)
	}
	if err != nil {
		_, _ = log.Write(out.Bytes())
	}
	return rows, err // a row beyond its bar fails the test, and says so in the report
}

// parseAttributes reads the rows among the attributes that `go test -v` prints.
func parseAttributes(r io.Reader) (rows []Row, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		rest, found := strings.CutPrefix(strings.TrimSpace(lines.Text()), "=== ATTR ")
		_, encoded, isRow := strings.Cut(rest, " bench ")
		if !found || !isRow {
			continue
		}
		row := Row{Ring: virtualTime}
		if err := json.Unmarshal([]byte(encoded), &row); err != nil {
			return nil, fmt.Errorf("bench: an attribute is no row: %w", err)
		}
		rows = append(rows, row)
	}
	return rows, lines.Err()
}
