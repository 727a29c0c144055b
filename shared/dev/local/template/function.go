package template

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

func (r *reader) readFunction(res *resource) error {
	p := struct {
		PackageType string `only:"Zip"`
		Runtime     string `only:"provided.al2023"`
		Handler     string `only:"bootstrap"`
		CodeUri     string //nolint:revive // SAM's name
		Timeout     time.Duration
		MemorySize  int
		Environment struct{ Variables map[string]string }
		Role        string
		Events      *yaml.Node

		FunctionName, Architectures, AutoPublishAlias, AutoPublishAliasAllProperties, AutoPublishCodeSha256, DeadLetterQueue unread
		DeploymentPreference, Description, EphemeralStorage, EventInvokeConfig, KmsKeyArn, Layers, LoggingConfig             unread
		PermissionsBoundary, Policies, PropagateTags, ProvisionedConcurrencyConfig, RecursiveLoop                            unread
		ReservedConcurrentExecutions, RuntimeManagementConfig, SourceKMSKeyArn, Tags, Tracing                                unread
		VersionDescription, VersionDeletionPolicy                                                                            unread
	}{Timeout: 3 * time.Second, MemorySize: 128}
	// What is global comes first, what the function says replaces it.
	if err := r.fill("Globals.Function", r.globals, &p); err != nil {
		return err
	}
	if err := r.fill(res.id, res.Properties, &p); err != nil {
		return err
	}
	if p.CodeUri == "" {
		return res.refuse("a function without CodeUri does not run locally")
	}
	folder := path.Clean(p.CodeUri)
	f := Function{
		LogicalID: res.id, Name: res.name, ARN: r.values[res.id+".Arn"], Folder: folder, Binary: path.Base(folder),
		Timeout: p.Timeout, MemoryMB: p.MemorySize, Environment: p.Environment.Variables, Allowed: r.roles[p.Role],
	}
	if p.Role != "" && f.Allowed == nil {
		return res.refuse("a role is !GetAtt <role of this template>.Arn")
	}
	err := pairs(p.Events, func(key, value *yaml.Node) error { return r.readEvent(&f, key.Value, value) })
	r.template.Functions = append(r.template.Functions, f)
	return err
}

func (r *reader) readEvent(f *Function, name string, n *yaml.Node) error {
	what := f.LogicalID + "." + name
	var event struct {
		Type       string
		Properties *yaml.Node
	}
	if err := r.fill(what, n, &event); err != nil {
		return err
	}
	switch event.Type {
	case "HttpApi":
		return r.readRoute(f, what, event.Properties)
	case "SQS":
		return r.readMapping(f, what, event.Properties)
	case "Schedule", "ScheduleV2":
		return r.readSchedule(f, what, event.Properties)
	}
	return refuse(n, "%s: an event of type %s is not understood locally", what, event.Type)
}

func (r *reader) readRoute(f *Function, what string, n *yaml.Node) error {
	p := struct {
		Method, Path         string
		PayloadFormatVersion string `only:"2.0"`
		TimeoutInMillis      int
		Auth                 struct {
			Authorizer string `only:"AWS_IAM"`
		}

		ApiId, RouteSettings unread //nolint:revive // SAM's name; there is one API
	}{TimeoutInMillis: 30000}
	if err := r.fill(what, n, &p); err != nil {
		return err
	}
	signed := p.Auth.Authorizer != ""
	if signed && !r.hasIAM {
		return refuse(n, "%s: the API has no EnableIamAuthorizer", what)
	}
	f.Routes = append(f.Routes, Route{
		Method: strings.ToUpper(p.Method), Path: p.Path, Timeout: time.Duration(p.TimeoutInMillis) * time.Millisecond, Signed: signed,
	})
	return nil
}

func (r *reader) readMapping(f *Function, what string, n *yaml.Node) error {
	p := struct {
		Queue                          string
		BatchSize                      int
		Enabled                        string        `only:"true"`
		MaximumBatchingWindowInSeconds time.Duration //nolint:staticcheck // CloudFormation's name
		FunctionResponseTypes          []string
		ScalingConfig                  struct{ MaximumConcurrency int }
		MetricsConfig, KmsKeyArn       unread
	}{BatchSize: 10}
	if err := r.fill(what, n, &p); err != nil {
		return err
	}
	f.Mappings = append(f.Mappings, Mapping{
		QueueARN: p.Queue, BatchSize: p.BatchSize, Window: p.MaximumBatchingWindowInSeconds,
		MaximumConcurrency: p.ScalingConfig.MaximumConcurrency,
		ReportFailures:     slices.Contains(p.FunctionResponseTypes, "ReportBatchItemFailures"),
	})
	return nil
}

func (r *reader) readSchedule(f *Function, what string, n *yaml.Node) error {
	var p struct {
		Schedule, ScheduleExpression, Input string

		State   string `only:"ENABLED"`
		Enabled string `only:"true"`

		Name, Description, RetryPolicy, DeadLetterConfig, FlexibleTimeWindow, RoleArn, PermissionsBoundary unread
		GroupName, KmsKeyArn, OmitName                                                                     unread
	}
	if err := r.fill(what, n, &p); err != nil {
		return err
	}
	s := Schedule{Name: what, Every: rate(p.Schedule + p.ScheduleExpression)}
	if s.Every <= 0 {
		return refuse(n, "%s: the schedule %q is not understood locally, only rate(n minutes)", what, p.Schedule+p.ScheduleExpression)
	}
	if p.Input != "" {
		s.Input = []byte(p.Input)
	}
	f.Schedules = append(f.Schedules, s)
	return nil
}

// rate reads "rate(5 minutes)"; 0 is another expression.
func rate(expression string) time.Duration {
	var n int
	var unit string
	if _, err := fmt.Sscanf(expression, "rate(%d %s", &n, &unit); err != nil {
		return 0
	}
	units := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}
	return time.Duration(n) * units[strings.TrimSuffix(strings.TrimSuffix(unit, ")"), "s")]
}
