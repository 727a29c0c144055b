package gateway_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"signalbox/shared/dev/local/gateway"
)

// pipes is a listener whose connections are in memory, so that their deadlines pass in virtual time.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	connection, open := <-p
	if !open {
		return nil, net.ErrClosed
	}
	return connection, nil
}
func (pipes) Close() error   { return nil }
func (pipes) Addr() net.Addr { return &net.TCPAddr{} }

func TestABodyThatNeverEndsIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := make(pipes)
		server := &http.Server{Handler: gateway.New(quiet(), gateway.Target{Method: "POST", Path: "/v1/a", Timeout: time.Second, Invoke: echo})}
		go func() { _ = server.Serve(listener) }()
		defer func() { close(listener); _ = server.Close() }()
		here, there := net.Pipe()
		listener <- there
		begin := time.Now()
		go func() {
			_, _ = io.WriteString(here, "POST /v1/a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nfive.")
		}()
		_ = here.SetReadDeadline(begin.Add(time.Hour))
		response, err := http.ReadResponse(bufio.NewReader(here), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if took := time.Since(begin); response.StatusCode != http.StatusRequestTimeout || took != 30*time.Second {
			t.Errorf("status %d after %v, want 408 after 30 s", response.StatusCode, took)
		}
	})
}

func TestAConnectionIsKeptAfterASlowFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := make(pipes)
		slow := func() { time.Sleep(40 * time.Second) }
		server := &http.Server{Handler: gateway.New(quiet(), gateway.Target{Method: "POST", Path: "/v1/a", Timeout: time.Minute, Invoke: delayed(slow)})}
		go func() { _ = server.Serve(listener) }()
		defer func() { close(listener); _ = server.Close() }()
		here, there := net.Pipe()
		listener <- there
		reader := bufio.NewReader(here)
		for range 3 {
			go func() { _, _ = io.WriteString(here, "POST /v1/a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nfour") }()
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			if response.StatusCode != http.StatusOK {
				t.Errorf("status %d", response.StatusCode)
			}
		}
	})
}
