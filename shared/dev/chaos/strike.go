package chaos

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"signalbox/shared/dev/local"
	"signalbox/shared/dev/local/cloud"
	"signalbox/shared/dev/plugins"
)

// mostKills is how often the function that works on a message may be killed, at each stage. The next one makes a dead letter.
const mostKills = 2

// receiver ends the names of the functions that answer webhooks.
const receiver = "Receive"

// processes is what a striker needs of the local cloud.
type processes interface {
	KillIf(process string, allowed func(event []byte) bool) bool
	FreezeIf(process string, allowed func(event []byte) bool, d time.Duration) bool
	Processes(function string) []string
}

// striker is the observer that carries out the kills of a plan, and never the third one of a message at one stage.
type striker struct {
	cloud processes                              // set once, before the first strike is due
	hangs func() bool                            // reports whether the next call to a table is to hang; nil is never
	loses func(cloud.Call) (request, reply bool) // reports what of a call gets lost; nil is nothing
	holds *holder
	spool func() []string // returns the ids of the messages that are in the spool now; nil is none

	mu      sync.Mutex
	calls   map[Boundary]int // seen
	due     []*waiting       // at boundaries, whose time has come
	kills   map[work]int     // by message and function
	done    map[string]int   // strikes carried out, by their words
	missed  map[string]int   // those that found nothing to kill
	total   int              //
	spooled map[string]bool  // messages, by the ids of their events
}

// waiting is a strike that waits for its boundary.
type waiting struct {
	Strike
	over chan struct{} // closed when it was carried out
}

// work is a message in the hands of a function.
type work struct{ function, message string }

func newStriker() *striker {
	return &striker{holds: newHolder(), calls: map[Boundary]int{}, kills: map[work]int{}, done: map[string]int{}, missed: map[string]int{}, spooled: map[string]bool{}}
}

// Pass carries out the first strike that is due at this call.
func (s *striker) Pass(c cloud.Call, effect func()) bool {
	b := boundaryOf(c)
	s.note(b)
	if s.strike(c, b, false) {
		return false
	}
	var request, reply bool
	if s.loses != nil {
		request, reply = s.loses(c)
	}
	if request {
		return false
	}
	hold, holds := s.holds.call(c, s.working)
	if holds && !hold.After {
		s.stand(c, hold)
	}
	effect()
	s.lookAtSpool(b)
	if holds && hold.After {
		s.stand(c, hold)
	}
	if reply || s.hang(c) {
		return false
	}
	return !s.strike(c, b, true)
}

// event returns what a process works on, nil for nothing.
func (s *striker) event(process string) (at []byte) {
	s.processes().KillIf(process, func(event []byte) bool {
		at = event
		return false
	})
	return at
}

// working returns the messages that a process works on.
func (s *striker) working(process string) []string { return messagesOf(s.event(process)) }

// stand lets the caller stand still for a while. Its time may be over then, which looks like a kill and counts as one.
func (s *striker) stand(c cloud.Call, h Hold) {
	if s.processes().FreezeIf(c.Caller, func(event []byte) bool { return s.share(c.Function(), messagesOf(event)) }, h.Pause) {
		s.holds.stands()
	}
}

// hanging is longer than any function waits for a table.
const hanging = 1600 * time.Millisecond

// hang lets a call to a table that had its effect go without an answer until the caller has given up. Who waits so long may leave
// a claim open, which looks like a kill and counts as one.
func (s *striker) hang(c cloud.Call) bool {
	if s.hangs == nil || c.Service != "dynamodb" || !s.hangs() {
		return false
	}
	event := s.event(c.Caller)
	if event == nil || !s.share(c.Function(), messagesOf(event)) {
		return false
	}
	time.Sleep(hanging)
	return true
}

// share reports whether a function may be killed over these messages, and counts it.
func (s *striker) share(function string, messages []string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range messages {
		if s.kills[work{function, m}] >= mostKills {
			return false
		}
	}
	for _, m := range messages {
		s.kills[work{function, m}]++
	}
	return true
}

// ended counts a time-out as a kill: on a busy machine functions reach theirs by themselves.
func (s *striker) ended(i local.Invocation) {
	if !i.TimedOut {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range messagesOf(i.Event) {
		s.kills[work{i.Function, m}]++
	}
}

// note counts a call.
func (s *striker) note(b Boundary) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[b]++
}

// lookAtSpool notes what is in the spool when a receiver has written to a table. What it wrote there cannot be gone yet: that waits for a schedule.
func (s *striker) lookAtSpool(b Boundary) {
	if s.spool == nil || !strings.HasSuffix(b.Function, receiver) || b.Service != "dynamodb" ||
		!slices.Contains([]string{"PutItem", "BatchWriteItem"}, b.Operation) {
		return
	}
	ids := s.spool()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		s.spooled[id] = true
	}
}

// strike kills the caller if a strike is due and allowed.
func (s *striker) strike(c cloud.Call, b Boundary, after bool) bool {
	s.mu.Lock()
	i := slices.IndexFunc(s.due, func(d *waiting) bool { return d.Boundary == b && d.After == after })
	if i < 0 {
		s.mu.Unlock()
		return false
	}
	next := s.due[i]
	s.due = slices.Delete(s.due, i, i+1)
	s.mu.Unlock()
	if s.kill(c.Caller, next.Strike) {
		close(next.over)
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.due = append(s.due, next) // another time, with another message
	return false
}

// kill kills a process unless one of the messages it works on has had its share.
func (s *striker) kill(process string, by Strike) bool {
	function := cloud.Call{Caller: process}.Function()
	var messages []string
	killed := s.processes().KillIf(process, func(event []byte) bool {
		messages = messagesOf(event)
		return s.share(function, messages)
	})
	if killed {
		s.holds.killed(function, messages)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.done[by.String()]++
		s.total++
	}
	return killed
}

// How long a strike waits for its boundary, and then for a process to be killed at any moment: a function that only a schedule
// invokes has one again within three rounds of it.
const (
	patience = 5 * time.Second
	searches = 45 * time.Second
)

// run lets strikes become due at their times, and waits until all were carried out or had their time. It notes those that were not.
func (s *striker) run(ctx context.Context, plan []Strike) {
	start := time.Now()
	var all sync.WaitGroup
	defer all.Wait()
	for i, next := range plan {
		if !sleep(ctx, time.Until(start.Add(next.At))) {
			for _, never := range plan[i:] {
				s.miss(never)
			}
			return
		}
		all.Go(func() {
			if !next.Random && s.await(ctx, next) {
				return
			}
			random := next
			random.Random = true
			if !s.anyMoment(ctx, random) {
				s.miss(next)
			}
		})
	}
}

func (s *striker) miss(one Strike) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missed[one.String()]++
}

// await lets a strike be due, and reports false if its boundary does not come.
func (s *striker) await(ctx context.Context, next Strike) bool {
	w := &waiting{next, make(chan struct{})}
	s.mu.Lock()
	s.due = append(s.due, w)
	s.mu.Unlock()
	tick := time.NewTicker(patience)
	defer tick.Stop()
	for {
		select {
		case <-w.over:
			return true
		case <-ctx.Done():
		case <-tick.C:
		}
		if s.withdraw(w) {
			return false
		}
	}
}

// withdraw takes a strike back that is due and not just being tried.
func (s *striker) withdraw(w *waiting) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.due, w)
	if i >= 0 {
		s.due = slices.Delete(s.due, i, i+1)
	}
	return i >= 0
}

// anyMoment kills a process of the function a little after it was seen at work, or idle if it is not at work for long. It reports
// false if there is none for too long that may be killed.
func (s *striker) anyMoment(ctx context.Context, next Strike) bool {
	ctx, cancel := context.WithTimeout(ctx, searches)
	defer cancel()
	for tries := 0; sleep(ctx, time.Millisecond); tries++ {
		for _, process := range s.processes().Processes(next.Boundary.Function) {
			if (s.event(process) != nil || tries > 1000) && sleep(ctx, next.Delay) && s.kill(process, next) {
				return true
			}
		}
	}
	return false
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// messagesOf returns what the messages of an event are called: the deduplication ids of a queue's, or its own where it is a standard
// one; of a webhook the id that it has from its sender.
func messagesOf(event []byte) []string {
	var e struct {
		Records []struct {
			MessageID  string
			Attributes struct{ MessageDeduplicationID string }
		}
		Body            string
		IsBase64Encoded bool
	}
	if event == nil || json.Unmarshal(event, &e) != nil {
		return nil
	}
	var out []string
	for _, r := range e.Records {
		if r.Attributes.MessageDeduplicationID != "" {
			out = append(out, r.Attributes.MessageDeduplicationID)
		} else {
			out = append(out, r.MessageID)
		}
	}
	if e.IsBase64Encoded {
		if body, err := base64.StdEncoding.DecodeString(e.Body); err == nil {
			e.Body = string(body)
		}
	}
	for _, channel := range plugins.Channels() {
		if id := channel.Identify([]byte(e.Body)).ID; id != "" {
			return append(out, id)
		}
	}
	return out
}

// setCloud says where the processes are. The cloud is made with the striker as its observer, and makes calls before it is known.
func (s *striker) setCloud(c processes) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cloud = c
}

// boundaries returns the kinds of calls that were seen. Applying the tenant is not part of the load.
func (s *striker) boundaries() []Boundary {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Boundary
	for b := range s.calls {
		if b.Function != "" && b.Function != "ApplyTenant" {
			out = append(out, b)
		}
	}
	return out
}

// processes returns the cloud, once it is known.
func (s *striker) processes() processes {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cloud
}
