package chaos

import (
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"signalbox/shared/dev/local/cloud"
	"signalbox/shared/dev/local/mapping"
	"signalbox/shared/queue/memqueue"
)

// Hold is a batch that is received and waits for its invocation, as one does whose function is throttled, and whose process then
// stands still for a moment, so that visibility ends during its work.
type Hold struct {
	At       time.Duration `json:"at"` // from the beginning: not before
	Function string        `json:"function"`
	Left     time.Duration `json:"left"`  // of the visibility time-out when it is invoked; below zero it is not
	Pause    time.Duration `json:"pause"` // from SIGSTOP to SIGCONT
	Call     int           `json:"call"`  // of the invocation, at which it pauses, from 1
	After    bool          `json:"after"` // the call's effect; otherwise before it is passed on
}

// holds are about two in three seconds, one function after the other.
func (p *Plan) holds(random *rand.Rand, size Size, functions []string) {
	functions = slices.Sorted(slices.Values(functions))
	for i, at := 0, time.Second; at < size.Duration && len(functions) > 0; i, at = i+1, at+1500*time.Millisecond {
		p.Holds = append(p.Holds, Hold{
			At: at, Function: functions[i%len(functions)], Left: time.Duration(random.Int64N(int64(700*time.Millisecond))) - 100*time.Millisecond,
			Pause: 200*time.Millisecond + time.Duration(random.Int64N(int64(600*time.Millisecond))), Call: 1 + random.IntN(3), After: random.IntN(2) == 0,
		})
	}
}

// holder carries out the holds of a plan, and tells how long killed functions held their messages.
type holder struct {
	mu      sync.Mutex
	began   time.Time // of the plan; zero is not yet
	due     []Hold
	held    map[string]Hold // by the receipt of a batch's first message
	pauses  map[string]*due // by function
	ordered map[string]bool // functions of queues that keep order
	struck  map[work]*stroke
	again   map[string][]time.Duration // by function, how long messages stood still: until they were received again
	done    map[string][]time.Duration // and until they were done
	counts  map[string]int
}

// due is a pause that waits for its call.
type due struct {
	Hold
	message string // of the batch
	calls   int
}

// stroke is a kill of the function that worked on a message.
type stroke struct {
	at       time.Time
	received bool // again
}

// The counts of a holder.
const (
	heldBack  = "batches throttled"
	dropped   = "batches throttled until their visibility ended"
	paused    = "processes stopped in the middle of work"
	overtaken = "invocations that ended after their visibility"
)

func newHolder() *holder {
	return &holder{
		held: map[string]Hold{}, pauses: map[string]*due{}, ordered: map[string]bool{}, struck: map[work]*stroke{},
		again: map[string][]time.Duration{}, done: map[string][]time.Duration{}, counts: map[string]int{},
	}
}

// begin lets the holds of a plan come.
func (h *holder) begin(plan []Hold) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.began, h.due = time.Now(), slices.Clone(plan)
}

// functions returns those whose queues keep order, as far as they were seen.
func (h *holder) functions() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.ordered))
}

// throttled reports whether a batch is to wait longer.
func (h *holder) throttled(function string, b mapping.Batch) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	first := b.Messages[0]
	if first.Sequence == "" {
		return false
	}
	h.ordered[function] = true
	hold, ok := h.held[first.ReceiptHandle]
	if !ok {
		i := slices.IndexFunc(h.due, func(d Hold) bool { return d.Function == function })
		if i < 0 || time.Since(h.began) < h.due[i].At {
			return false
		}
		hold = h.due[i]
		h.due = slices.Delete(h.due, i, i+1) // clears what it frees
		h.held[first.ReceiptHandle] = hold
		h.counts[heldBack]++
		if hold.Left <= 0 {
			h.counts[dropped]++
		}
	}
	if time.Now().Before(b.Until.Add(-hold.Left)) {
		return true
	}
	delete(h.held, first.ReceiptHandle)
	h.pauses[function] = &due{Hold: hold, message: name(first)}
	return false
}

// name returns what messagesOf calls a message.
func name(d memqueue.Delivery) string {
	if d.Sequence == "" {
		return d.MessageID
	}
	return d.ID
}

// call counts a call of a process that has the messages of a held batch at hand, and returns the pause that is due at it.
func (h *holder) call(c cloud.Call, working func(process string) []string) (hold Hold, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := h.pauses[c.Function()]
	if next == nil || !slices.Contains(working(c.Caller), next.message) {
		return hold, false
	}
	if next.calls++; next.calls < next.Call {
		return hold, false
	}
	delete(h.pauses, c.Function())
	return next.Hold, true
}

// stands counts a pause.
func (h *holder) stands() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts[paused]++
}

// killed notes when a function was killed over messages.
func (h *holder) killed(function string, messages []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range messages {
		h.struck[work{function, m}] = &stroke{at: time.Now()}
	}
}

// worked notes what was done of which a function was killed before, and whether the work took longer than the batch was hidden.
func (h *holder) worked(function string, w mapping.Invocation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w.Ended.After(w.Until) {
		h.counts[overtaken]++
	}
	for _, d := range w.Messages {
		if s := h.struck[work{function, name(d)}]; s != nil && !s.received && w.Began.After(s.at) {
			s.received = true
			h.again[function] = append(h.again[function], w.Began.Sub(s.at))
		}
	}
	for _, d := range w.Done {
		key := work{function, name(d)}
		if s := h.struck[key]; s != nil {
			h.done[function] = append(h.done[function], w.Ended.Sub(s.at))
			delete(h.struck, key)
		}
	}
}

// counted returns the counts.
func (h *holder) counted() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.counts)
}

// recovery returns how long messages stood still, by function.
func (h *holder) recovery() map[string]Recovery {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string]Recovery{}
	for f, done := range h.done {
		out[f] = Recovery{Messages: len(done), Again: percentiles(h.again[f]), Done: percentiles(done)}
	}
	return out
}
