package chaos

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"signalbox/shared/dev/local/demo"
)

// sender sends the webhooks of a plan and notes what became of them.
type sender struct {
	client  *demo.Client
	http    *http.Client
	history *History
}

// again is how long a webhook without an answer waits for its next attempt, and answerIn how long one waits for its answer.
const (
	again    = 150 * time.Millisecond
	answerIn = 5 * time.Second
)

// sample is the n-th message of a person.
func sample(person, n int) demo.Sample {
	id := fmt.Sprintf("SM%016x%016x", person, n)
	return demo.Sample{
		Name: id, Path: "/v1/accounts/demo-twilio/twilio/messages",
		Form: [][2]string{
			{"MessageSid", id},
			{"AccountSid", "AC00000000000000000000000000000de0"},
			{"From", phone(person)},
			{"To", "+15557654321"},
			{"Body", fmt.Sprintf("message %d", n)},
			{"NumMedia", "0"},
		},
	}
}

func phone(person int) string { return fmt.Sprintf("+1555%07d", 2000000+person) }

// thread sends one person's webhooks. It returns when all are acknowledged, or ctx is done.
func (s *sender) thread(ctx context.Context, person int, webhooks []Webhook) {
	var all sync.WaitGroup
	defer all.Wait()
	for n, w := range webhooks {
		if !sleep(ctx, w.Gap) {
			return
		}
		m := sample(person, n)
		for _, after := range w.Duplicate {
			all.Go(func() {
				if sleep(ctx, after) {
					s.send(ctx, m, 0)
				}
			})
		}
		if !w.Overlap {
			s.deliver(ctx, m)
			continue
		}
		all.Go(func() {
			if sleep(ctx, w.Delay) {
				s.deliver(ctx, m)
			}
		})
	}
}

// deliver sends a webhook until it is acknowledged.
func (s *sender) deliver(ctx context.Context, m demo.Sample) {
	for attempt := 1; !s.send(ctx, m, attempt); attempt++ {
		if !sleep(ctx, again) {
			return
		}
	}
}

// send sends a webhook once and answers whether it was acknowledged.
func (s *sender) send(ctx context.Context, m demo.Sample, attempt int) bool {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	note := Send{Message: m.ID(), Thread: m.Form[2][1], Attempt: attempt, At: time.Now()}
	request, err := s.client.Request(ctx, m)
	if err == nil {
		var response *http.Response
		if response, err = s.http.Do(request); err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			note.Status = response.StatusCode
		}
	}
	if err != nil {
		note.Error = "no answer"
	}
	note.Answered = time.Now()
	s.history.Note(note)
	return note.Acknowledged()
}
