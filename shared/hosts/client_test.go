package hosts_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"signalbox/shared/fault"
	"signalbox/shared/hosts"
)

// reach makes a request and returns the status of its reply.
func reach(t *testing.T, client *http.Client, url string) (status int, err error) {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer hunter2")
	reply, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	return reply.StatusCode, reply.Body.Close()
}

// TestAClientDialsNoAddressOfOurOwnNetwork: whatever name led there.
func TestAClientDialsNoAddressOfOurOwnNetwork(t *testing.T) {
	t.Parallel()
	reached := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer server.Close()
	port := server.URL[strings.LastIndex(server.URL, ":"):]
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		_, err := reach(t, hosts.NewClient(hosts.Public), "https://"+host+port)
		if f := fault.Of(err); f == nil || f.Kind != fault.Blocked || f.Code != hosts.CodeRefused {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, err := reach(t, hosts.NewClient(hosts.Public), "http://api.example.com"); err == nil || fault.Of(err).Code != hosts.CodeRefused {
		t.Errorf("plain http: %v", err)
	}
	if reached > 0 {
		t.Errorf("reached %d times", reached)
	}
	plain := httptest.NewServer(server.Config.Handler)
	defer plain.Close()
	if _, err := reach(t, hosts.NewClient(hosts.Any), plain.URL); err != nil || reached != 1 {
		t.Errorf("a simulator: %v, reached %d times", err, reached)
	}
}

// TestARedirectIsNotFollowed: credentials go to the host that the tenant's file names, and to no other.
func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("followed with %q", r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	status, err := reach(t, hosts.NewClient(hosts.Any), server.URL)
	if err != nil || status != http.StatusTemporaryRedirect {
		t.Errorf("%d, %v", status, err)
	}
}
