package chaos

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"

	"signalbox/shared/dev/local/cloud"
)

// Boundary is a kind of call that a function makes: the places where a kill leaves something half done.
type Boundary struct {
	Function  string `json:"function"` // logical id
	Service   string `json:"service"`
	Operation string `json:"operation"`
}

// boundaryOf returns the boundary of a call. Identifiers in paths are taken out, so that it is the same for every record.
func boundaryOf(c cloud.Call) Boundary {
	method, path, isPath := strings.Cut(c.Operation, " ")
	if !isPath {
		return Boundary{c.Function(), c.Service, c.Operation}
	}
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if identifier.MatchString(part) {
			parts[i] = "*"
		}
	}
	return Boundary{c.Function(), c.Service, method + " " + strings.Join(parts, "/")}
}

// identifier matches a path segment that names one record and not a kind of record or a version of the API.
var identifier = regexp.MustCompile(`^[0-9]{3,}$|[0-9].*[0-9].*[0-9].*[0-9].*[0-9]|^.{33,}$`)

// Strike is one kill -9.
type Strike struct {
	At       time.Duration `json:"at"`       // from the beginning: not before
	Random   bool          `json:"random"`   // at any moment of the work of Boundary.Function, Delay after it was seen at work
	Delay    time.Duration `json:"delay"`    // of a random one
	Boundary Boundary      `json:"boundary"` // otherwise at its next such call
	After    bool          `json:"after"`    // the call's effect and before its reply; otherwise before it is passed on
}

// String says when and where.
func (s Strike) String() string {
	switch {
	case s.Random:
		return s.Boundary.Function + " at any moment"
	case s.After:
		return fmt.Sprintf("%s after %s %s", s.Boundary.Function, s.Boundary.Service, s.Boundary.Operation)
	default:
		return fmt.Sprintf("%s before %s %s", s.Boundary.Function, s.Boundary.Service, s.Boundary.Operation)
	}
}

// Webhook is one message of a person and how it is sent. It is sent again until it is answered 2xx, as a provider's fallback does once.
type Webhook struct {
	Gap       time.Duration   `json:"gap"`                 // between its time and that of the one before
	Delay     time.Duration   `json:"delay,omitempty"`     // it is held up on its way, and those behind it do not wait: they may overtake it
	Overlap   bool            `json:"overlap,omitempty"`   // those behind it do not wait for its answer
	Duplicate []time.Duration `json:"duplicate,omitempty"` // sent again, so long after the first send
	Machine   bool            `json:"machine,omitempty"`   // an out-of-office note: the answer to nothing
	Sender    int             `json:"sender,omitempty"`    // the account it comes by, of those that can bring it, beginning anew behind the last
	By        Known           `json:"by,omitempty"`        // what it knows the person by
	Day       bool            `json:"day,omitempty"`       // it is to the line whose conversations are one activity a day
}

// Spoil is one fault of a CRM, by its place among the failures that the CRM's simulator tells of.
type Spoil struct {
	At    time.Duration `json:"at"`
	CRM   string        `json:"crm"`
	Fault int           `json:"fault"`
	Count int           `json:"count"`
}

// Outage is a time in which the queues that webhooks go to take nothing.
type Outage struct {
	At  time.Duration `json:"at"`
	For time.Duration `json:"for"`
}

// Plan is everything that is decided beforehand: one seed makes one plan. What the machine makes of it, the moment of a call
// and which messages a batch holds, is not the plan's.
type Plan struct {
	Seed     uint64      `json:"seed"`
	Strikes  []Strike    `json:"strikes"`
	Threads  [][]Webhook `json:"threads"` // by person
	Spoils   []Spoil     `json:"spoils"`
	Outbound []Outbound  `json:"outbound"`
	Asked    [][]Asked   `json:"asked"` // by person; the last ones never write
	Joins    [][]Webhook `json:"joins"` // by person: these are none of Threads
	Days     [][]Webhook `json:"days"`  // likewise: who write to the line of days
	Outages  []Outage    `json:"outages"`
	Holds    []Hold      `json:"holds"`
}

// Size says how much a plan is to hold.
type Size struct {
	Kills    int
	Duration time.Duration // over which they are spread
	Threads  int
	Messages int // of a thread
}

// randomShare is how many of ten kills come at any moment and not at a call.
const randomShare = 3

// NewPlan makes the plan of a seed. The kills at calls go through all boundaries, before and after, in an order of the seed's,
// and begin anew when all had their turn. Faults says how many there are of each CRM, held which functions' batches can be held.
func NewPlan(seed uint64, size Size, boundaries []Boundary, faults map[string]int, held []string) Plan {
	random := rand.New(rand.NewPCG(seed, 0x5149_6e61_6c62_6f78)) //nolint:gosec // a plan that repeats is the purpose
	p := Plan{Seed: seed}
	p.strikes(random, size, boundaries)
	for range size.Threads {
		p.Threads = append(p.Threads, thread(random, size))
	}
	p.spoils(random, size, faults)
	p.outbound(random, size)
	p.asked(random, size)
	p.outages(random, size)
	p.holds(random, size, held)
	p.joins(random, size)
	p.senders(random)
	p.days(random, size)
	return p
}

func (p *Plan) strikes(random *rand.Rand, size Size, boundaries []Boundary) {
	boundaries = slices.SortedFunc(slices.Values(boundaries), func(a, b Boundary) int {
		return cmp.Or(cmp.Compare(a.Function, b.Function), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Operation, b.Operation))
	})
	if len(boundaries) == 0 {
		return
	}
	var turn []int
	for i := range size.Kills {
		s := Strike{At: size.Duration * time.Duration(i) / time.Duration(size.Kills)}
		if i%10 < randomShare {
			s.Random, s.Delay = true, time.Duration(random.Int64N(int64(3*time.Millisecond)))
			s.Boundary.Function = boundaries[random.IntN(len(boundaries))].Function
			p.Strikes = append(p.Strikes, s)
			continue
		}
		if len(turn) == 0 {
			turn = random.Perm(2 * len(boundaries))
		}
		s.Boundary, s.After = boundaries[turn[0]/2], turn[0]%2 == 1
		turn = turn[1:]
		p.Strikes = append(p.Strikes, s)
	}
}

// thread returns the webhooks of one person, spread over the duration.
func thread(random *rand.Rand, size Size) []Webhook {
	between := size.Duration / time.Duration(max(size.Messages, 1))
	out := make([]Webhook, size.Messages)
	for i := range out {
		w := Webhook{Gap: time.Duration(random.Int64N(int64(2 * between)))}
		switch random.IntN(10) {
		case 0: // delivered twice at once
			w.Duplicate = []time.Duration{0}
		case 1: // and again later, twice
			w.Duplicate = []time.Duration{time.Duration(random.Int64N(int64(time.Second))), time.Duration(random.Int64N(int64(10 * time.Second)))}
		case 2: // the next one does not wait for the answer
			w.Overlap = true
		case 3: // held up, so that the next ones come before
			w.Overlap, w.Delay = true, time.Duration(random.Int64N(int64(2*between)))
		}
		if random.IntN(4) == 0 { // two messages in one breath
			w.Gap = 0
		}
		out[i] = w
	}
	return out
}

// senders lets a quarter of what people write by a phone come by another account: in one thread with the rest.
func (p *Plan) senders(random *rand.Rand) {
	for _, threads := range [][][]Webhook{p.Threads, p.Joins} {
		for _, webhooks := range threads {
			for i := range webhooks {
				if random.IntN(4) == 0 && webhooks[i].By == byPhone {
					webhooks[i].Sender = 1
				}
			}
		}
	}
}

// spoils spreads about one fault of each CRM a second.
func (p *Plan) spoils(random *rand.Rand, size Size, faults map[string]int) {
	crms := slices.Sorted(maps.Keys(faults))
	for at := time.Second; at < size.Duration; at += time.Second {
		for _, crm := range crms {
			if faults[crm] > 0 {
				p.Spoils = append(p.Spoils, Spoil{At: at, CRM: crm, Fault: random.IntN(faults[crm]), Count: 1 + random.IntN(2)})
			}
		}
	}
}

// outages are about one in five seconds, each too short to be noticed and long enough for a few messages to take the spool.
func (p *Plan) outages(random *rand.Rand, size Size) {
	for at := time.Second; at < size.Duration; at += time.Duration(random.Int64N(int64(10 * time.Second))) {
		p.Outages = append(p.Outages, Outage{At: at, For: 20*time.Millisecond + time.Duration(random.Int64N(int64(180*time.Millisecond)))})
	}
}

// Digest tells two plans apart.
func (p Plan) Digest() string {
	data, err := json.Marshal(p)
	if err != nil { // numbers and texts always encode
		return ""
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:6])
}
