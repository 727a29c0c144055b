package template

import (
	"path"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

func (r *reader) readFunction(t *Template, res *resource) error {
	f := Function{LogicalID: res.id, Timeout: 3 * time.Second, MemoryMB: 128, Environment: map[string]string{}}
	var err error
	if f.Name, err = r.name(res); err != nil {
		return err
	}
	if f.ARN, err = r.attribute(&yaml.Node{Line: res.line}, res.id, "Arn"); err != nil {
		return err
	}
	// What is global comes first, what the function says replaces it.
	if err := r.read("Globals.Function", member(r.globals, "Function"), r.functionFields(&f)); err != nil {
		return err
	}
	if err := r.read(res.id, res.props, r.functionFields(&f)); err != nil {
		return err
	}
	if f.Folder == "" {
		return &Error{Line: res.line, Reason: res.id + ": a function without CodeUri does not run locally"}
	}
	f.Folder = path.Clean(f.Folder)
	f.Binary = path.Base(f.Folder)
	t.Functions = append(t.Functions, f)
	return nil
}

func (r *reader) functionFields(f *Function) fields {
	return fields{
		"FunctionName": none, // read before
		"PackageType":  r.only(f.LogicalID, "Zip"),
		"Runtime":      r.only(f.LogicalID, "provided.al2023"),
		"Handler":      r.only(f.LogicalID, "bootstrap"),
		"CodeUri":      r.intoText(&f.Folder),
		"Timeout":      r.intoDuration(&f.Timeout, time.Second),
		"MemorySize":   r.intoNumber(&f.MemoryMB),
		"Environment": func(n *yaml.Node) error {
			return r.read(f.LogicalID+".Environment", n, fields{"Variables": func(n *yaml.Node) error { return r.readEnvironment(f, n) }})
		},
		"Role": func(n *yaml.Node) error { return r.readRole(f, n) },
		"Events": func(n *yaml.Node) error {
			return r.pairs(n, func(key, value *yaml.Node) error { return r.readEvent(f, key.Value, value) })
		},
	}.without("Architectures", "AutoPublishAlias", "AutoPublishAliasAllProperties", "AutoPublishCodeSha256", "DeadLetterQueue",
		"DeploymentPreference", "Description", "EphemeralStorage", "EventInvokeConfig", "KmsKeyArn", "Layers", "LoggingConfig",
		"PermissionsBoundary", "Policies", "PropagateTags", "ProvisionedConcurrencyConfig", "RecursiveLoop", "ReservedConcurrentExecutions",
		"RuntimeManagementConfig", "SourceKMSKeyArn", "Tags", "Tracing", "VersionDescription", "VersionDeletionPolicy")
}

func (r *reader) readEnvironment(f *Function, n *yaml.Node) error {
	v, err := r.resolve(n)
	if err != nil || v == nil {
		return err
	}
	return r.pairs(v, func(key, value *yaml.Node) error {
		resolved, err := r.resolve(value)
		if err != nil {
			return err
		}
		if resolved == nil { // AWS::NoValue
			delete(f.Environment, key.Value)
			return nil
		}
		if resolved.Kind != yaml.ScalarNode {
			return refuse(value, "a single value is wanted here")
		}
		f.Environment[key.Value] = resolved.Value
		return nil
	})
}

func (r *reader) readEvent(f *Function, name string, n *yaml.Node) error {
	kind, props := member(n, "Type"), member(n, "Properties")
	if kind == nil {
		return refuse(n, "%s.%s: an event without a type", f.LogicalID, name)
	}
	what := f.LogicalID + "." + name
	switch kind.Value {
	case "HttpApi":
		return r.readRoute(f, what, props)
	case "SQS":
		return r.readMapping(f, what, props)
	case "Schedule", "ScheduleV2":
		return r.readSchedule(f, what, props)
	}
	return refuse(kind, "%s: an event of type %s is not understood locally", what, kind.Value)
}

func (r *reader) readRoute(f *Function, what string, n *yaml.Node) error {
	route := Route{Timeout: 30 * time.Second}
	if err := r.read(what, n, fields{
		"ApiId":                none, // there is one
		"Method":               r.intoText(&route.Method),
		"Path":                 r.intoText(&route.Path),
		"PayloadFormatVersion": r.only(what, "2.0"),
		"TimeoutInMillis":      r.intoDuration(&route.Timeout, time.Millisecond),
	}.without("RouteSettings")); err != nil {
		return err
	}
	route.Method = strings.ToUpper(route.Method)
	if route.Method == "X-AMAZON-APIGATEWAY-ANY-METHOD" {
		route.Method = "ANY"
	}
	f.Routes = append(f.Routes, route)
	return nil
}

func (r *reader) readMapping(f *Function, what string, n *yaml.Node) error {
	m := Mapping{BatchSize: 10}
	enabled := true
	if err := r.read(what, n, fields{
		"Queue":                          r.intoText(&m.QueueARN),
		"BatchSize":                      r.intoNumber(&m.BatchSize),
		"Enabled":                        r.intoFlag(&enabled),
		"MaximumBatchingWindowInSeconds": r.intoDuration(&m.Window, time.Second),
		"FunctionResponseTypes": func(n *yaml.Node) error {
			types, err := r.texts(n)
			m.ReportFailures = len(types) == 1 && types[0] == "ReportBatchItemFailures"
			return err
		},
		"ScalingConfig": func(n *yaml.Node) error {
			return r.read(what+".ScalingConfig", n, fields{"MaximumConcurrency": r.intoNumber(&m.MaximumConcurrency)})
		},
	}.without("MetricsConfig", "KmsKeyArn")); err != nil {
		return err
	}
	if enabled {
		f.Mappings = append(f.Mappings, m)
	}
	return nil
}

func (r *reader) readSchedule(f *Function, what string, n *yaml.Node) error {
	s := Schedule{Name: what}
	var expression, state, input string
	enabled := true
	if err := r.read(what, n, fields{
		"Schedule":           r.intoText(&expression),
		"ScheduleExpression": r.intoText(&expression),
		"Enabled":            r.intoFlag(&enabled),
		"State":              r.intoText(&state),
		"Input":              r.intoText(&input),
	}.without("Name", "Description", "RetryPolicy", "DeadLetterConfig", "FlexibleTimeWindow", "RoleArn", "PermissionsBoundary", "GroupName",
		"KmsKeyArn", "OmitName")); err != nil {
		return err
	}
	if input != "" {
		s.Input = []byte(input)
	}
	var ok bool
	if s.Every, ok = rate(expression); !ok {
		return refuse(n, "%s: the schedule %q is not understood locally, only rate(n minutes)", what, expression)
	}
	if enabled && state != "DISABLED" {
		f.Schedules = append(f.Schedules, s)
	}
	return nil
}

// rate reads "rate(5 minutes)".
func rate(expression string) (time.Duration, bool) {
	inner, found := strings.CutPrefix(expression, "rate(")
	inner, closed := strings.CutSuffix(inner, ")")
	number, unit, both := strings.Cut(inner, " ")
	n, err := strconv.Atoi(number)
	if !found || !closed || !both || err != nil || n < 1 {
		return 0, false
	}
	units := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}
	d := units[strings.TrimSuffix(unit, "s")]
	return time.Duration(n) * d, d > 0
}

// readAPI refuses what would change how requests reach functions.
func (r *reader) readAPI(t *Template, res *resource) error {
	return r.read(res.id, res.props, fields{
		"StageName": r.only(res.id, "$default"),
	}.without("AccessLogSettings", "DefaultRouteSettings", "RouteSettings", "Description", "DisableExecuteApiEndpoint", "FailOnWarnings",
		"Name", "PropagateTags", "Tags", "StageVariables"))
}
