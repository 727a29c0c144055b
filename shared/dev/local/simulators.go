package local

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"signalbox/shared/dev/local/cloud"
	"signalbox/shared/dev/local/process"
	"signalbox/shared/dev/samples"
)

// A simulator is a CRM in memory: a command beside the connector whose name ends in -simulate, without a block in the template.
const (
	simulatorPattern = "functions/connector/*/cmd/*-simulate"
	simulatorStart   = 10 * time.Second
)

func portVariable(crm string) string { return strings.ToUpper(crm) + "_PORT" }

// SimulatedCRMs returns the CRMs that have a simulator, in the order of their names.
func SimulatedCRMs(root string) ([]string, error) {
	found, err := simulators(root)
	return slices.Sorted(maps.Keys(found)), err
}

// simulators returns the names of the simulators' binaries by CRM.
func simulators(root string) (map[string]string, error) {
	folders, err := filepath.Glob(filepath.Join(root, simulatorPattern))
	if err != nil {
		return nil, fmt.Errorf("local: %w", err)
	}
	found := map[string]string{}
	for _, folder := range folders {
		found[filepath.Base(filepath.Dir(filepath.Dir(folder)))] = filepath.Base(folder)
	}
	return found, nil
}

// startSimulators starts every simulator there is.
func (c *Cloud) startSimulators(ctx context.Context) error {
	start := Simulators{Root: c.options.Root, Ports: c.options.Ports, Limits: c.options.CRMLimits, Output: c.log.Lines, Guardian: c.guardian}
	started, err := start.Start(ctx, c.life)
	if err != nil {
		return err
	}
	for crm, s := range started {
		c.Simulated[crm], c.CRMs[crm], c.bindings[crm] = s, s.URL, s.URL
		if c.options.Hooks.Observer == nil {
			continue
		}
		if err := c.observeCRM(ctx, crm, s.URL); err != nil {
			return err
		}
	}
	return nil
}

// Simulators says how the CRM simulators are started.
type Simulators struct {
	Root     string
	Ports    map[string]int // by variable; 0 or none is any free one
	Limits   bool           // they limit requests as the CRMs do
	Output   func(name string) io.Writer
	Guardian *process.Guardian // sees to their end
}

// Start starts the simulator of every CRM that the demo tenant is bound to, and returns them by CRM. Each lets in who has the token and
// the settings of its kind in the demo tenant's file. They run until life is done.
func (o Simulators) Start(ctx, life context.Context) (map[string]samples.Simulator, error) {
	found, err := simulators(o.Root)
	if err != nil {
		return nil, err
	}
	file, err := readDemoTenant(o.Root)
	if err != nil {
		return nil, err
	}
	started := map[string]samples.Simulator{}
	for _, binding := range bound(file) {
		kind, _ := binding["kind"].(string)
		if found[kind] == "" { // ApplyDemo says so
			continue
		}
		if started[kind], err = o.start(ctx, life, kind, found[kind], binding); err != nil {
			return nil, err
		}
	}
	return started, nil
}

// start starts a CRM's simulator, which lets in who has the token and the settings of a binding.
func (o Simulators) start(ctx, life context.Context, crm, binary string, binding map[string]any) (about samples.Simulator, err error) {
	variable := portVariable(crm)
	port, err := Reserve(ctx, variable, o.Ports[variable])
	if err != nil {
		return about, err
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	token, _ := binding["token"].(string)
	settings, err := json.Marshal(binding["settings"])
	if err != nil {
		return about, fmt.Errorf("local: %w", err)
	}
	environment := append(sparingEnvironment(), "PATH="+os.Getenv("PATH"), "SIMULATOR_TOKEN="+token, "SIMULATOR_SETTINGS="+string(settings))
	if !o.Limits {
		environment = append(environment, "SIMULATOR_LIMIT=0")
	}
	child, err := o.Guardian.Start(life, process.Spec{
		Path: filepath.Join(o.Root, binaries, binary), Args: []string{"-listen", address}, Dir: o.Root,
		Output: o.Output(binary), Env: environment,
	})
	if err != nil {
		return about, err
	}
	base := "http://" + address
	ctx, cancel := context.WithTimeout(ctx, simulatorStart)
	defer cancel()
	if err := Await(ctx, child, func() (err error) {
		about, err = samples.Look(ctx, base)
		return err
	}); err != nil {
		return about, fmt.Errorf("local: %s: %w", binary, err)
	}
	return about, nil
}

// Await tries until it succeeds, until the child that is awaited has ended, or until ctx is done. The child may be nil.
func Await(ctx context.Context, child *process.Child, try func() error) error {
	var ended <-chan struct{}
	if child != nil {
		ended = child.Ended()
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ended:
			return fmt.Errorf("it ended: %s", child.Status())
		case <-ctx.Done():
			return err
		}
	}
}

// observeCRM puts a proxy in front of a simulator, so that its calls are call boundaries too.
func (c *Cloud) observeCRM(ctx context.Context, crm, base string) error {
	target, err := url.Parse(base)
	if err != nil {
		return fmt.Errorf("local: %w", err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // a token may be for one host alone
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, // a simulator that hangs up
	}
	call := func(r *http.Request) (cloud.Call, http.Handler) {
		who := ""
		if caller, ok := r.Context().Value(callerKey{}).(func() string); ok {
			who = caller()
		}
		if who == "" {
			who = c.callerAtWork(crm)
		}
		return cloud.Call{Service: crm, Operation: r.Method + " " + r.URL.Path, Caller: who}, proxy
	}
	listener, err := listen(ctx, "a proxy's port", 0)
	if err != nil {
		return err
	}
	c.serve(listener, cloud.Observe(c.options.Hooks.Observer, call), func(ctx context.Context, end net.Conn) context.Context {
		// Asked by the first request: here it would hold up whoever connects next, for it takes its time.
		return context.WithValue(ctx, callerKey{}, sync.OnceValue(func() string { return c.callerOf(crm, end) }))
	})
	c.bindings[crm] = "http://" + listener.Addr().String()
	return nil
}

// callerKey is where a connection's context holds a function that returns the process at its other end.
type callerKey struct{}

// A look-up reads the list of all sockets of the machine. One that takes longer than slowOwner is none for a while: it would hold calls
// up until they time out, and their new connections make the list longer.
const (
	slowOwner = 100 * time.Millisecond
	noOwner   = 5 * time.Second
)

// callerOf returns the process of the functions in a CRM's folder that is at the other end of a connection, "" if nobody can tell.
func (c *Cloud) callerOf(crm string, end net.Conn) string {
	began := time.Now()
	if began.UnixNano() < c.noOwner.Load() {
		return ""
	}
	defer func() {
		if time.Since(began) > slowOwner {
			c.noOwner.Store(time.Now().Add(noOwner).UnixNano())
		}
	}()
	other, err := netip.ParseAddrPort(end.RemoteAddr().String())
	if err != nil {
		return ""
	}
	for _, f := range c.connectors(crm) {
		if id := f.pool.Owner(other); id != "" {
			return id
		}
	}
	return ""
}

// callerAtWork guesses who talks to a CRM: of the functions in its folder, a process that is at work.
func (c *Cloud) callerAtWork(crm string) string {
	for _, f := range c.connectors(crm) {
		if running := f.pool.Running(); len(running) > 0 {
			return running[0]
		}
	}
	return ""
}

// connectors returns the functions in a CRM's folder.
func (c *Cloud) connectors(crm string) []*function {
	var found []*function
	for _, f := range c.functions {
		if strings.HasPrefix(f.Folder, "functions/connector/"+crm+"/") {
			found = append(found, f)
		}
	}
	return found
}
