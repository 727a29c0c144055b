package connector

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"signalbox/shared/fault"
	"signalbox/shared/receipt"
)

// holdBack finds out which bindings of a batch take nothing. Without a reply from the store all of them are written to, as ever.
func (r *Receipts) holdBack(ctx context.Context, work map[BindingKey]*todo) {
	if r.options.Gates == nil || len(work) == 0 {
		return
	}
	waiting, err := r.options.Gates.waiting(ctx, slices.Collect(maps.Keys(work)))
	if err != nil {
		r.options.Logger.WarnContext(ctx, "gates were not read", slog.String("code", fault.Of(err).Code))
		return
	}
	for of, todo := range work {
		todo.waits = waiting[of]
	}
}

// refused has what a CRM refuses to show, for a reason that is the tenant's, wait like what comes behind it.
func (r *Receipts) refused(ctx context.Context, of BindingKey, work *todo) {
	if r.options.Gates == nil {
		return
	}
	var why *fault.Error
	blocked := func(err error) bool { return err != nil && fault.Of(err).Kind == fault.Blocked }
	for _, s := range work.statuses {
		if blocked(s.err) {
			why = fault.Of(s.err)
		}
	}
	for _, s := range work.standings {
		if blocked(s.err) {
			why = fault.Of(s.err)
		}
	}
	if why == nil {
		return
	}
	if err := r.options.Gates.shut(ctx, of, why, nil); err != nil {
		r.options.Logger.WarnContext(ctx, "gate was not closed", slog.String("tenant", of.Tenant), slog.String("crm", of.CRM), slog.Any("error", err))
		return
	}
	r.keepWaiting(ctx, of, work, blocked)
}

// keepWaiting has those of a binding's tasks wait whose error is one that which reports. It reports false if they need not any more.
func (r *Receipts) keepWaiting(ctx context.Context, of BindingKey, work *todo, which func(error) bool) bool {
	var all []toldLater
	for _, s := range work.statuses {
		if which(s.err) {
			all = append(all, toldLater{s.Update, s.first, s.fail})
		}
	}
	for _, s := range work.standings {
		if which(s.err) {
			c := s.Conversation
			all = append(all, toldLater{receipt.Update{TenantID: of.Tenant, CRM: of.CRM, Channel: c.Channel, Conversation: &c}, s.first, s.fail})
		}
	}
	return len(r.options.Gates.tellLater(ctx, of, all)) == 0
}
