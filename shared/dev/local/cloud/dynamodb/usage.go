package dynamodb

import "maps"

// Usage is what was asked of the database, in the units it bills.
// See https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html.
type Usage struct {
	WriteUnits float64
	ReadUnits  float64        // an eventually consistent read of up to 4 KB is half a unit
	Calls      map[string]int // by operation
}

// Usage returns the sums since the last Reset.
func (h *Handler) Usage() Usage {
	h.mu.Lock()
	defer h.mu.Unlock()
	u := h.usage
	u.Calls = maps.Clone(u.Calls)
	return u
}

// Reset begins to count anew.
func (h *Handler) Reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.usage = Usage{Calls: map[string]int{}}
}

const (
	writeUnit = 1 << 10
	readUnit  = 4 << 10
)

func (h *Handler) wrote(units float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.usage.WriteUnits += units
}

func (h *Handler) readUnits(bytes int, consistent bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	units := float64(ceil(bytes, readUnit))
	if !consistent {
		units /= 2
	}
	h.usage.ReadUnits += units
}

// writeUnits is the price of one write: the larger of the items before and after, and at least one unit even when its condition failed.
func writeUnits(before, after item) float64 {
	return float64(ceil(max(size(before), size(after)), writeUnit))
}

func ceil(bytes, unit int) int { return max(1, (bytes+unit-1)/unit) }
