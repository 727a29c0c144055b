package queue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/telemetry"
)

// DeadLetter is the body of a message on a dead-letter queue: a message that a worker gave up on, and why. The message
// that carries it has the ID DeadLetterID(ID) and the Group and Trace of the original.
type DeadLetter struct {
	ID              string    `json:"id"`       // of the message given up on
	Stage           string    `json:"stage"`    // where: Worker.Stage
	Kind            string    `json:"kind"`     // the fault's kind
	Code            string    `json:"code"`     // the fault's code: what a runbook is searched for
	Reason          string    `json:"reason"`   // the error's text
	Attempts        int       `json:"attempts"` // how often it was tried
	First           time.Time `json:"first"`    // when it was sent
	Last            time.Time `json:"last"`     // when it was given up
	FunctionVersion string    `json:"functionVersion,omitempty"`
	Group           string    `json:"group"`
	Trace           string    `json:"trace,omitempty"`
	Generation      int       `json:"generation,omitempty"` // how often it had been redriven
	Body            []byte    `json:"body"`                 // as it was received; base64 in JSON
}

// KindExhausted is the kind of a message that the queue itself moved, because no worker ever finished with it. It is an
// incident of ours, not a fault of the message.
const KindExhausted = "exhausted"

const (
	deadLetterPrefix = "dead:"
	maxID            = 128
	maxReason        = 500
)

// DeadLetterID returns the ID under which the message with this id goes to a dead-letter queue: the same at every try, so
// that the queue drops the second.
func DeadLetterID(id string) string {
	if len(deadLetterPrefix)+len(id) <= maxID {
		return deadLetterPrefix + id
	}
	sum := sha256.Sum256([]byte(id))
	return deadLetterPrefix + hex.EncodeToString(sum[:])
}

// ParseDeadLetter returns the dead letter that m carries; ok is false for a message that the queue moved as it was. The body
// tells the two apart: an event or a delivery has none of the members asked for here, and a standard queue carries no ID.
func ParseDeadLetter(m Message) (letter DeadLetter, ok bool) {
	if json.Unmarshal(m.Body, &letter) != nil || letter.ID == "" || letter.Stage == "" || letter.Kind == "" {
		return DeadLetter{}, false
	}
	return letter, true
}

// Generation returns how often the message with this id was redriven: the number behind its last colon, 0 without one.
func Generation(id string) int {
	colon := strings.LastIndexByte(id, ':')
	n, err := strconv.Atoi(id[colon+1:])
	if colon < 0 || err != nil || n < 0 {
		return 0
	}
	return n
}

// GiveUp publishes dead letters and returns one error a letter. What was taken is logged and counted.
func GiveUp(ctx context.Context, to Publisher, logger *slog.Logger, meter *telemetry.Meter, letters []DeadLetter) []error {
	messages := make([]Message, len(letters))
	for i, letter := range letters {
		letter.Reason = letter.Reason[:min(len(letter.Reason), maxReason)]
		body, err := json.Marshal(letter)
		if err != nil {
			return slices.Repeat([]error{err}, len(letters))
		}
		messages[i] = Message{ID: DeadLetterID(letter.ID), Group: letter.Group, Body: body, Trace: letter.Trace}
	}
	errs := Errors(to.Publish(ctx, messages...), len(letters))
	for i, letter := range letters {
		if errs[i] != nil {
			continue
		}
		logger.ErrorContext(telemetry.WithTrace(ctx, letter.Trace), "dead letter", slog.String("stage", letter.Stage), slog.String("message", letter.ID),
			slog.Int("attempt", letter.Attempts), slog.String("kind", letter.Kind), slog.String("code", letter.Code), slog.String("reason", letter.Reason))
		stage := telemetry.Label{Name: "stage", Value: letter.Stage}
		meter.Count(telemetry.Failures, 1, stage)
		meter.Count("DeadLettered", 1, stage, telemetry.Label{Name: "kind", Value: letter.Kind}, telemetry.Label{Name: "code", Value: letter.Code})
	}
	return errs
}
