package local

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"signalbox/shared/dev/local/cloud"
	"signalbox/shared/dev/local/gateway"
	"signalbox/shared/dev/local/mapping"
	"signalbox/shared/dev/local/runtimeapi"
	"signalbox/shared/dev/local/template"
)

// function is one function of the template with its processes.
type function struct {
	template.Function
	pool *runtimeapi.Pool
}

// growForRequests is when a function that answers requests gets a second process: somebody waits for the answer, and requests make no
// batches.
const growForRequests = 10 * time.Millisecond

// defaultProcesses is how many processes a function may have where nobody says otherwise.
const defaultProcesses = 4

func (c *Cloud) newFunction(f template.Function) *function {
	spec := runtimeapi.Spec{
		Name: f.LogicalID, ARN: f.ARN, Path: filepath.Join(c.options.Root, binaries, f.Binary), Dir: c.options.Root,
		Timeout: f.Timeout, MaxProcesses: c.options.MaxProcesses,
		Environment: func(id string) []string { return c.environment(f, id) },
	}
	if len(f.Routes) > 0 {
		spec.GrowAfter, spec.Path = growForRequests, cmp.Or(c.options.Receiver, spec.Path)
	}
	return &function{Function: f, pool: runtimeapi.NewPool(c.life, c.guardian, c.log, spec)}
}

// environment returns a process's variables. Its access key id names it, so that the cloud knows who calls.
// See https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html.
func (c *Cloud) environment(f template.Function, id string) []string {
	variables := map[string]string{
		"PATH": os.Getenv("PATH"), "TZ": ":UTC", "LANG": "en_US.UTF-8", "_HANDLER": "bootstrap", "LAMBDA_TASK_ROOT": c.options.Root,
		"AWS_REGION": c.template.Region, "AWS_DEFAULT_REGION": c.template.Region, "AWS_ENDPOINT_URL": c.AWS,
		"AWS_ACCESS_KEY_ID": id, "AWS_SECRET_ACCESS_KEY": "local", "AWS_SESSION_TOKEN": "local",
		"AWS_LAMBDA_FUNCTION_NAME": f.Name, "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(f.MemoryMB), "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME": "/local/" + f.Name, "AWS_LAMBDA_LOG_STREAM_NAME": id,
	}
	maps.Copy(variables, f.Environment)
	if _, fetches := variables["MEDIA_LOOPBACK"]; fetches && c.files != "" {
		variables["MEDIA_LOOPBACK"] = c.files
	}
	out := sparingEnvironment()
	for name, value := range variables {
		out = append(out, name+"="+value)
	}
	return out
}

// sparingEnvironment returns the variables that make processes which share a machine waste little of it.
func sparingEnvironment() []string {
	return []string{"GOMAXPROCS=1", "GOGC=" + strconv.Itoa(sparingGC)}
}

// sparingGC is how much the heap grows, in percent, before it is collected.
const sparingGC = 400

// invoke runs a function once.
func (c *Cloud) invoke(ctx context.Context, f *function, event []byte, trace string) (runtimeapi.Result, error) {
	if change := c.options.Hooks.Event; change != nil {
		event = change(f.LogicalID, event)
	}
	result, err := f.pool.Invoke(ctx, rand.Text(), event, trace)
	if done := c.options.Hooks.Done; done != nil && err == nil {
		done(Invocation{Function: f.LogicalID, MemoryMB: f.MemoryMB, Took: result.Took, Failed: result.Error != "", TimedOut: result.TimedOut, Event: event})
	}
	return result, err
}

// invoker returns invoke for the gateway, the mappings and the schedules.
func (c *Cloud) invoker(f *function) gateway.Invoke {
	return func(ctx context.Context, event []byte, trace string) (answer []byte, ok bool, err error) {
		result, err := c.invoke(ctx, f, event, trace)
		return result.Payload, result.Error == "", err
	}
}

// Invoke runs a function by its logical id or name, as a direct invocation does.
func (c *Cloud) Invoke(ctx context.Context, name string, event []byte) (answer []byte, failed string, err error) {
	f := c.function(name)
	if f == nil {
		return nil, "", cloud.ErrNoFunction
	}
	result, err := c.invoke(ctx, f, event, "")
	return result.Payload, result.Error, err
}

// targets returns the gateway's routes.
func (c *Cloud) targets() []gateway.Target {
	var out []gateway.Target
	for _, f := range c.functions {
		for _, r := range f.Routes {
			target := gateway.Target{Method: r.Method, Path: r.Path, Function: f.LogicalID, Timeout: r.Timeout, Invoke: c.invoker(f)}
			if r.Signed {
				target.Signed = c.signed
			}
			out = append(out, target)
		}
	}
	return out
}

// signed returns an error for a request that is not signed with the local cloud's credentials; for every one, if nobody said which they are.
func (c *Cloud) signed(r *http.Request, body []byte) error {
	if c.options.Signed == nil {
		return errors.New("local: nobody's signature is known")
	}
	return c.options.Signed(r, body)
}

// startSources starts the mappings and the schedules.
func (c *Cloud) startSources() {
	for _, f := range c.functions {
		run := c.invoker(f)
		invoke := func(ctx context.Context, event []byte) ([]byte, bool, error) { return run(ctx, event, "") }
		for _, m := range f.Mappings {
			most := c.options.MaxProcesses // and no more batches: one that waits for a process only ages
			source := &mapping.SQS{
				Queue: c.state.queues[m.QueueARN], BatchSize: m.BatchSize, Window: m.Window, MaximumConcurrency: min(cmp.Or(m.MaximumConcurrency, most), most),
				ReportFailures: m.ReportFailures, Invoke: invoke, Logger: c.logger,
			}
			if throttled := c.options.Hooks.Throttled; throttled != nil {
				source.Throttled = func(b mapping.Batch) bool { return throttled(f.LogicalID, b) }
			}
			if worked := c.options.Hooks.Invoked; worked != nil {
				source.Invoked = func(w mapping.Invocation) { worked(f.LogicalID, w) }
			}
			c.running.Go(func() { source.Run(c.life) })
		}
		for _, s := range f.Schedules {
			source := &mapping.Schedule{
				Name: s.Name, Every: s.Every / time.Duration(max(c.options.ScheduleDivisor, 1)), Input: s.Input, Region: c.template.Region,
				Invoke: invoke, Logger: c.logger,
			}
			c.running.Go(func() { source.Run(c.life) })
		}
	}
}
