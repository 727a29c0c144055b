package local

import (
	"context"
	"slices"
	"time"

	"signalbox/shared/dev/local/cloud"
	"signalbox/shared/dev/local/cloud/dynamodb"
	"signalbox/shared/dev/local/mapping"
)

// Hooks are for whoever measures or breaks what runs; each may be nil. They are called from many goroutines at once.
type Hooks struct {
	Observer cloud.Observer                             // sees every call to AWS and to a CRM
	Event    func(function string, event []byte) []byte // returns what a function is handed in place of an event
	Tables   func(dynamodb.Call) dynamodb.Fault         // says how a call to a table fails
	Done     func(Invocation)                           // is told of every invocation that ended
	// Throttled reports whether an invocation of a function by a queue is refused for want of concurrency.
	Throttled func(function string, b mapping.Batch) bool
	Invoked   func(function string, w mapping.Invocation) // is told of every batch that a function returned from
}

// Invocation is one run of a function that ended.
type Invocation struct {
	Function string // logical id
	MemoryMB int
	Took     time.Duration // what Lambda bills
	Failed   bool
	TimedOut bool   // and was killed for it
	Event    []byte // what it was handed
}

// Functions returns the logical ids of all functions with the names of their binaries.
func (c *Cloud) Functions() map[string]string {
	all := map[string]string{}
	for _, f := range c.functions {
		all[f.LogicalID] = f.Binary
	}
	return all
}

// function returns a function by its logical id, name or process, nil if there is none.
func (c *Cloud) function(name string) *function {
	i := slices.IndexFunc(c.functions, func(f *function) bool {
		return name == f.LogicalID || name == f.Name || f.LogicalID == (cloud.Call{Caller: name}).Function()
	})
	if i < 0 {
		return nil
	}
	return c.functions[i]
}

// Processes returns the ids of a function's processes, those that are at work first.
func (c *Cloud) Processes(function string) []string {
	if f := c.function(function); f != nil {
		return f.pool.Running()
	}
	return nil
}

// KillIf kills a process by SIGKILL if allowed says so of the event it works on (nil: none), and waits for its end.
func (c *Cloud) KillIf(process string, allowed func(event []byte) bool) bool {
	f := c.function(process)
	return f != nil && f.pool.KillIf(process, allowed)
}

// FreezeIf stops a process by SIGSTOP if allowed says so of the event it works on, and lets it go on after d.
func (c *Cloud) FreezeIf(process string, allowed func(event []byte) bool, d time.Duration) bool {
	f := c.function(process)
	return f != nil && f.pool.FreezeIf(process, allowed, d)
}

// Cold returns how long one more process of a function takes from its start until it asks for an event.
func (c *Cloud) Cold(ctx context.Context, function string) (time.Duration, error) {
	if f := c.function(function); f != nil {
		return f.pool.Cold(ctx)
	}
	return 0, cloud.ErrNoFunction
}

// Units returns what was asked of the tables so far, in what DynamoDB bills.
func (c *Cloud) Units() dynamodb.Usage { return c.database.Usage() }
