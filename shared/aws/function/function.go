// Package function is what every deployed function has at its start: its environment, its name in logs and metrics, the clients
// of what it uses, and its end where something of that is missing. A main begins a Function, wires its parts from it, and starts it.
package function

import (
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"signalbox/shared/aws/awsclients"
	"signalbox/shared/aws/awsconfig"
	"signalbox/shared/aws/lambdasqs"
	"signalbox/shared/config"
	"signalbox/shared/keyring"
	"signalbox/shared/queue"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

// Function is one that has not started yet. Variables are read and parts made through it; what is missing is remembered, and
// Check and Start report all of it at once.
type Function struct {
	*config.Reader
	*awsclients.Clients

	Identity telemetry.Identity
	Logger   *slog.Logger
	Meter    *telemetry.Meter

	unconfigured error // of the clients
	tenants      *tenant.Directory
}

// Begin returns the function that this process is. Its name is Lambda's, and name where Lambda sets none.
func Begin(name string) *Function { return New(name, os.LookupEnv, os.Stdout) }

// New is Begin with an environment and an output of its own.
func New(name string, lookup func(string) (string, bool), output io.Writer) *Function {
	env := config.New(lookup)
	id := telemetry.IdentityFrom(env.Optional, name)
	aws, err := awsconfig.From(lookup)
	return &Function{
		Reader: env, Clients: awsclients.New(aws), Identity: id, unconfigured: err,
		Logger: telemetry.NewLogger(output, id), Meter: telemetry.NewMeter(output, id),
	}
}

// Tenants returns the tenants of CONFIG_TABLE, by one directory for all parts of the function. It opens their credentials and seals none.
func (f *Function) Tenants() *tenant.Directory {
	if f.tenants == nil {
		f.tenants = f.FreshTenants()
	}
	return f.tenants
}

// FreshTenants returns the tenants by a directory of their own, which has read nothing yet: a file that was applied a moment ago is in force there.
func (f *Function) FreshTenants() *tenant.Directory {
	return tenant.NewDirectory(f.Table(f.String("CONFIG_TABLE")), keyring.NewBox(f.Keys(""), nil), f.Logger, f.Meter)
}

// Peppers returns the tenants' peppers, which are made of PEPPER_SECRET.
func (f *Function) Peppers() *tenant.Peppers {
	return tenant.NewPeppers(f.Secrets(f.Logger), f.String("PEPPER_SECRET"))
}

// Box returns what seals credentials under DATA_KEY, and opens them.
func (f *Function) Box() *keyring.Box {
	return keyring.NewBox(f.Keys(f.String("DATA_KEY")), rand.Reader)
}

// Margin returns how long before its time-out the function begins nothing new.
func (f *Function) Margin() time.Duration { return f.Seconds("SOFT_MARGIN_SECONDS") }

// Worker returns a worker with the times of the environment. Its Handler is the caller's to set, and its DeadLetters where it
// gives messages up.
func (f *Function) Worker(stage string) *queue.Worker {
	return &queue.Worker{
		Stage: stage, Logger: f.Logger, Meter: f.Meter, Identity: f.Identity, Random: mathrand.Float64,
		Patience: f.Seconds("PATIENCE_SECONDS"), BlockedWait: f.Seconds("BLOCKED_WAIT_SECONDS"),
		BackoffMin: f.Seconds("BACKOFF_MIN_SECONDS"), BackoffMax: f.Seconds("BACKOFF_MAX_SECONDS"),
		MessageTime: f.Seconds("MESSAGE_SECONDS"), SoftMargin: f.Margin(),
	}
}

// DeadLetters returns the queue of what the function's worker gives up.
func (f *Function) DeadLetters() queue.Publisher { return f.Queue(f.String("DEAD_LETTERS_URL")) }

// Err returns what is missing or wrong so far, nil for nothing.
func (f *Function) Err() error { return errors.Join(f.unconfigured, f.Reader.Err()) }

// Check ends the process if err is an error or something is missing so far, and logs all of it.
func (f *Function) Check(err error) {
	if err := errors.Join(f.Err(), err); err != nil {
		f.Logger.Error("cannot start", slog.String("reason", err.Error()))
		os.Exit(1)
	}
}

// StartWorker starts the function with what w does to the batches of its own queue. It never returns.
func (f *Function) StartWorker(w *queue.Worker) {
	f.Start(lambdasqs.Handler(w, f.Queue(f.String("QUEUE_URL")), f.Logger))
}

// Start checks what was read and starts the function with a handler, as lambdahttp, lambdainvoke and lambdasqs make it. It never
// returns.
func (f *Function) Start(handler any) {
	f.Check(nil)
	lambda.Start(handler)
}
