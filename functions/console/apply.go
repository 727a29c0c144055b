// Package console is what operators do through functions that are invoked directly. This release plans and applies tenant
// files.
package console

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"signalbox/shared/fault"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

// The actions of a request.
const (
	ActionPlan  = "plan"  // say what would change
	ActionApply = "apply" // change it
)

// Request is what apply-tenant is invoked with. The file holds credentials, so that nothing of a request is logged.
type Request struct {
	Action string          `json:"action"`
	File   json.RawMessage `json:"file"` // a tenant file
}

// Result says what is in force, or would be, and what changes; or, with Problems, why the file was refused. Then the last
// configuration stays in force.
type Result struct {
	Version  int              `json:"version,omitempty"`
	Changes  []tenant.Change  `json:"changes,omitzero"` // empty, not missing, when the file is what is in force
	Problems []tenant.Problem `json:"problems,omitempty"`
}

// Refuse returns the result of a request that cannot be read.
func Refuse(problem string) Result {
	return Result{Problems: []tenant.Problem{{Reason: problem}}}
}

// Tenants applies tenant files.
type Tenants struct {
	store   tenant.Store
	box     tenant.Box
	peppers *tenant.Peppers
	schemas *schemas
	logger  *slog.Logger
	meter   *telemetry.Meter
}

// NewTenants returns Tenants over the configuration table. The error is a deployment whose schemas cannot be used.
func NewTenants(s tenant.Store, box tenant.Box, p *tenant.Peppers, d Deployment, logger *slog.Logger, meter *telemetry.Meter) (*Tenants, error) {
	compiled, err := newSchemas(d)
	return &Tenants{s, box, p, compiled, logger, meter}, err
}

// Apply carries out a request. A file that is refused is a Result with Problems; the error is what is not the file's fault,
// by its code alone: the same request may be sent again.
func (t *Tenants) Apply(ctx context.Context, r Request) (Result, error) {
	carry := tenant.Publish
	switch r.Action {
	case ActionApply:
	case ActionPlan:
		carry = tenant.Plan
	default:
		return Result{Problems: []tenant.Problem{{Path: "action", Reason: "is not plan or apply"}}}, nil
	}
	file, err := t.decode(r.File)
	var outcome tenant.Outcome
	if err == nil {
		outcome, err = carry(ctx, t.store, t.box, t.peppers, file)
	}
	if refused, ok := errors.AsType[*tenant.InvalidError](err); ok {
		t.logger.WarnContext(ctx, "tenant file refused", slog.String("action", r.Action), slog.Int("problems", len(refused.Problems)))
		return Result{Problems: refused.Problems}, nil
	}
	if err != nil {
		sorted := fault.Of(err)
		t.meter.Count(telemetry.Failures, 1)
		t.logger.ErrorContext(ctx, "tenant file not applied", slog.String("action", r.Action), slog.String("tenant", file.Tenant.ID),
			slog.String("code", sorted.Code), slog.String("reason", sorted.Error()))
		return Result{}, errors.New(sorted.Code)
	}
	t.logger.InfoContext(ctx, "tenant file", slog.String("action", r.Action), slog.String("tenant", file.Tenant.ID),
		slog.Int("version", outcome.Version), slog.Int("changes", len(outcome.Changes)))
	return Result{Version: outcome.Version, Changes: outcome.Changes}, nil
}

// decode reads a file that fits its schema.
func (t *Tenants) decode(data []byte) (tenant.File, error) {
	problems := tenant.Syntax(data)
	if len(problems) == 0 {
		problems = t.schemas.check(data)
	}
	if len(problems) > 0 {
		return tenant.File{}, &tenant.InvalidError{Problems: problems}
	}
	return tenant.Decode(data)
}
