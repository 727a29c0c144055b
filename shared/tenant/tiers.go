package tenant

// Tier is when a CRM is written to.
type Tier string

// The tiers.
const (
	Live  Tier = "live"  // at once
	Batch Tier = "batch" // at the next full hour, of UTC
)

// Tiers is when a CRM is told of what.
type Tiers struct {
	Messages Tier `json:"messages,omitempty"` // Live when left out
	Receipts Tier `json:"receipts,omitempty"` // that of messages when left out
}

// CollectsMessages reports whether messages wait for the hour.
func (t Tiers) CollectsMessages() bool { return t.Messages == Batch }

// CollectsReceipts reports whether receipts do.
func (t Tiers) CollectsReceipts() bool {
	return t.Receipts == Batch || t.Receipts == "" && t.CollectsMessages()
}
