package memqueue

import "container/heap"

// hidden holds the messages in flight, the one that is visible again first at the front.
type hidden []*message

// Len is of heap.Interface.
func (h hidden) Len() int { return len(h) }

// Less is of heap.Interface. Messages of one receive come back in their order.
func (h hidden) Less(i, j int) bool {
	if h[i].until.Equal(h[j].until) {
		return h[i].sequence < h[j].sequence
	}
	return h[i].until.Before(h[j].until)
}

// Swap is of heap.Interface.
func (h hidden) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapIndex, h[j].heapIndex = i, j
}

// Push is of heap.Interface.
func (h *hidden) Push(x any) {
	m, ok := x.(*message)
	if !ok {
		return
	}
	m.heapIndex = len(*h)
	*h = append(*h, m)
}

// Pop is of heap.Interface.
func (h *hidden) Pop() any {
	last := len(*h) - 1
	m := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	m.heapIndex = -1
	return m
}

// put adds m, or moves it to the place of its new time.
func (h *hidden) put(m *message) {
	if m.inFlight() {
		heap.Fix(h, m.heapIndex)
		return
	}
	heap.Push(h, m)
}

// remove takes m out if it is in.
func (h *hidden) remove(m *message) {
	if m.inFlight() {
		heap.Remove(h, m.heapIndex)
	}
}
