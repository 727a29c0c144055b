package bench

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// taken is a peer that keeps what it was sent.
type taken struct {
	mu     sync.Mutex
	status int
	bodies []map[string]any
	paths  map[string]int
	tokens map[string]int
}

func (k *taken) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	data, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(data, &body)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.bodies = append(k.bodies, body)
	k.paths[r.Method+" "+r.URL.Path]++
	k.tokens[r.Header.Get("Authorization")]++
	w.WriteHeader(k.status)
	_, _ = io.WriteString(w, `{"reason":"told"}`)
}

func TestAPeerIsDrivenLikeOurReceivers(t *testing.T) {
	for sentence, c := range map[string]struct {
		variables map[string]string
		status    int
		path      string
		member    string // of a body
		failed    string
	}{
		"with a tenant and a topic by default": {map[string]string{"PEER_TOKEN": "k"}, 202, "POST /api/v1/publish", "tenant_id", ""},
		"with another path and body":           {map[string]string{"PEER_PATH": "/events?x=1", "PEER_BODY": `{"who":"{{.From}}","n":"{{.ID}}"}`}, 200, "POST /api/v1/events", "who", ""},
		"until it refuses":                     {map[string]string{"PEER_TOKEN": "k"}, 401, "POST /api/v1/publish", "tenant_id", "401 Unauthorized"},
	} {
		t.Run(sentence, func(t *testing.T) {
			k := &taken{status: c.status, paths: map[string]int{}, tokens: map[string]int{}}
			server := httptest.NewServer(k)
			defer server.Close()
			lookup := func(name string) string {
				if name == "PEER" {
					return server.URL + "/api/v1/"
				}
				return c.variables[name]
			}
			p, err := NewPeer(lookup)
			if err != nil {
				t.Fatal(err)
			}
			ours := []Row{{Name: rowAckAlone, Value: 1000}, {Name: "ack alone, p95", Value: 1}, {Name: "another", Value: 1}}
			rows, err := p.rows(t.Context(), time.Millisecond, ours)
			if (err != nil) != (c.failed != "") || err != nil && (!strings.Contains(err.Error(), c.failed) || !strings.Contains(err.Error(), "told")) {
				t.Fatal(err)
			}
			if len(k.paths) != 1 || k.paths[c.path] == 0 || k.bodies[0][c.member] == nil {
				t.Errorf("%v, %v", k.paths, k.bodies[0])
			}
			if want := map[bool]string{true: "Bearer k"}[c.variables["PEER_TOKEN"] != ""]; len(k.tokens) != 1 || k.tokens[want] == 0 {
				t.Errorf("tokens %v", k.tokens)
			}
			if c.failed != "" {
				return
			}
			if len(rows) != 5 || rows[0].Value <= 0 || len(rows[0].Samples) != windows || rows[3].Value != 1000/rows[0].Value || rows[4].Value != 1/rows[2].Value {
				t.Errorf("%+v", rows)
			}
		})
	}
}

func TestAPeerIsNamedByVariables(t *testing.T) {
	for sentence, c := range map[string]struct {
		variables map[string]string
		failed    string
	}{
		"none is no peer":                 {nil, ""},
		"an address has a host":           {map[string]string{"PEER": "3333"}, "PEER and PEER_PATH make no URL"},
		"a template is one":               {map[string]string{"PEER": "http://h", "PEER_BODY": "{{"}, "PEER_BODY"},
		"a template has no other members": {map[string]string{"PEER": "http://h", "PEER_BODY": `{"a":"{{.Name}}"}`}, "PEER_BODY"},
		"what it makes is JSON":           {map[string]string{"PEER": "http://h", "PEER_BODY": "{{.ID}}"}, "PEER_BODY makes no JSON: bench-"},
	} {
		t.Run(sentence, func(t *testing.T) {
			p, err := NewPeer(func(name string) string { return c.variables[name] })
			if p != nil || (err != nil) != (c.failed != "") || err != nil && !strings.Contains(err.Error(), c.failed) {
				t.Errorf("%v, %v", p, err)
			}
		})
	}
	if rows, err := (*Peer)(nil).rows(t.Context(), time.Second, nil); rows != nil || err != nil {
		t.Error(rows, err)
	}
}

// TestAPeerDeliversToTheSink drives a peer that delivers every event twice, somewhere inside what it sends.
func TestAPeerDeliversToTheSink(t *testing.T) {
	free, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address, ctx := free.Addr().String(), t.Context()
	_ = free.Close()
	var deliveries sync.WaitGroup
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		deliveries.Go(func() {
			for range 2 { // the second of the last events may find no sink anymore
				event := strings.NewReader(`{"event":` + string(body) + `}`)
				delivery, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/any", event)
				if response, err := http.DefaultClient.Do(delivery); err == nil {
					_ = response.Body.Close()
				}
			}
		})
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	variables := map[string]string{"PEER": server.URL, "PEER_SINK": address, "PEER_PIDS": strconv.Itoa(os.Getpid())}
	p, err := NewPeer(func(name string) string { return variables[name] })
	if err != nil {
		t.Fatal(err)
	}
	const path = "webhook to every CRM, open loop of 300/s, p95"
	ours := []Row{{Name: rowAckAlone, Value: 1}, {Name: rowDrain, Value: 1}, {Name: rowDrain + ", x alone", Value: 2}, {Name: path, Value: 1}}
	rows, err := p.rows(t.Context(), 20*time.Millisecond, ours)
	if err != nil {
		t.Fatal(err)
	}
	deliveries.Wait()
	values := map[string]float64{}
	for _, row := range rows {
		values[row.Name] = row.Value
	}
	for name, want := range map[string]float64{
		"of the peer's: " + rowAckAlone:            1 / values["the peer's "+rowAckAlone],
		"of the peer's: " + rowDrain:               1 / values["the peer's "+rowDrain],
		"of the peer's: " + rowDrain + ", x alone": 2 / values["the peer's "+rowDrain],
		"of the peer's: " + path:                   1 / values["the peer's "+path],
	} {
		if got := values[name]; got != want || want <= 0 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	_, measured := values["the peer's "+rowCost]
	if _, known := ownProcessor(); known != measured {
		t.Errorf("processor time is known: %v, and measured: %v", known, measured)
	}
	if taken := int(p.taken.Load()); p.sink.count() != taken || taken <= people {
		t.Errorf("%d of %d events have arrived", p.sink.count(), taken)
	}
}
