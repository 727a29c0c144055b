package tenant

// Tier is when a CRM is written to.
type Tier string

// The tiers.
const (
	Live  Tier = "live"  // at once
	Batch Tier = "batch" // at the next full hour, of UTC
	Bulk  Tier = "bulk"  // when the CRM has time for it, beside what is live
)

// Tiers is when a CRM is told of what.
type Tiers struct {
	Messages Tier `json:"messages,omitempty"` // Live when left out
	Receipts Tier `json:"receipts,omitempty"` // that of messages when left out
	History  Tier `json:"history,omitempty"`  // Bulk when left out; Live: among messages, whose tier it then has
}

// CollectsMessages reports whether messages wait for the hour.
func (t Tiers) CollectsMessages() bool { return t.Messages == Batch }

// CollectsReceipts reports whether receipts do.
func (t Tiers) CollectsReceipts() bool {
	return t.Receipts == Batch || t.Receipts == "" && t.CollectsMessages()
}

// BulkHistory reports whether what is of a history has a lane of its own.
func (t Tiers) BulkHistory() bool { return t.History != Live }
