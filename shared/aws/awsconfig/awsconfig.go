// Package awsconfig sets up the SDK for a Lambda function from the environment that Lambda gives it, without the SDK's
// config package: that one looks for profiles, container and instance credentials and sign-on caches, none of which exist
// there, and costs a cold start more than all clients together.
package awsconfig

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// Time-outs of one connection. What one attempt may take is decided where the call is made; AttemptLimit only keeps a
// server that accepts and stays silent from holding a function for ever. It is above SQS's longest poll.
const (
	connectTimeout = time.Second
	tlsTimeout     = 2 * time.Second
	AttemptLimit   = 25 * time.Second
	idleTimeout    = 90 * time.Second
)

// Attempts is how often the SDK tries a call that is safe to repeat.
const Attempts = 3

// The longest wait between two attempts: a message has seconds, not the SDK's twenty.
const maxBackoff = 500 * time.Millisecond

// MissingError names a variable that the environment lacks.
type MissingError struct{ Name string }

// Error names the variable.
func (e *MissingError) Error() string { return "awsconfig: " + e.Name + " is not set" }

// From returns the configuration for every client of a process: region, credentials and endpoint from the environment (see
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html), one HTTP client with its connections, few and
// short retries. AWS_ENDPOINT_URL, when set, is where all services are: the local cloud.
func From(lookup func(string) (string, bool)) (aws.Config, error) {
	region, ok := first(lookup, "AWS_REGION", "AWS_DEFAULT_REGION")
	if !ok {
		return aws.Config{}, &MissingError{"AWS_REGION"}
	}
	id, ok := first(lookup, "AWS_ACCESS_KEY_ID")
	if !ok {
		return aws.Config{}, &MissingError{"AWS_ACCESS_KEY_ID"}
	}
	key, ok := first(lookup, "AWS_SECRET_ACCESS_KEY")
	if !ok {
		return aws.Config{}, &MissingError{"AWS_SECRET_ACCESS_KEY"}
	}
	token, _ := first(lookup, "AWS_SESSION_TOKEN")
	config := Base(region, NewHTTPClient())
	config.Credentials = Static(id, key, token)
	if endpoint, ok := first(lookup, "AWS_ENDPOINT_URL"); ok {
		config.BaseEndpoint = aws.String(endpoint)
	}
	return config, nil
}

// IsLocal reports whether the environment says that all services are on this machine.
func IsLocal(lookup func(string) (string, bool)) bool {
	endpoint, _ := first(lookup, "AWS_ENDPOINT_URL")
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.IsLoopback()
}

// Base is the part of a configuration that does not depend on the environment.
func Base(region string, client aws.HTTPClient) aws.Config {
	return aws.Config{
		Region:     region,
		HTTPClient: client,
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts = Attempts
				o.MaxBackoff = maxBackoff
			})
		},
	}
}

// Static returns credentials that do not change: Lambda's are valid for as long as the process may live.
func Static(id, key, token string) aws.CredentialsProvider {
	held := aws.Credentials{AccessKeyID: id, SecretAccessKey: key, SessionToken: token, Source: "environment"}
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return held, nil })
}

// NewHTTPClient returns the client that all services of a process share. It keeps as many idle connections as a batch of
// ten messages can use at once.
func NewHTTPClient() *http.Client {
	dialer := &net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           dialer.DialContext,
			TLSHandshakeTimeout:   tlsTimeout,
			ResponseHeaderTimeout: AttemptLimit,
			IdleConnTimeout:       idleTimeout,
			MaxIdleConns:          32,
			MaxIdleConnsPerHost:   16,
		},
		CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			return fmt.Errorf("awsconfig: redirected after %d requests: an AWS API never redirects", len(via))
		},
	}
}

func first(lookup func(string) (string, bool), names ...string) (string, bool) {
	for _, name := range names {
		if value, ok := lookup(name); ok && value != "" {
			return value, true
		}
	}
	return "", false
}
