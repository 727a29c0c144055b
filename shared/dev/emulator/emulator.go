// Package emulator deploys Signalbox, with the real SAM CLI and the unmodified template, to an emulator of AWS that runs already or
// that it starts, sends the samples, and shows that each is in every CRM simulator exactly once. Every step that AWS itself does
// not need is printed as one.
package emulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/local/demo"
	"signalbox/shared/dev/local/process"
	"signalbox/shared/dev/local/template"
	"signalbox/shared/dev/samples"
	"signalbox/shared/operations/operate"
)

// The environment of samconfig.toml that is deployed, and its stack.
const (
	environment = "cloud"
	stackName   = "signalbox-cloud"
)

// What webhooks are signed for, at first and after it was changed.
const (
	firstBase  = "https://hooks.signalbox.example"
	secondBase = "https://other-hooks.signalbox.example"
)

// patience is how long all samples may take to every CRM.
const patience = 4 * time.Minute

// Stack is the stack on the emulator.
type Stack struct {
	operate.Stack
	Emulated Emulated
}

// Emulated is what a stack needs on an emulator alone.
type Emulated interface {
	AddRoutes(ctx context.Context, api string, functions map[string]string) (added []string, err error)
	Rests(ctx context.Context) (bool, error)
}

// Options say where to deploy, and what else to try.
type Options struct {
	Root     string
	Endpoint string // of an emulator that runs; empty starts MiniStack, which make installs
	Recovery bool   // deletes the stack afterwards and creates it again, in each way that the recovery page has
	Keep     bool   // keeps serving until interrupted
	Open     func(ctx context.Context, name, endpoint string) (Stack, error)
}

// run is one Run.
type run struct {
	Options
	out      io.Writer
	folder   string // for what is built and logged
	life     context.Context
	guardian *process.Guardian
	started  bool // the emulator, by this run
	log      *process.Log
	stack    Stack
	crms     map[string]samples.Simulator
	client   *samples.Client
}

// Run does all of it, printing each step to out. An error says which step failed and where its log is. Nothing that it started
// is left.
func Run(ctx context.Context, out io.Writer, o Options) error {
	life, end := context.WithCancel(ctx)
	defer end()
	r := &run{Options: o, out: out, life: life, folder: filepath.Join(o.Root, ".build", "cloud")}
	if err := os.MkdirAll(filepath.Join(r.folder, "tmp"), 0o750); err != nil {
		return fmt.Errorf("emulator: %w", err)
	}
	file, err := os.Create(filepath.Join(r.folder, "processes.log"))
	if err != nil {
		return fmt.Errorf("emulator: %w", err)
	}
	defer func() { _ = file.Close() }()
	r.log = process.NewLog(file)
	if r.guardian, err = process.NewGuardian(ctx); err != nil {
		return err
	}
	defer r.guardian.Close()
	steps := []func(context.Context) error{r.start, r.clear, r.build, r.deployFirst, r.simulate, r.apply, r.send, r.change}
	if o.Recovery {
		steps = append(steps, r.recovery)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return fmt.Errorf("logs are in %s: %w", r.folder, err)
		}
	}
	if o.Keep {
		return r.keep(ctx)
	}
	return nil
}

// say prints a step; only prints what AWS would not need.
func (r *run) say(format string, arguments ...any) {
	_, _ = fmt.Fprintf(r.out, format+"\n", arguments...)
}

func (r *run) only(format string, arguments ...any) {
	r.say("  only for the emulator: "+format, arguments...)
}

// build builds the template's functions with SAM for this machine's processor.
func (r *run) build(ctx context.Context) error {
	r.only("Architecture=%s, for it runs the functions on this machine", architecture())
	flags := []string{"GOFLAGS=" + os.Getenv("GOFLAGS") + " -ldflags=-s"}
	if !r.started {
		flags = append(flags, "CGO_ENABLED=0") // it may run them in another system than this one
	}
	began := time.Now()
	err := r.command(ctx, "sam build", flags, sam, "build", "--config-env", environment,
		"--build-dir", r.path("build"), "--parameter-overrides", "Architecture="+architecture())
	if err != nil {
		return err
	}
	r.say("sam build: %s", since(began))
	return os.Rename(r.path("build", "template.yaml"), r.path("build", "built.yaml"))
}

func architecture() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "x86_64"
}

// deployFirst creates the stack.
func (r *run) deployFirst(ctx context.Context) (err error) {
	r.only("CanaryDeployments=false, for it has no CodeDeploy; EndpointUrl=%s, so that functions find it; CrmHosts=any, for the simulators are on this machine", r.Endpoint)
	if err := r.deploy(ctx, firstBase); err != nil {
		return err
	}
	if r.stack, err = r.Open(ctx, stackName, r.Endpoint); err != nil {
		return err
	}
	return r.route(ctx)
}

// deploy deploys what was built, as make deploy does.
func (r *run) deploy(ctx context.Context, base string) error {
	built, err := os.ReadFile(r.path("build", "built.yaml"))
	if err != nil {
		return fmt.Errorf("emulator: %w", err)
	}
	if err := os.WriteFile(r.path("build", "template.yaml"), built, 0o600); err != nil { //nolint:gosec // below the repository
		return fmt.Errorf("emulator: %w", err)
	}
	began := time.Now()
	if err := r.command(ctx, "resolve parameters", nil, python, "shared/operations/resolve_parameters.py", r.path("build", "template.yaml"), environment,
		"Architecture="+architecture(), "EndpointUrl="+r.Endpoint, "PublicBaseUrl="+base); err != nil {
		return err
	}
	if err := r.operate(ctx, "check", map[string]string{"PARAMETERS": r.path("build", "parameters.yaml")}); err != nil {
		return err
	}
	if err := r.command(ctx, "sam deploy", nil, sam, "deploy", "--config-file", filepath.Join(r.Root, "samconfig.toml"), "--config-env", environment,
		"--template-file", r.path("build", "template.yaml"),
		"--parameter-overrides", "file://"+r.path("build", "parameters.yaml")); err != nil {
		return err
	}
	r.say("sam deploy with PublicBaseUrl=%s: %s", base, since(began))
	return nil
}

// route adds the routes of the template's events where the emulator did not.
func (r *run) route(ctx context.Context) error {
	read, err := template.Read(filepath.Join(r.Root, "template.yaml"), nil, nil)
	if err != nil {
		return err
	}
	routes := map[string]string{}
	for _, f := range read.Functions {
		for _, route := range f.Routes {
			if !route.Signed { // the emulator would serve it to everybody
				routes[route.Method+" "+route.Path] = f.Binary
			}
		}
	}
	added, err := r.stack.Emulated.AddRoutes(ctx, "Gateway", routes)
	if err != nil {
		return err
	}
	slices.Sort(added)
	for _, key := range added {
		r.only("route %s by API, for it reads none from the API's OpenAPI body", key)
	}
	return nil
}

// simulate starts the CRM simulators.
func (r *run) simulate(ctx context.Context) (err error) {
	if err = local.Build(ctx, r.Root, r.log.Lines("go build")); err != nil {
		return err
	}
	start := local.Simulators{Root: r.Root, Output: r.log.Lines, Guardian: r.guardian}
	r.crms, err = start.Start(ctx, r.life)
	return err
}

// apply applies the demo tenant with the simulators as its CRMs, as make apply does.
func (r *run) apply(ctx context.Context) error {
	bases := map[string]string{}
	for crm, simulator := range r.crms {
		bases[crm] = simulator.URL
	}
	if err := local.ApplyDemo(ctx, r.log.Lines("apply"), r.Root, r.tenant(), bases, r.stack.Invoke, withoutFiles); err != nil {
		return err
	}
	r.say("tenant demo applied")
	return nil
}

func (r *run) tenant() string { return r.path("demo.json") }

func (r *run) path(names ...string) string {
	return filepath.Join(append([]string{r.folder}, names...)...)
}

// send sends the samples twice: the second time changes nothing.
func (r *run) send(ctx context.Context) error {
	target, err := r.target(ctx)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	all, err := demo.Send(limited, r.out, r.Root, target)
	if err == nil {
		err = all.Summarize(r.out)
	}
	if err != nil {
		return err
	}
	r.client = all.Client
	reports, sent, err := r.client.SendAll(limited, r.Root, true)
	if err == nil {
		err = r.client.Check(reports)
	}
	if err != nil {
		return fmt.Errorf("sent once more: %w", err)
	}
	r.say("%d requests once more: the CRMs are unchanged", sent)
	return nil
}

// target returns where samples go.
func (r *run) target(ctx context.Context) (samples.Target, error) {
	outputs, err := r.stack.Outputs(ctx)
	if err != nil {
		return samples.Target{}, err
	}
	target := samples.At(r.Endpoint, outputs["GatewayUrl"], outputs["PublicBaseUrl"])
	target.CRMs = r.crms
	target.Text = true // MiniStack gives functions a compressed body of JSON as text, which loses it
	target.Rests = func() bool {
		rests, err := r.stack.Emulated.Rests(ctx)
		return err == nil && rests
	}
	return target, nil
}

// change changes PublicBaseUrl: what is signed for the new one is taken, and for the old one refused.
func (r *run) change(ctx context.Context) error {
	if err := r.deploy(ctx, secondBase); err != nil {
		return err
	}
	if err := r.route(ctx); err != nil {
		return err
	}
	target, err := r.target(ctx)
	if err != nil {
		return err
	}
	if target.PublicBaseURL != secondBase {
		return fmt.Errorf("the output PublicBaseUrl is %s", target.PublicBaseURL)
	}
	if err := r.smoke(ctx, target); err != nil {
		return fmt.Errorf("the changed PublicBaseUrl is not in force: %w", err)
	}
	all, err := samples.Read(r.Root)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(all, func(s samples.Sample) bool { return s.Form != nil }) // a signature over the URL is one over a form
	if at < 0 {
		return errors.New("no sample is a form: nothing shows that the old PublicBaseUrl is refused")
	}
	status, err := r.client.Send(ctx, all[at])
	if err != nil {
		return err
	}
	if status != http.StatusForbidden {
		return fmt.Errorf("a webhook that was signed for %s got %d and not 403", firstBase, status)
	}
	r.say("what is signed for %s is refused", firstBase)
	return nil
}

func (r *run) smoke(ctx context.Context, target samples.Target) error {
	return operate.Smoke{Root: r.Root, Target: target, Tenant: r.tenant()}.Run(ctx, r.out)
}

// keep serves until ctx is done.
func (r *run) keep(ctx context.Context) error {
	for _, crm := range slices.Sorted(maps.Keys(r.crms)) {
		r.say("what %s holds: %s/_simulator/records?object=%s", crm, r.crms[crm].URL, r.crms[crm].Messages)
	}
	r.say("serving until interrupted; for example: make smoke STACK=%s ENDPOINT=%s TENANT=%s", stackName, r.Endpoint, r.tenant())
	<-ctx.Done()
	return nil
}

func since(began time.Time) string { return time.Since(began).Round(100 * time.Millisecond).String() }

// listening waits until something answers at the endpoint.
func listening(ctx context.Context, endpoint string, child *process.Child) error {
	return local.Await(ctx, child, func() error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/_localstack/health", nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return fmt.Errorf("the emulator did not begin to listen: %w", err)
		}
		return response.Body.Close()
	})
}

// withoutFiles has files shown by their addresses: those of the samples lead nowhere, and what waits for one never comes to rest.
func withoutFiles(file map[string]any) {
	about, _ := file["tenant"].(map[string]any)
	if timeline, ok := about["timeline"].(map[string]any); ok {
		timeline["files"] = "address"
	}
	lines, _ := file["lines"].([]any)
	for _, one := range lines {
		line, _ := one.(map[string]any)
		if timeline, ok := line["timeline"].(map[string]any); ok {
			delete(timeline, "files")
		}
	}
}
