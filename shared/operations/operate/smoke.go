package operate

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"signalbox/shared/dev/plugins"
	"signalbox/shared/dev/samples"
	"signalbox/shared/secret"
)

// SmokeUsage says how one signed webhook is sent.
const SmokeUsage = `make smoke STACK=<stack> | ENDPOINT=http://127.0.0.1:4566 | URL=<gateway> PUBLIC_BASE_URL=<what is signed for>
    TENANT=<file>          the tenant file that was applied; its account's token signs, or AUTH_TOKEN of the environment
    ACCOUNT=               the file of an account of several tenants that the tenant has a line of: the message is one to it
    PROVIDER= SAMPLE=      which account's provider, and which of functions/adapter/<provider>/samples, by its name; else the first message
It sends one message from a number that nobody has: every CRM of the tenant shows it.`

// What may take how long: a message to every simulator, a gateway's answer, and a simulator's word about itself.
const (
	arrival  = 80 * time.Second // a minute may be waited for what is shown together
	sendTime = 30 * time.Second
	lookTime = 2 * time.Second
)

// Smoke is one signed sample webhook and where it goes.
type Smoke struct {
	Root             string // of the repository, which has the samples
	Target           samples.Target
	Tenant           string // file
	Account          string // file of an account of several tenants; "" for none
	Invoke           Invoke // of the stack, which knows where the CRMs in force are; nil if there is only a gateway
	Token            secret.Value
	Provider, Sample string
}

// Run sends the webhook, writes to out what became of it, and waits until it is in every CRM of the tenant that is on this
// machine: those are simulators, or nothing is sent. An error says what was refused and what to do, or where it did not arrive.
func (s Smoke) Run(ctx context.Context, out io.Writer) error {
	tenant, err := samples.ReadTenant(s.Tenant)
	if err != nil {
		return err
	}
	if s.Account != "" {
		account, err := samples.ReadAccount(s.Account)
		if err != nil {
			return err
		}
		tenant.Accounts = slices.Insert(tenant.Accounts, 0, account)
	}
	number := make([]byte, 16)
	_, _ = rand.Read(number) // it never fails
	sample, err := samples.Choose(s.Root, plugins.Channels(), tenant, s.Provider, s.Sample, hex.EncodeToString(number))
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
	if s.Target.CRMs, err = s.simulators(ctx, out, tenant); err != nil {
		return err
	}
	s.Target.HTTP = http.DefaultClient // one message is not many senders'
	return s.send(ctx, out, samples.NewTenantClient(plugins.Channels(), s.Target, tenant), sample)
}

func (s Smoke) send(ctx context.Context, out io.Writer, client *samples.Client, sample samples.Sample) error {
	began := time.Now()
	sending, cancel := context.WithTimeout(ctx, sendTime)
	status, err := client.Send(sending, sample)
	cancel()
	if err != nil {
		return fmt.Errorf("the gateway %s gave no answer: %w", s.Target.Gateway, err)
	}
	if _, err := fmt.Fprintf(out, "%s %s, signed for %s, sent to %s: %d in %d ms\n", sample.Name, client.ID(sample), s.Target.PublicBaseURL+sample.Path,
		cmp.Or(s.Target.Host, s.Target.Gateway), status, time.Since(began).Milliseconds()); err != nil {
		return err
	}
	if status/100 != 2 {
		return refused(status, s.Target.PublicBaseURL, sample)
	}
	if client.Asks(sample) {
		_, err := fmt.Fprintf(out, "accepted: it is in a CRM once the person answers\n")
		return err
	}
	if len(s.Target.CRMs) == 0 {
		_, err := fmt.Fprintf(out, "accepted: look for %q or %s in the CRMs\n", client.Text(sample), client.ID(sample))
		return err
	}
	ctx, cancel = context.WithTimeout(ctx, arrival)
	defer cancel()
	report, err := client.Await(ctx, sample, began)
	if err != nil {
		return err
	}
	for _, crm := range slices.Sorted(maps.Keys(s.Target.CRMs)) {
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
		return fmt.Errorf("it was accepted, but is not in every simulator after %s: it waits (a line \"message waits\" of the functions' logs says why), or is a dead letter (make redrive ACTION=plan shows it)", arrival)
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

// simulators returns what those on this machine say of themselves, by the bindings' names. No other host is asked.
func (s Smoke) simulators(ctx context.Context, out io.Writer, tenant samples.Tenant) (map[string]samples.Simulator, error) {
	bases, err := s.inForce(ctx, tenant)
	if err != nil {
		return nil, err
	}
	found := map[string]samples.Simulator{}
	for _, crm := range tenant.Tenant.CRMs {
		name, base := cmp.Or(crm.Name, crm.Kind), cmp.Or(bases[crm.Name], crm.BaseURL)
		if !isLoopback(base) {
			_, _ = fmt.Fprintf(out, "%s at %s is not looked into: it is not on this machine\n", name, base)
			continue
		}
		looking, cancel := context.WithTimeout(ctx, lookTime)
		found[name], err = samples.Look(looking, base)
		cancel()
		if err != nil {
			return nil, fmt.Errorf("%s at %s is no simulator, and nothing else shows what arrives: is the file applied that TENANT names? %w", name, base, err)
		}
	}
	return found, nil
}

// inForce returns the addresses of CRMs, by the bindings' names, that are in force and are not those of the file: make run binds
// its simulators wherever they listen. A plan tells them, if the file has any on this machine.
func (s Smoke) inForce(ctx context.Context, tenant samples.Tenant) (map[string]string, error) {
	bases := map[string]string{}
	local := slices.ContainsFunc(tenant.Tenant.CRMs, func(crm samples.CRM) bool { return isLoopback(crm.BaseURL) })
	if s.Invoke == nil || !local {
		return bases, nil
	}
	_, event, err := applyRequest("plan", s.Tenant)
	if err != nil {
		return nil, err
	}
	body, err := s.Invoke(ctx, "apply-tenant", event)
	if err != nil {
		return nil, fmt.Errorf("where the CRMs are, a plan tells: %w", err)
	}
	var plan struct {
		Changes  []struct{ Path, Before string }
		Problems []struct{ Path string }
	}
	if err := json.Unmarshal(body, &plan); err != nil {
		return nil, fmt.Errorf("apply-tenant returned no JSON: %w", err)
	}
	if len(plan.Problems) > 0 {
		return nil, fmt.Errorf("the file that TENANT names is refused, so that it is not in force: make apply ACTION=plan says why, %s first", plan.Problems[0].Path)
	}
	for _, change := range plan.Changes {
		name, isCRM := strings.CutPrefix(change.Path, "tenant.crms[")
		if name, isBase := strings.CutSuffix(name, "].baseUrl"); isCRM && isBase {
			bases[name] = change.Before
		}
	}
	return bases, nil
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
