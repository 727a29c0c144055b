package connector

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"signalbox/shared/delivery"
	"signalbox/shared/fault"
)

// priorityOf returns what a delivery is for.
func priorityOf(d *delivery.Delivery) Priority {
	switch {
	case d.OptsOut():
		return ForOptOuts
	case d.ID.OfFile():
		return ForFiles
	default:
		return ForMessages
	}
}

// callsFor estimates how many calls so many deliveries or updates make, width in a call. What it estimates too low the next ones pay.
func callsFor(n, width int) int { return 2 * ((n + width - 1) / width) }

// admit returns the items that the budget of their CRM allows, those that matter most first. A file that it does not allow stays a link.
func (c *Connector[R]) admit(ctx context.Context, items []*item) (admitted []*item) {
	if c.options.Budget == nil {
		return items
	}
	type lot struct {
		BindingKey
		Priority
	}
	lots := map[lot][]*item{}
	for _, it := range items {
		at := lot{KeyOf(it.delivery), priorityOf(&it.delivery)}
		lots[at] = append(lots[at], it)
	}
	for _, at := range slices.SortedFunc(maps.Keys(lots), func(a, b lot) int { return cmp.Compare(b.Priority, a.Priority) }) {
		err := c.options.Budget.Admit(ctx, at.BindingKey, at.Priority, callsFor(len(lots[at]), c.options.Width))
		if err == nil {
			admitted = append(admitted, lots[at]...)
			continue
		}
		for _, it := range lots[at] {
			c.hold(ctx, it, err)
		}
	}
	return admitted
}

// hold keeps an item from beginning.
func (c *Connector[R]) hold(ctx context.Context, it *item, err error) {
	f := fault.Of(err)
	if it.delivery.ID.OfFile() && f.Kind == fault.Blocked {
		c.leaveAlone(it.context(ctx), it, f.Code)
		return
	}
	it.failed(err)
	c.count(it, f)
}
