// Package template reads template.yaml as far as it means something on one machine: functions with what invokes them, queues,
// tables, buckets, keys and secrets, with every reference between them resolved. What has no local meaning (alarms, log groups, other policies,
// deployment) is named in this package; anything else is refused with its line, so that nothing is silently left out.
package template

import "time"

// Template is what runs locally.
type Template struct {
	Region, StackName string
	Parameters        map[string]string // resolved values by name
	Functions         []Function
	Queues            []Queue
	Tables            []Table
	Keys              []Key
	Secrets           []Secret
	Buckets           []string // by name
	Alarms            int      // how many: they cost, and nothing raises them here
}

// Function is one Lambda function.
type Function struct {
	LogicalID   string
	Name        string
	ARN         string
	Folder      string // of its package main, relative to the template, e.g. functions/router/cmd/route
	Binary      string // what `go build` calls it: the last element of Folder
	Timeout     time.Duration
	MemoryMB    int
	Environment map[string]string
	Routes      []Route
	Mappings    []Mapping
	Schedules   []Schedule
	Allowed     []Statement // by its role; nil where the template names none
}

// Route is one route of the HTTP API. Method is upper-case or "ANY"; Path may hold {name} and {name+}; both are empty for the
// default route.
type Route struct {
	Method, Path string
	Timeout      time.Duration // of the integration
	Signed       bool          // it is for requests that are signed with credentials of IAM
}

// Mapping is an SQS event source mapping.
type Mapping struct {
	QueueARN           string
	BatchSize          int
	Window             time.Duration // how long a batch is gathered
	MaximumConcurrency int           // 0: none was set
	ReportFailures     bool          // the function returns batchItemFailures
}

// Schedule invokes a function at a fixed rate.
type Schedule struct {
	Name  string
	Every time.Duration
	Input []byte // the event; nil for the scheduler's own
}

// Statement is one thing that a function's role allows.
type Statement struct {
	Sid       string
	Effect    string `only:"Allow"`
	Action    []string
	Resource  []string                       // ARNs, perhaps with "*" in them
	Condition map[string]map[string][]string // by operator and key, e.g. ForAllValues:StringLike of dynamodb:LeadingKeys; all must hold
}

// Queue is one SQS queue. Durations are the queue's attributes.
type Queue struct {
	LogicalID, Name, ARN  string
	FIFO                  bool
	GroupScope            bool // deduplication per message group
	Visibility, Retention time.Duration
	DeadLettersARN        string // where a message goes once it was received MaxReceive times
	MaxReceive            int
}

// Table is one DynamoDB table.
type Table struct{ LogicalID, Name string }

// Key is one KMS key. Aliases are without "alias/".
type Key struct {
	ID, ARN string
	Aliases []string
}

// Secret is one Secrets Manager secret, made of Length characters.
type Secret struct {
	Name, ARN string
	Length    int
}
