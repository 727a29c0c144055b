// Package console is what operators do through a function that is invoked directly: plan and apply the files of tenants and of accounts
// that several of them have lines of, show and enter consent.
package console

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"signalbox/shared/consent"
	"signalbox/shared/fault"
	"signalbox/shared/telemetry"
	"signalbox/shared/tenant"
)

// The actions of a request.
const (
	ActionPlan  = "plan"  // say what would change
	ActionApply = "apply" // change it
)

// Request is what apply-tenant is invoked with. A file holds credentials and consent addresses, so that nothing of a request is logged.
type Request struct {
	Action  string           `json:"action"`            // of this package, or of package consent
	File    json.RawMessage  `json:"file,omitempty"`    // a tenant's file, or that of an account
	Consent *consent.Request `json:"consent,omitempty"` // of an action of consent
}

// Result says what is in force, or would be, and what changes; or, with Problems, why the file was refused. Then the last
// configuration stays in force.
type Result struct {
	Version  int              `json:"version,omitempty"`
	Changes  []tenant.Change  `json:"changes,omitzero"` // empty, not missing, when the file is what is in force
	Problems []tenant.Problem `json:"problems,omitempty"`
	Consent  *consent.Result  `json:"consent,omitempty"` // of an action of consent
}

// Refuse returns the result of a request that cannot be read.
func Refuse(problem string) Result {
	return Result{Problems: []tenant.Problem{{Reason: problem}}}
}

// Serve returns what carries out any request.
func Serve(t *Tenants, c *Consents) func(context.Context, Request) (Result, error) {
	return func(ctx context.Context, r Request) (Result, error) {
		switch r.Action {
		case consent.Show, consent.Plan, consent.Enter, consent.Export:
		default:
			return t.Apply(ctx, r)
		}
		if r.Consent == nil {
			return Result{Problems: []tenant.Problem{{Path: "consent", Reason: "is missing"}}}, nil
		}
		result, err := c.Do(ctx, r.Action, *r.Consent)
		return Result{Consent: &result}, err
	}
}

// Tenants applies the files of tenants and accounts.
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
	if r.Action != ActionApply && r.Action != ActionPlan {
		return Result{Problems: []tenant.Problem{{Path: "action", Reason: "is not plan or apply"}}}, nil
	}
	carry, whose := t.tenant, "tenant"
	if isAccount(r.File) {
		carry, whose = t.account, "account"
	}
	id, outcome, err := carry(ctx, r)
	if refused, ok := errors.AsType[*tenant.InvalidError](err); ok {
		t.logger.WarnContext(ctx, "file refused", slog.String("action", r.Action), slog.Int("problems", len(refused.Problems)))
		return Result{Problems: refused.Problems}, nil
	}
	if err != nil {
		sorted := fault.Of(err)
		t.meter.Count(telemetry.Failures, 1)
		t.logger.ErrorContext(ctx, "file not applied", slog.String("action", r.Action), slog.String(whose, id),
			slog.String("code", sorted.Code), slog.String("reason", sorted.Error()))
		return Result{}, errors.New(sorted.Code)
	}
	t.logger.InfoContext(ctx, "file", slog.String("action", r.Action), slog.String(whose, id),
		slog.Int("version", outcome.Version), slog.Int("changes", len(outcome.Changes)))
	return Result{Version: outcome.Version, Changes: outcome.Changes}, nil
}

// isAccount reports whether a file is that of an account. What is neither is refused as a tenant's.
func isAccount(data []byte) bool {
	var top map[string]json.RawMessage
	_ = json.Unmarshal(data, &top) // a file that cannot be read has no members
	return top["tenant"] == nil && (top["account"] != nil || top["owner"] != nil)
}

// tenant carries out a request with a tenant's file and returns its id.
func (t *Tenants) tenant(ctx context.Context, r Request) (id string, o tenant.Outcome, err error) {
	check := func(data []byte) ([]tenant.Problem, error) {
		return t.schemas.check(data, func(accounts []string) (map[string]string, error) { return tenant.Providers(ctx, t.store, accounts) })
	}
	f, err := decode(r.File, check, tenant.Decode)
	if err != nil {
		return "", o, err
	}
	carry := tenant.Publish
	if r.Action == ActionPlan {
		carry = tenant.Plan
	}
	o, err = carry(ctx, t.store, t.box, t.peppers, f)
	return f.Tenant.ID, o, err
}

// account carries out a request with an account's file and returns its id.
func (t *Tenants) account(ctx context.Context, r Request) (id string, o tenant.Outcome, err error) {
	f, err := decode(r.File, t.schemas.checkAccountFile, tenant.DecodeAccount)
	if err != nil {
		return "", o, err
	}
	carry := tenant.PublishAccount
	if r.Action == ActionPlan {
		carry = tenant.PlanAccount
	}
	o, err = carry(ctx, t.store, t.box, t.peppers, f)
	return f.Account.ID, o, err
}

// decode reads a file that fits its schema.
func decode[F any](data []byte, check func([]byte) ([]tenant.Problem, error), read func([]byte) (F, error)) (f F, err error) {
	problems := tenant.Syntax(data)
	if len(problems) == 0 {
		problems, err = check(data)
	}
	switch {
	case err != nil:
		return f, err
	case len(problems) > 0:
		return f, &tenant.InvalidError{Problems: problems}
	}
	return read(data)
}
