package chaos

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"signalbox/shared/receipt"
)

// Outbound is one message of ours and what its provider reports of it. Whoever sent it put it on the CRMs' timelines; all that
// Signalbox ever hears of it are the reports, each of which may be the first.
type Outbound struct {
	At       time.Duration `json:"at"` // from the beginning
	Receipts []Receipt     `json:"receipts"`
}

// Receipt is one report.
type Receipt struct {
	After     time.Duration   `json:"after"`               // Outbound.At
	State     string          `json:"state"`               // as package receipt calls it
	Duplicate []time.Duration `json:"duplicate,omitempty"` // sent again, so long after the first send
}

// reportedIn is how far apart the receipts of one message come, in any order: over several of the windows in which they are
// gathered.
const reportedIn = 5 * time.Second

// outboundShare is how many messages of people there are to one of ours.
const outboundShare = 6

func (p *Plan) outbound(random *rand.Rand, size Size) {
	lives := [][]string{
		{"queued", "sending", "sent", "delivered", "read"},
		{"queued", "sent", "delivered"},
		{"sent", "delivered", "read"},
		{"queued", "sending", "failed"},
		{"sent", "failed"},
		{"queued", "canceled"},
		{"sent", "failed", "delivered"}, // after all
	}
	for range max(1, size.Threads*size.Messages/outboundShare) {
		life := slices.Clone(lives[random.IntN(len(lives))])
		life = life[:1+random.IntN(len(life))]
		random.Shuffle(len(life), func(i, j int) { life[i], life[j] = life[j], life[i] })
		o := Outbound{At: time.Duration(random.Int64N(int64(size.Duration)))}
		for _, state := range life {
			r := Receipt{State: state}
			if random.IntN(4) > 0 { // the others come in one breath
				r.After = time.Duration(random.Int64N(int64(reportedIn)))
			}
			switch random.IntN(6) {
			case 0:
				r.Duplicate = []time.Duration{0}
			case 1:
				r.Duplicate = []time.Duration{time.Duration(random.Int64N(int64(reportedIn)))}
			}
			o.Receipts = append(o.Receipts, r)
		}
		p.Outbound = append(p.Outbound, o)
	}
}

// reported is what the history says of one message of ours.
type reported struct {
	id    string
	known bool            // one receipt at least was acknowledged
	least receipt.Status  // the furthest that was acknowledged
	said  map[string]bool // the states that were sent, acknowledged or not
}

// note adds one send of a receipt.
func (m *reported) note(s Send) {
	m.said[s.State] = true
	if !s.Acknowledged() {
		return
	}
	m.known = true
	if said := (receipt.Status{State: s.State}); said.Rank() > m.least.Rank() {
		m.least = said
	}
}

// statuses looks for messages of ours that a CRM does not show once, as far as they are known to have got.
func (r *Report) statuses(crm string, outbound map[string]*reported, shown map[string][]string) {
	for _, id := range slices.Sorted(maps.Keys(outbound)) {
		m, states := outbound[id], shown[id]
		switch {
		case len(states) == 0 && m.known:
			r.add(Lost, crm, id, "it was reported "+m.least.State)
		case len(states) > 1:
			r.add(Twice, crm, id, fmt.Sprintf("%d records", len(states)))
		}
		for _, state := range states {
			r.status(crm, m, state)
		}
	}
}

// status looks at what one record shows. Failed, canceled and expired are equally far: either may be shown where both were sent.
func (r *Report) status(crm string, m *reported, state string) {
	rank, known := receipt.Rank(state)
	switch {
	case !known || !m.said[state]:
		r.add(Status, crm, m.id, fmt.Sprintf("it shows %q, which nobody said", state))
	case rank < m.least.Rank():
		r.add(Status, crm, m.id, fmt.Sprintf("it shows %s, and was reported %s", state, cmp.Or(m.least.State, "nothing")))
	}
}
