package ring1

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"signalbox/shared/webhook"
)

// BenchmarkPipeline takes b.N signed webhooks of five hundred people, whom the CRM knows, to the first CRM's simulator,
// everything in this process: what is measured is our own work, the simulator's and the memory ports' included. The garbage
// collector is set as for the functions.
func BenchmarkPipeline(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	const people, senders = 500, 4
	p := newPipeline(b, options{concurrency: 4, quiet: true})
	requests := make([]webhook.Request, people+b.N)
	for n := range requests {
		m := message{number: number(n), from: fmt.Sprintf("+1555201%04d", n%people), text: fmt.Sprintf("message %d", n)}
		requests[n] = p.posted(p.client, p.sample(m))
	}
	p.start()
	defer p.halt()
	for _, r := range requests[:people] {
		p.receive(p.adapter, r)
	}
	p.delivered(b, people)
	requests = requests[people:]
	b.ReportAllocs()
	b.ResetTimer()
	cpu := cpuTime(b)
	var next atomic.Int64
	var sending sync.WaitGroup
	for range senders {
		sending.Go(func() {
			for n := next.Add(1) - 1; n < int64(b.N); n = next.Add(1) - 1 {
				if status := p.receive(p.adapter, requests[n]); status != http.StatusOK {
					b.Errorf("message %d was answered %d", n, status)
				}
			}
		})
	}
	sending.Wait()
	p.delivered(b, people+b.N)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "cpu-µs/message")
	if held := len(p.messages()); held != people+b.N {
		b.Errorf("%d records of %d messages", held, people+b.N)
	}
}

// delivered waits until the connector is done with so many messages.
func (p *pipeline) delivered(b *testing.B, messages int) {
	b.Helper()
	for end := time.Now().Add(5 * time.Minute); p.deliver.Counters().Deleted < messages; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("%d of %d messages were delivered", p.deliver.Counters().Deleted, messages)
		}
	}
}

// cpuTime is what this process has used of the processors.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
