// Package local is the whole of Signalbox on one machine: template.yaml read and run with unmodified binaries as child processes,
// behind an HTTP API, over queues, tables, keys and secrets in memory, against simulated CRMs. The programs in cmd run it for
// people; tests start it to kill functions at every call.
package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/shared/dev/local/cloud"
	"signalbox/shared/dev/local/cloud/dynamodb"
	"signalbox/shared/dev/local/gateway"
	"signalbox/shared/dev/local/process"
	"signalbox/shared/dev/local/template"
	"signalbox/shared/dev/samples"
	"signalbox/shared/queue/memqueue"
	"signalbox/shared/store/memstore"
)

// Options say what to run and where. The zero value but for Root runs everything on free ports.
type Options struct {
	Root            string            // of the repository
	Parameters      map[string]string // of the template, besides its defaults
	Times           map[string]string // in place of parameters: shorter than a deployment may have them
	Ports           map[string]int    // by variable: GATEWAY_PORT, AWS_PORT, <CRM>_PORT; 0 or none is any free one
	MaxProcesses    int               // of a function; 0 is 4
	ScheduleDivisor int               // makes schedules run more often; 0 and 1 leave them
	CRMLimits       bool              // the simulators refuse too many requests, as the CRMs do; tests and measurements send more
	AllowAll        bool              // do not check calls against the functions' roles: the bench, for that work is AWS's
	Logs            io.Writer         // what functions write, besides LogPath; may be nil
	LogFile         string            // name below .build/local/logs; empty is local.log
	Built           bool              // the binaries are up to date
	Receiver        string            // a binary in the place of every function that has a route; empty leaves them
	Signed          gateway.Signed    // decides about routes that ask for credentials of IAM; nil: they are nobody's
	Hooks           Hooks             // of whoever measures or breaks what runs
}

// Cloud is what runs.
type Cloud struct {
	Gateway       string                       // URLs
	AWS           string                       //
	CRMs          map[string]string            // of the simulators
	Simulated     map[string]samples.Simulator // by CRM
	PublicBaseURL string                       // what webhooks are signed for
	LogPath       string                       // what every function wrote
	Counts        *cloud.Counts                // of calls to AWS

	options   Options
	template  *template.Template
	logger    *slog.Logger
	log       *process.Log
	logFile   *os.File
	guardian  *process.Guardian
	state     *state
	functions []*function
	outputs   atomic.Pointer[map[string]string]
	files     string            // address of the server that plays those which files are fetched from; empty for the Internet
	bindings  map[string]string // base URLs of CRMs as functions see them
	database  *dynamodb.Handler
	refused   sync.Map     // what functions did that their roles do not allow
	noOwner   atomic.Int64 // until when, in Unix nanoseconds, nobody looks up who calls a CRM
	servers   []*http.Server
	running   sync.WaitGroup
	life      context.Context // of everything that runs
	end       context.CancelFunc
}

// Start builds and starts everything and applies the demo tenant. Ctx is about the start; what runs ends by Stop, which has to
// be called only if there is no error.
func Start(ctx context.Context, o Options) (*Cloud, error) {
	o.MaxProcesses, o.LogFile = cmp.Or(o.MaxProcesses, defaultProcesses), cmp.Or(o.LogFile, "local.log")
	c := &Cloud{options: o, CRMs: map[string]string{}, Simulated: map[string]samples.Simulator{}, bindings: map[string]string{}, Counts: &cloud.Counts{}}
	c.life, c.end = context.WithCancel(context.WithoutCancel(ctx))
	for _, step := range []func(context.Context) error{
		c.readTemplate, c.build, c.openLog, c.startProcesses, c.startAWS, c.startFiles, c.startSimulators, c.startGateway, c.applyTenant,
	} {
		if err := step(ctx); err != nil {
			c.Stop()
			return nil, err
		}
	}
	return c, nil
}

func (c *Cloud) readTemplate(context.Context) (err error) {
	parameters := map[string]string{"CrmHosts": "any"} // they are on this machine
	maps.Copy(parameters, c.options.Parameters)
	if c.template, err = template.Read(filepath.Join(c.options.Root, "template.yaml"), parameters, c.options.Times); err != nil {
		return err
	}
	c.PublicBaseURL = c.template.Parameters["PublicBaseUrl"]
	c.state = newState(c.template)
	return nil
}

func (c *Cloud) build(ctx context.Context) error {
	if c.options.Built {
		return nil
	}
	return Build(ctx, c.options.Root, os.Stderr)
}

func (c *Cloud) openLog(context.Context) error {
	c.LogPath = filepath.Join(c.options.Root, binaries, "logs", c.options.LogFile)
	if err := os.MkdirAll(filepath.Dir(c.LogPath), 0o750); err != nil {
		return fmt.Errorf("local: %w", err)
	}
	file, err := os.Create(c.LogPath)
	if err != nil {
		return fmt.Errorf("local: %w", err)
	}
	c.logFile = file
	var to io.Writer = file
	if c.options.Logs != nil {
		to = io.MultiWriter(file, c.options.Logs)
	}
	c.log = process.NewLog(to)
	c.logger = slog.New(slog.NewJSONHandler(c.log.Lines("local"), nil))
	return nil
}

func (c *Cloud) startProcesses(ctx context.Context) (err error) {
	if c.guardian, err = process.NewGuardian(ctx); err != nil {
		return err
	}
	for _, f := range c.template.Functions {
		c.functions = append(c.functions, c.newFunction(f))
	}
	return nil
}

func (c *Cloud) startAWS(ctx context.Context) error {
	listener, err := listen(ctx, awsPort, c.options.Ports[awsPort])
	if err != nil {
		return err
	}
	c.AWS = "http://" + listener.Addr().String()
	services, database := c.state.services(c.logger, c.Invoke, c.options.Hooks.Tables)
	services.CloudFormation = cloud.Stack(c.template.StackName, c.outputs.Load)
	c.database = database
	allowed := map[string][]template.Statement{}
	for _, f := range c.template.Functions {
		if !c.options.AllowAll {
			allowed[f.LogicalID] = f.Allowed
		}
	}
	c.serve(listener, cloud.Authorize(allowed, c.refuse, cloud.New(services, c.options.Hooks.Observer, c.Counts)), nil)
	return nil
}

// startFiles starts what plays the servers that samples' files are at. Whoever has real providers call has real files fetched.
func (c *Cloud) startFiles(ctx context.Context) error {
	if c.options.Parameters["PublicBaseUrl"] != "" || c.options.Parameters["MediaLoopback"] != "" {
		return nil
	}
	handler, err := samples.ReadFiles(c.options.Root)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("local: %w", err)
	}
	c.files = listener.Addr().String()
	c.serve(listener, handler, nil)
	return nil
}

func (c *Cloud) startGateway(ctx context.Context) error {
	listener, err := listen(ctx, gatewayPort, c.options.Ports[gatewayPort])
	if err != nil {
		return err
	}
	c.Gateway = "http://" + listener.Addr().String()
	c.outputs.Store(&map[string]string{"GatewayUrl": c.Gateway, "PublicBaseUrl": c.PublicBaseURL})
	c.serve(listener, gateway.New(c.logger.With(slog.String("component", "gateway")), c.targets()...), nil)
	c.startSources()
	return nil
}

// serve serves until Stop. A connection's context is what connected makes of it, if it is not nil.
func (c *Cloud) serve(listener net.Listener, handler http.Handler, connected func(context.Context, net.Conn) context.Context) {
	server := &http.Server{
		Handler: handler, ConnContext: connected, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(c.logger.Handler(), slog.LevelWarn),
	}
	c.servers = append(c.servers, server)
	c.running.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			c.logger.Error("a server stopped", slog.Any("error", err))
		}
	})
}

// Stop ends everything: no process is left.
func (c *Cloud) Stop() {
	c.end()
	for _, server := range c.servers {
		_ = server.Close()
	}
	for _, f := range c.functions {
		f.pool.Close()
	}
	if c.guardian != nil {
		c.guardian.Close()
	}
	c.running.Wait()
	if c.logFile != nil {
		_ = c.logFile.Close()
	}
}

// refuse notes that a function's role does not allow what it does.
func (c *Cloud) refuse(ctx context.Context, r cloud.Refusal) {
	c.logger.ErrorContext(ctx, "the function's role does not allow this", slog.String("function", r.Function),
		slog.String("action", r.Action), slog.String("resource", r.Resource), slog.String("partition", r.Partition))
	c.refused.Store(r.Function+" "+r.Action, true)
}

// Refused returns what functions did that their roles do not allow: their names and the actions.
func (c *Cloud) Refused() (all []string) {
	c.refused.Range(func(what, _ any) bool {
		all = append(all, fmt.Sprint(what))
		return true
	})
	slices.Sort(all)
	return all
}

// Queue returns a queue by its logical id, nil if there is none.
func (c *Cloud) Queue(id string) *memqueue.Queue {
	i := slices.IndexFunc(c.template.Queues, func(q template.Queue) bool { return q.LogicalID == id })
	if i < 0 {
		return nil
	}
	return c.state.queues[c.template.Queues[i].ARN]
}

// Queues returns the logical ids of all queues.
func (c *Cloud) Queues() []string {
	ids := make([]string, len(c.template.Queues))
	for i, q := range c.template.Queues {
		ids[i] = q.LogicalID
	}
	return ids
}

// Target is where samples are sent.
func (c *Cloud) Target() samples.Target {
	return samples.Target{Gateway: c.Gateway, PublicBaseURL: c.PublicBaseURL, CRMs: c.Simulated, Rests: c.isIdle}
}

// isIdle reports whether no queue holds a message.
func (c *Cloud) isIdle() bool {
	for _, q := range c.state.queues {
		if counters := q.Counters(); counters.Visible+counters.InFlight > 0 {
			return false
		}
	}
	return true
}

// Table returns a table by its logical id, nil if there is none.
func (c *Cloud) Table(id string) *memstore.Store {
	for _, t := range c.template.Tables {
		if t.LogicalID == id {
			return c.state.tables[t.Name]
		}
	}
	return nil
}

// Secrets returns the values of all secrets, for whoever makes sure that they are nowhere else.
func (c *Cloud) Secrets() []string { return slices.Sorted(maps.Values(c.state.secrets)) }

// Recycle ends the processes that have nothing to do: each function's next event is a cold start.
func (c *Cloud) Recycle() {
	for _, f := range c.functions {
		f.pool.Recycle()
	}
}
