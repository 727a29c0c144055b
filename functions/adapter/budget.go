package adapter

import (
	"context"
	"time"
)

// budget is the time that a webhook has from its arrival to its answer: that of the function's invocation. Its steps have shares of
// it, in hundredths, each once and one after the other. Together they leave some for the answer, so that what ends first still
// answers, and keeps what is authentic.
type budget time.Duration

// The shares of the steps. An event lane has queueShare twice and spoolShare; lanes are served side by side.
const (
	accountShare    = 20 // to look the account up, before the signature is checked
	parseShare      = 20 // to look up what the content names, after it
	queueShare      = 7
	spoolShare      = 20
	deadLetterShare = 22 // to keep it as a dead letter
	requestShare    = 11 // to claim it, and to note its answer, of those whose senders are told and have no dead letters
)

// defaultBudget is the time of what is not called by a provider, and of a function that is given no end.
const defaultBudget = budget(10 * time.Second)

// budgetOf returns the time that an invocation has.
func budgetOf(ctx context.Context) budget {
	if deadline, ok := ctx.Deadline(); ok {
		return budget(time.Until(deadline))
	}
	return defaultBudget
}

// share limits a step to its part.
func (b budget) share(ctx context.Context, hundredths int) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Duration(b)*time.Duration(hundredths)/100)
}
