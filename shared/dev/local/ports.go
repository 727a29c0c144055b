package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"

	"signalbox/shared/dev/samples"
)

// Variables that set the ports that are not a simulator's.
const (
	gatewayPort = "GATEWAY_PORT"
	awsPort     = "AWS_PORT"
)

// Ports returns the ports that the environment asks for. Where it does not they are any free ones or, if they are to be usual ones,
// those that the documentation names and the demo tenant's file has for the CRMs.
func Ports(root string, lookup func(string) (string, bool), usual bool) (map[string]int, error) {
	ports := map[string]int{gatewayPort: 8080, awsPort: 4566}
	file, err := readDemoTenant(root)
	if err != nil {
		return nil, err
	}
	for _, crm := range bound(file) {
		base, err := url.Parse(fmt.Sprint(crm["baseUrl"]))
		if err != nil {
			return nil, fmt.Errorf("local: %s has a CRM with a base URL that is none", samples.DemoTenant)
		}
		ports[portVariable(fmt.Sprint(crm["kind"]))], _ = strconv.Atoi(base.Port())
	}
	for variable := range ports {
		if !usual {
			ports[variable] = 0
		}
		value, set := lookup(variable)
		if !set || value == "" {
			continue
		}
		if ports[variable], err = strconv.Atoi(value); err != nil || ports[variable] < 0 || ports[variable] > 65535 {
			return nil, fmt.Errorf("%s is %q, which is not a port: set it to a number up to 65535, or to 0 for any free one", variable, value)
		}
	}
	return ports, nil
}

// PortError is a port that another program has.
type PortError struct {
	Variable string
	Port     int
}

// Error says what to set.
func (e *PortError) Error() string {
	return fmt.Sprintf("port %d is in use: set %s to another port, or to 0 for any free one", e.Port, e.Variable)
}

// listen takes a port of the loopback interface, 0 for any free one. Variable is what a user sets to change it.
func listen(ctx context.Context, variable string, port int) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, &PortError{variable, port}
	}
	if err != nil {
		return nil, fmt.Errorf("local: listen for %s: %w", variable, err)
	}
	return l, nil
}

// Reserve returns a port of the loopback interface that was free a moment ago, for a child that listens itself: this one, or any if it is 0.
// Variable is what a user sets to change it.
func Reserve(ctx context.Context, variable string, port int) (int, error) {
	l, err := listen(ctx, variable, port)
	if err != nil {
		return 0, err
	}
	return int(netip.MustParseAddrPort(l.Addr().String()).Port()), l.Close()
}
