package bench

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"signalbox/shared/dev/local"
	"signalbox/shared/secret"
)

// The rows that a peer's are compared with.
const (
	rowAckAlone = "ack alone, closed loop of 16"
	rowAckTail  = "ack alone, p95"
)

// Peer is another product with an endpoint that takes one event by POST.
type Peer struct {
	address string
	body    *template.Template
	token   secret.Value
	http    *http.Client
}

// event is what a body's template is filled with.
type event struct{ ID, From, Text string }

// defaultBody is an event as hookdeck/outpost takes it.
const defaultBody = `{"id":"{{.ID}}","tenant_id":"bench","topic":"message","data":{"from":"{{.From}}","text":"{{.Text}}"}}`

// NewPeer returns the peer that variables name, or nil when PEER is empty: PEER is its base URL, PEER_PATH the path below it (/publish),
// PEER_BODY a text/template of the JSON body with .ID, .From and .Text, and PEER_TOKEN what is sent as a bearer token.
func NewPeer(lookup func(string) string) (*Peer, error) {
	base := lookup("PEER")
	if base == "" {
		return nil, nil //nolint:nilnil // no peer is no error
	}
	address := strings.TrimRight(base, "/") + cmp.Or(lookup("PEER_PATH"), "/publish")
	if parsed, err := url.Parse(address); err != nil || parsed.Host == "" {
		return nil, fmt.Errorf("bench: PEER and PEER_PATH make no URL: %s", address)
	}
	body, err := template.New("PEER_BODY").Option("missingkey=error").Parse(cmp.Or(lookup("PEER_BODY"), defaultBody))
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	p := &Peer{address, body, secret.Value(lookup("PEER_TOKEN")), &http.Client{Transport: &http.Transport{MaxIdleConns: 1000, MaxIdleConnsPerHost: 1000}}}
	if first, err := p.event(0); err != nil || !json.Valid(first) {
		return nil, fmt.Errorf("bench: PEER_BODY makes no JSON: %s (%w)", first, err)
	}
	return p, nil
}

// event returns the body of the nth event: of the same people, and as long a text, as our own load.
func (p *Peer) event(n int) ([]byte, error) {
	var body bytes.Buffer
	err := p.body.Execute(&body, event{fmt.Sprintf("bench-%d-%d", time.Now().UnixNano(), n), phone(n % people), text})
	return body.Bytes(), err
}

// publish sends the nth event and returns how long it took to be acknowledged.
func (p *Peer) publish(ctx context.Context, n int) (time.Duration, error) {
	body, err := p.event(n)
	if err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.address, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	if p.token != "" {
		request.Header.Set("Authorization", "Bearer "+string(p.token))
	}
	began := time.Now()
	response, err := p.http.Do(request)
	if err != nil {
		return 0, fmt.Errorf("bench: the peer: %w", err)
	}
	said, _ := io.ReadAll(io.LimitReader(response.Body, 300))
	_ = response.Body.Close()
	if response.StatusCode/100 != 2 {
		return 0, fmt.Errorf("bench: the peer returned %s for %s: %s", response.Status, p.address, said)
	}
	return time.Since(began), nil
}

// acks drives the peer with the load of our own acknowledgements, whose rows it is compared with. No peer has no rows.
func (p *Peer) acks(ctx context.Context, length time.Duration, ours []Row) ([]Row, error) {
	if p == nil {
		return nil, nil
	}
	for n := range people { // connections, caches
		if _, err := p.publish(ctx, n); err != nil {
			return nil, err
		}
	}
	all, err := repeat(ctx, length, p.publish)
	if err != nil {
		return nil, err
	}
	rows := []Row{
		rate("the peer's ack alone, closed loop of 16", all).note(p.address),
		quantile("the peer's ack alone, p50", all, 50), quantile("the peer's ack alone, p95", all, 95),
	}
	for _, own := range ours {
		switch own.Name {
		case rowAckAlone:
			rows = append(rows, Row{Name: "ack alone, of the peer's rate", Ring: "3", Value: own.Value / rows[0].Value}.more().bar(0.85).note("stretch target 1"))
		case rowAckTail:
			rows = append(rows, Row{Name: "ack alone, of the peer's p95", Ring: "3", Value: own.Value / rows[2].Value})
		}
	}
	return rows, nil
}

// ceiling measures a receiver that does nothing, through the same gateway and the same processes as ours.
func ceiling(ctx context.Context, o Options, length time.Duration) ([]Row, error) {
	receiver := filepath.Join(o.Root, ".build", "local", "bench-noop")
	build := exec.CommandContext(ctx, "go", "build", "-o", receiver, "./shared/dev/bench/cmd/bench-noop") //nolint:gosec // of the repository
	build.Dir, build.Stdout, build.Stderr, build.Env = o.Root, o.Log, o.Log, os.Environ()
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("bench: build the receiver that does nothing: %w", err)
	}
	w, err := newWorldWith(ctx, local.Options{Root: o.Root, Receiver: receiver}, false)
	if err != nil {
		return nil, err
	}
	defer w.stop()
	for n := range people {
		if _, err := w.webhook(ctx, n); err != nil {
			return nil, err
		}
	}
	all, err := repeat(ctx, length, w.webhook)
	if err != nil {
		return nil, err
	}
	const note = "what the runner allows, whatever a receiver does"
	return []Row{rate("ack of a receiver that does nothing, closed loop of 16", all).note(note), quantile("ack of a receiver that does nothing, p95", all, 95)}, nil
}
