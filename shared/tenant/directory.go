package tenant

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"signalbox/shared/cache"
	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/store"
	"signalbox/shared/telemetry"
)

// Fresh is how long what was read is in force without another read.
const Fresh = 5 * time.Minute

// newest is how old a configuration may be in which something is not found.
const newest = 30 * time.Second

// policy holds for accounts and for configurations.
func policy() cache.Policy {
	return cache.Policy{
		Most: 10_000, Fresh: Fresh, Stale: time.Hour, Refresh: 200 * time.Millisecond, Retry: 10 * time.Second,
		Absent: ErrUnknown, Missing: newest,
	}
}

// Records is what a Directory reads from.
type Records interface {
	Get(ctx context.Context, keys ...store.Key) ([]store.Record, error)
}

// Opener opens sealed credentials; *keyring.Box is one.
type Opener interface {
	Open(ctx context.Context, b keyring.Binding, sealed, additional []byte) ([]byte, error)
}

// CodeInvalid is the code of a configuration record that cannot be used.
const CodeInvalid = "configuration_record_invalid"

// errInvalid is a record that cannot be used: what was read before it stays in force.
var errInvalid = errors.New("tenant: the configuration record cannot be used")

// Directory looks accounts, lines and tenants up and keeps what it read. It is safe for concurrent use: several requests for
// one thing share one read. Errors are ErrUnknown, or sorted by package fault.
type Directory struct {
	records  Records
	opener   Opener
	logger   *slog.Logger
	meter    *telemetry.Meter
	accounts *cache.Cache[string, *held]
	owners   *cache.Cache[lineAt, string] // the tenants of lines of accounts with files of their own
	configs  *cache.Cache[string, *config]
}

// held is whose an account is: a tenant's, in whose configuration it is, or by a file of its own that of several.
type held struct {
	recordVersion int64
	tenant        string
	account       Account // with a file of its own
	document      *accountDocument
}

// lineAt is where the owner of a line is found.
type lineAt struct{ provider, address string }

// NewDirectory returns a Directory over the configuration table.
func NewDirectory(records Records, opener Opener, logger *slog.Logger, meter *telemetry.Meter) *Directory {
	return &Directory{
		records: records, opener: opener, logger: logger, meter: meter,
		accounts: cache.New[string, *held](policy()), owners: cache.New[lineAt, string](policy()), configs: cache.New[string, *config](policy()),
	}
}

// Account returns an account by the id that webhook URLs hold. What cannot be an id is unknown without a read.
func (d *Directory) Account(ctx context.Context, id string) (Account, error) {
	if !isID(id) {
		return Account{}, ErrUnknown
	}
	var account Account
	err := d.find(ctx, id, "", func(a *held, c *config) bool {
		if account = a.account; a.document != nil {
			return true
		}
		var ok bool
		account, ok = c.accounts[id]
		return ok
	})
	return account, err
}

// Line returns the line of an account with exactly this address, or else with the address behind its channel's prefix (a
// number that serves WhatsApp and SMS is one line), that serves channel; "" asks for no channel. A line of another channel is
// ErrUnserved. One that is not in the configuration held, or does not serve the channel there, is looked for in a new one when
// the held one is half a minute old, so that a tenant file that was just corrected is in force soon. Of an account with a file of its own
// it is the line of whichever tenant has the address, if the file names that tenant.
func (d *Directory) Line(ctx context.Context, accountID, address string, channel canonical.Channel) (Line, error) {
	var line Line
	listed := false
	err := d.find(ctx, accountID, address, func(_ *held, c *config) bool {
		line, listed = c.lines[lineID{accountID, address}]
		if _, bare, prefixed := strings.Cut(address, ":"); prefixed && !listed {
			line, listed = c.lines[lineID{accountID, bare}]
		}
		return listed && (channel == "" || line.Serves(channel))
	})
	if listed && errors.Is(err, ErrUnknown) {
		return Line{}, ErrUnserved
	}
	return line, err
}

// Tenant returns a tenant.
func (d *Directory) Tenant(ctx context.Context, id string) (Tenant, error) {
	c, err := d.configs.Get(ctx, id, d.readConfig)
	if err != nil {
		return Tenant{}, err
	}
	return c.tenant, nil
}

// Renew reads a tenant's configuration now, whatever is held, and reports whether another one is in force since.
func (d *Directory) Renew(ctx context.Context, id string) (changed bool, err error) {
	before, _ := d.configs.Held(id, cache.Forever)
	now, err := d.configs.Newer(ctx, id, 0, d.readConfig)
	return err == nil && before != now, err
}

// Lister lists records of the configuration table.
type Lister interface {
	List(ctx context.Context, r store.Range) (page []store.Record, more bool, err error)
}

// Accounts returns all accounts of a provider, by their ids. What cannot be used is left out, and told of when it is read.
func (d *Directory) Accounts(ctx context.Context, in Lister, provider string) ([]Account, error) {
	found := map[string]Account{}
	for page, err := range store.Pages(ctx, in, store.Range{Partition: providerAccountKey(provider, "").Partition, Limit: store.MaxGet}) {
		if err != nil {
			return nil, err
		}
		for _, record := range page {
			o, err := holder(record)
			if err == nil && o.Account != "" {
				err = d.addAccount(ctx, found, o.Account)
			} else if err == nil {
				err = d.addAccounts(ctx, found, o.Tenant, provider)
			}
			if err != nil && !errors.Is(err, ErrUnknown) && !errors.Is(err, errInvalid) {
				return nil, err
			}
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b Account) int { return strings.Compare(a.ID, b.ID) }), nil
}

func (d *Directory) addAccount(ctx context.Context, to map[string]Account, id string) error {
	a, err := d.Account(ctx, id)
	if err == nil {
		to[id] = a
	}
	return err
}

// addAccounts adds the accounts at a provider that are in a tenant's file.
func (d *Directory) addAccounts(ctx context.Context, to map[string]Account, tenant, provider string) error {
	c, err := d.configs.Get(ctx, tenant, d.readConfig)
	if err != nil {
		return err
	}
	for id, a := range c.accounts {
		if a.Provider == provider {
			to[id] = a
		}
	}
	return nil
}

// find looks into the configuration of the tenant that owns an account, or the line at an address of it, and once more into a newer one.
func (d *Directory) find(ctx context.Context, accountID, address string, in func(*held, *config) bool) error {
	a, c, err := d.configOf(ctx, accountID, address, 0)
	if err == nil && in(a, c) {
		return nil
	}
	if err == nil || errors.Is(err, ErrUnknown) {
		a, c, err = d.configOf(ctx, accountID, address, newest)
	}
	if err != nil || in(a, c) {
		return err
	}
	return ErrUnknown
}

// configOf returns whose an account is and the configuration that has it, or the line at the address: none if the account has a file of its
// own and there is no address. What is older than age is read again, unless that is 0.
func (d *Directory) configOf(ctx context.Context, accountID, address string, age time.Duration) (*held, *config, error) {
	a, err := look(ctx, d.accounts, accountID, age, d.readAccount)
	if err != nil {
		return nil, nil, err
	}
	tenant := a.tenant
	if a.document != nil {
		if address == "" {
			return a, nil, nil
		}
		if tenant, err = look(ctx, d.owners, lineAt{a.account.Provider, address}, age, d.readOwner); err != nil {
			return nil, nil, err
		}
		if !a.document.allows(tenant) {
			return nil, nil, ErrUnknown
		}
	}
	c, err := look(ctx, d.configs, tenant, age, d.readConfig)
	return a, c, err
}

func look[K comparable, V any](ctx context.Context, in *cache.Cache[K, V], key K, age time.Duration, read cache.Reader[K, V]) (V, error) {
	if age == 0 {
		return in.Get(ctx, key, read)
	}
	return in.Newer(ctx, key, age, read)
}

func (d *Directory) readAccount(ctx context.Context, accountID string, before *held) (*held, error) {
	records, err := d.records.Get(ctx, accountKey(accountID))
	if err != nil {
		return nil, err
	}
	record := records[0]
	if record.Version == 0 {
		return nil, ErrUnknown
	}
	if before != nil && before.recordVersion == record.Version {
		return before, nil
	}
	o, err := holder(record)
	var file AccountFile
	if err == nil && o.Shared != nil {
		file, err = o.Shared.open(ctx, d.opener)
	}
	switch {
	case errors.Is(err, errInvalid), err == nil && o.Tenant == "" && o.Shared == nil:
		return before, d.refuse(ctx, "account", record, before != nil)
	case err != nil:
		return nil, err
	}
	return &held{record.Version, o.Tenant, newAccount(file.Owner, file.Account), o.Shared}, nil
}

// readOwner reads who has a line at exactly this address, or else at the address behind its channel's prefix.
func (d *Directory) readOwner(ctx context.Context, at lineAt, before string) (string, error) {
	keys := []store.Key{lineKey(at.provider, at.address)}
	if _, bare, prefixed := strings.Cut(at.address, ":"); prefixed {
		keys = append(keys, lineKey(at.provider, bare))
	}
	records, err := d.records.Get(ctx, keys...)
	if err != nil {
		return "", err
	}
	for _, r := range records {
		o, err := holder(r)
		if err != nil || r.Version > 0 && o.Tenant == "" {
			return before, d.refuse(ctx, "line", r, before != "")
		}
		if o.Tenant != "" {
			return o.Tenant, nil
		}
	}
	return "", ErrUnknown
}

func (d *Directory) readConfig(ctx context.Context, tenant string, held *config) (*config, error) {
	records, err := d.records.Get(ctx, currentKey(tenant))
	if err != nil {
		return nil, err
	}
	record := records[0]
	if record.Version == 0 {
		return nil, ErrUnknown
	}
	if held != nil && record.Version == held.recordVersion {
		return held, nil
	}
	c, err := open(ctx, d.opener, tenant, record)
	if errors.Is(err, errInvalid) {
		return held, d.refuse(ctx, "tenant", record, held != nil)
	}
	return c, err
}

// refuse tells that a record cannot be used. Its digest, not its content, says which one it was. It is an error where nothing is held
// that stays in force.
func (d *Directory) refuse(ctx context.Context, what string, record store.Record, held bool) error {
	sum := sha256.Sum256(record.Data)
	d.logger.ErrorContext(ctx, "configuration record cannot be decoded; the last good one stays in force",
		slog.String("record", what), slog.String("partition", record.Partition), slog.Int64("recordVersion", record.Version),
		slog.String("sha256", hex.EncodeToString(sum[:8])))
	d.meter.Count("ConfigurationInvalid", 1, telemetry.Label{Name: "record", Value: what})
	if held {
		return nil
	}
	return fault.New(fault.Blocked, CodeInvalid, errInvalid)
}
