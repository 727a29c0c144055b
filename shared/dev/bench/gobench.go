package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"signalbox/shared/dev/local/template"
)

// result is one Go benchmark: its name and its figures by unit.
type result struct {
	pkg, name string
	values    map[string]float64
}

// goBenchmarks runs every Go benchmark of the repository, one package after the other.
func goBenchmarks(ctx context.Context, root, benchtime string, log io.Writer) ([]result, error) {
	packages, err := benchmarked(root)
	if err != nil {
		return nil, err
	}
	arguments := append([]string{"test", "-run", "^$", "-bench", ".", "-benchmem", "-benchtime", benchtime, "-p", "1"}, packages...)
	cmd := exec.CommandContext(ctx, "go", arguments...) //nolint:gosec // packages of this repository
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = root, &out, log
	if err := cmd.Run(); err != nil {
		_, _ = log.Write(out.Bytes())
		return nil, fmt.Errorf("bench: go benchmarks: %w", err)
	}
	return parseBenchmarks(&out), nil
}

// benchmarked returns the folders with benchmarks.
func benchmarked(root string) ([]string, error) {
	var found []string
	for _, top := range []string{"functions", "shared"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path) //nolint:gosec // the repository's own
			if err != nil {
				return err
			}
			if bytes.Contains(source, []byte("\nfunc Benchmark")) {
				relative, err := filepath.Rel(root, filepath.Dir(path))
				if err != nil {
					return err
				}
				found = append(found, "./"+filepath.ToSlash(relative))
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// processors is what the go command puts behind a name: the number of processors.
var processors = regexp.MustCompile(`-[0-9]+$`)

// parseBenchmarks reads what `go test -bench` prints.
// See https://go.googlesource.com/proposal/+/master/design/14313-benchmark-format.md.
func parseBenchmarks(r io.Reader) []result {
	var out []result
	pkg := ""
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if name, found := strings.CutPrefix(lines.Text(), "pkg: "); found {
			pkg = strings.TrimPrefix(name, "signalbox/")
			continue
		}
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		one := result{pkg: pkg, name: processors.ReplaceAllString(strings.TrimPrefix(fields[0], "Benchmark"), ""), values: map[string]float64{}}
		for i := 2; i+1 < len(fields); i += 2 {
			if value, err := strconv.ParseFloat(fields[i], 64); err == nil {
				one.values[fields[i+1]] = value
			}
		}
		out = append(out, one)
	}
	return out
}

// goRows returns the rows of the design's table that are Go benchmarks, and one for every other benchmark.
func goRows(results []result) (rows []Row, missing []string) {
	adapter, pipeline := false, false
	for _, r := range results {
		switch {
		case strings.HasPrefix(r.pkg, "functions/adapter/") && strings.HasPrefix(r.name, "Webhook"):
			adapter = true
			webhook := path.Base(r.pkg) + strings.TrimPrefix(r.name, "Webhook")
			rows = append(rows,
				Row{Name: "adapter work per webhook, " + webhook, Ring: "Go", Value: r.values["ns/op"] / 1000, Unit: "us", Bar: 30},
				Row{Name: "adapter allocations per webhook, " + webhook, Ring: "Go", Value: r.values["allocs/op"], Unit: "allocs", Bar: 60})
		case r.pkg == "shared/dev/ring1" && strings.HasPrefix(r.name, "Pipeline"):
			pipeline = true
			rows = append(rows, pipelineRows(r)...)
		default:
			rows = append(rows, Row{Name: r.pkg + " " + r.name, Ring: "Go", Value: r.values["ns/op"] / 1000, Unit: "us/op", Note: fmt.Sprintf("%.0f allocs", r.values["allocs/op"])})
		}
	}
	if !adapter {
		missing = append(missing, "adapter work per webhook: no channel has a BenchmarkWebhook")
	}
	if !pipeline {
		missing = append(missing, "own work in ring 1: shared/dev/ring1 has no BenchmarkPipeline")
	}
	return rows, missing
}

// pipelineRows reads the pipeline's benchmark: its own metrics where it has them, and one message an operation where not.
func pipelineRows(r result) []Row {
	perSecond, cpu := 0.0, 0.0
	for unit, value := range r.values {
		switch {
		case strings.Contains(unit, "/s"):
			perSecond = value
		case strings.Contains(strings.ToLower(unit), "cpu"):
			cpu = value
		}
	}
	if perSecond == 0 && r.values["ns/op"] > 0 {
		perSecond = 1e9 / r.values["ns/op"]
	}
	name := strings.TrimPrefix(strings.TrimPrefix(r.name, "Pipeline"), "/")
	rows := []Row{{Name: strings.TrimSpace("own work " + name), Ring: "1", Value: perSecond, Unit: "messages/s", More: true, Bar: 5000}}
	if cpu > 0 {
		rows = append(rows, Row{Name: strings.TrimSpace("own work, processor time per message " + name), Ring: "1", Value: cpu, Unit: "us", Bar: 200})
	}
	return rows
}

// sizes returns how large the functions are without symbols, as they are deployed.
func sizes(ctx context.Context, root string, log io.Writer) ([]Row, error) {
	deployed, err := template.Read(filepath.Join(root, "template.yaml"), nil, nil)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	folder := filepath.Join(".build", "bench")
	if err := os.MkdirAll(filepath.Join(root, folder), 0o750); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w", "-o", folder+"/", "./functions/...") //nolint:gosec // nothing from outside
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = root, log, log, append(os.Environ(), "CGO_ENABLED=0")
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("bench: build without symbols: %w", err)
	}
	slices.SortFunc(deployed.Functions, func(a, b template.Function) int { return strings.Compare(a.LogicalID, b.LogicalID) })
	var rows []Row
	for _, f := range deployed.Functions {
		info, err := os.Stat(filepath.Join(root, folder, f.Binary))
		if err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
		row := Row{Name: "stripped size, " + f.LogicalID, Ring: "Go", Value: float64(info.Size()) / 1e6, Unit: "MB"}
		if receives(f.LogicalID) {
			row.Bar = 12
		}
		rows = append(rows, row)
	}
	return rows, nil
}
