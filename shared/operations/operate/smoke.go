package operate

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"signalbox/shared/dev/samples"
	"signalbox/shared/secret"
)

// SmokeUsage says how one signed webhook is sent.
const SmokeUsage = `make smoke STACK=<stack> | ENDPOINT=http://127.0.0.1:4566 | URL=<gateway> PUBLIC_BASE_URL=<what is signed for>
    TENANT=<file>          the tenant file that was applied; its account's token signs, or AUTH_TOKEN of the environment
    PROVIDER= SAMPLE=      which account's provider, and which sample of events/<provider>; else the first message
It sends one message from a number that nobody has: every CRM of the tenant gets a record of it.`

// What may take how long: a message to every simulator, a gateway's answer, and a simulator's word about itself.
const (
	arrival  = 20 * time.Second
	sendTime = 30 * time.Second
	lookTime = 2 * time.Second
)

// Smoke is one signed sample webhook and where it goes.
type Smoke struct {
	Root             string // of the repository, which has the samples
	Target           samples.Target
	Tenant           string // file
	Token            secret.Value
	Provider, Sample string
}

// Run sends the webhook, writes to out what became of it, and waits until it is in every CRM of the tenant that is a simulator
// on this machine. An error says what was refused and what to do, or where it did not arrive.
func (s Smoke) Run(ctx context.Context, out io.Writer) error {
	tenant, err := samples.ReadTenant(s.Tenant)
	if err != nil {
		return err
	}
	number := make([]byte, 16)
	_, _ = rand.Read(number) // it never fails
	sample, err := samples.Choose(s.Root, tenant, s.Provider, s.Sample, hex.EncodeToString(number))
	if err != nil {
		return &UsageError{err.Error(), SmokeUsage}
	}
	if s.Token != "" {
		for i := range tenant.Accounts {
			if tenant.Accounts[i].ID == sample.Account() {
				tenant.Accounts[i].AuthToken = s.Token
			}
		}
	}
	s.Target.CRMs = map[string]samples.Simulator{}
	for _, crm := range tenant.Tenant.CRMs {
		about, ok := simulated(ctx, crm.BaseURL)
		if !ok {
			_, _ = fmt.Fprintf(out, "%s at %s is not looked into: it is no simulator on this machine\n", crm.Kind, crm.BaseURL)
			continue
		}
		s.Target.CRMs[crm.Kind] = about
	}
	client, err := samples.NewTenantClient(s.Root, s.Target, tenant)
	if err != nil {
		return err
	}
	return s.send(ctx, out, client, sample)
}

func (s Smoke) send(ctx context.Context, out io.Writer, client *samples.Client, sample samples.Sample) error {
	began := time.Now()
	sending, cancel := context.WithTimeout(ctx, sendTime)
	status, err := client.Send(sending, sample)
	cancel()
	if err != nil {
		return fmt.Errorf("the gateway %s gave no answer: %w", s.Target.Gateway, err)
	}
	if _, err := fmt.Fprintf(out, "%s %s, signed for %s, sent to %s: %d in %d ms\n", sample.Name, sample.ID(), s.Target.PublicBaseURL+sample.Path,
		cmp.Or(s.Target.Host, s.Target.Gateway), status, time.Since(began).Milliseconds()); err != nil {
		return err
	}
	if status/100 != 2 {
		return refused(status, s.Target.PublicBaseURL, sample)
	}
	if len(s.Target.CRMs) == 0 {
		_, err := fmt.Fprintf(out, "accepted: look for %s in the CRMs\n", sample.ID())
		return err
	}
	ctx, cancel = context.WithTimeout(ctx, arrival)
	defer cancel()
	report, err := client.Await(ctx, sample)
	if err != nil {
		return err
	}
	for crm := range s.Target.CRMs {
		var held []string
		for _, record := range report.Held[crm] {
			held = append(held, record.Object+"/"+record.ID)
		}
		slices.Sort(held)
		if _, err := fmt.Fprintf(out, "%s: %s\n", crm, cmp.Or(strings.Join(held, " "), "nothing")); err != nil {
			return err
		}
	}
	if report.EndTo == 0 {
		return fmt.Errorf("it was accepted, but is not in every simulator after %s: look for a dead letter (make redrive ACTION=plan) and into the functions' logs", arrival)
	}
	_, err = fmt.Fprintf(out, "in every simulator %d ms later\n", report.EndTo.Milliseconds())
	return err
}

// refused explains a status.
func refused(status int, publicBaseURL string, sample samples.Sample) error {
	switch status {
	case http.StatusForbidden:
		return fmt.Errorf("the signature was refused: PublicBaseUrl of the stack has to be exactly %s, and the tenant file that was applied has to hold this token of the account %s",
			publicBaseURL, sample.Account())
	case http.StatusNotFound:
		return fmt.Errorf("there is no such address: does the gateway have a route for %s, and was a tenant with the account %s applied?", sample.Path, sample.Account())
	case http.StatusTooManyRequests:
		return errors.New("the gateway limits requests: see the runbook of GatewayThrottlesAlarm")
	default:
		return fmt.Errorf("status %d: the reason is in the log of the function that receives %s", status, sample.Provider())
	}
}

// simulated returns what a simulator on this machine says of itself. No other host is asked.
func simulated(ctx context.Context, base string) (about samples.Simulator, ok bool) {
	if !isLoopback(base) {
		return about, false
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	about, err := samples.Look(ctx, base)
	return about, err == nil
}

// isLoopback reports whether a URL is of this machine's own interface.
func isLoopback(base string) bool {
	at, err := url.Parse(base)
	if err != nil {
		return false
	}
	address, err := netip.ParseAddr(at.Hostname())
	return at.Hostname() == "localhost" || err == nil && address.IsLoopback()
}
