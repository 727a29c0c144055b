package tenant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/standardwebhooks"
	"signalbox/shared/store"
)

// Store is what publishing needs.
type Store interface {
	Get(ctx context.Context, keys ...store.Key) ([]store.Record, error)
	List(ctx context.Context, r store.Range) (page []store.Record, more bool, err error)
	Write(ctx context.Context, changes ...store.Change) ([]store.Record, error)
}

// Box seals and opens credentials; *keyring.Box is one.
type Box interface {
	Opener
	Seal(ctx context.Context, b keyring.Binding, plain, additional []byte) ([]byte, error)
}

// Outcome is a configuration that was planned or published.
type Outcome struct {
	Version int      // the version in force afterwards; of a plan, the one that publishing would give
	Changes []Change // by path; empty when the file is what is in force
}

// claim is the record of an account, a provider's account, a signing key or a line: that this tenant, or account, and no other has it.
type claim struct {
	Partition string `json:"partition"`
	Sort      string `json:"sort"`
	path      string // in the file
	taken     string // what is said when another tenant has it
}

const (
	takenName = "belongs to another tenant, which has to give it up first"
	takenKey  = "signs for an account of another tenant: make a new one for this account"
	takenFile = "is the id of an account with a file of its own: take the account out of this file"
)

func (c claim) key() store.Key { return store.Key{Partition: c.Partition, Sort: c.Sort} }

// Plan returns what Publish would change. It writes nothing.
func Plan(ctx context.Context, s Store, box Box, peppers *Peppers, f File) (Outcome, error) {
	p, err := prepare(ctx, s, box, peppers, f)
	if err != nil {
		return Outcome{}, err
	}
	return p.outcome(), nil
}

// Publish puts a file into force, completely or not at all: the one record that holds the whole configuration is replaced
// last, or in one transaction with everything else. A file that is what is in force changes nothing. The error is an
// *InvalidError when the file is refused (an account, a provider's account, a signing
// key or a line that another tenant has, too), otherwise sorted by package
// fault; then it may be published again.
func Publish(ctx context.Context, s Store, box Box, peppers *Peppers, f File) (Outcome, error) {
	p, err := prepare(ctx, s, box, peppers, f)
	if err != nil {
		return Outcome{}, err
	}
	if len(p.changes) == 0 { // an earlier release did not make all of these claims
		return p.outcome(), writeAll(ctx, s, slices.Concat(p.claims, p.releases))
	}
	atOnce := len(p.claims)+len(p.releases)+len(p.joins)+3 <= store.MaxWrite // the three of core
	core, err := p.core(ctx, box, atOnce)
	if err != nil {
		return Outcome{}, err
	}
	if atOnce {
		err = writeAll(ctx, s, slices.Concat(core, p.claims, p.releases))
		return p.outcome(), err
	}
	// What was claimed and then not used stays this tenant's and is found again by the next attempt; what was given up and
	// then not removed is named in the new record and removed by the next publication.
	if err := writeAll(ctx, s, p.claims); err != nil {
		return Outcome{}, err
	}
	if err := writeAll(ctx, s, core); err != nil {
		return Outcome{}, err
	}
	return p.outcome(), writeAll(ctx, s, p.releases)
}

// publication is a file with all that was read to publish it.
type publication struct {
	file     File
	current  store.Record
	version  int // in force, 0 when none is
	listed   bool
	changes  []Change
	claims   []store.Change
	releases []store.Change
	joins    []store.Change // checks of accounts with files of their own that lines are new at: they still name the tenant
}

func (p *publication) outcome() Outcome {
	if len(p.changes) == 0 {
		return Outcome{p.version, p.changes}
	}
	return Outcome{p.version + 1, p.changes}
}

func prepare(ctx context.Context, s Store, box Box, peppers *Peppers, f File) (*publication, error) {
	if problems := Validate(f); len(problems) > 0 {
		return nil, invalid(problems)
	}
	records, err := s.Get(ctx, currentKey(f.Tenant.ID), listKey(f.Tenant.ID))
	if err != nil {
		return nil, err
	}
	p := &publication{file: f, current: records[0], listed: records[1].Version > 0}
	before, err := p.inForce(ctx, s, box)
	if err != nil {
		return nil, err
	}
	if before == nil {
		before = &document{}
	}
	providers, err := p.join(ctx, s, before.open)
	if err != nil {
		return nil, err
	}
	if p.changes, err = difference(before.open, &f, coveredFile); err != nil {
		return nil, err
	}
	wanted, err := claimsOf(ctx, peppers, f, providers)
	if err != nil {
		return nil, err
	}
	held := before.Releasing
	if before.open != nil {
		claims, err := claimsOf(ctx, peppers, *before.open, providers)
		if err != nil {
			return nil, err
		}
		held = append(claims, held...)
	}
	me := owner{Tenant: f.Tenant.ID}
	p.claims, p.releases, err = settle(ctx, s, me, func(o owner, _ bool) bool { return o.Tenant == me.Tenant }, wanted, held)
	return p, err
}

// maxJoins is how many accounts with files of their own a tenant may come to have lines of at once: one transaction checks them.
const maxJoins = store.MaxWrite - 5

// join checks lines of accounts with files of their own, and returns the providers of those of the file and of what was in force before.
func (p *publication) join(ctx context.Context, s Store, before *File) (map[string]string, error) {
	wanted, held := foreign(p.file), []string(nil)
	if before != nil {
		held = foreign(*before)
	}
	accounts, err := readShared(ctx, s, slices.Concat(wanted, held))
	if err != nil {
		return nil, err
	}
	providers, named := map[string]string{}, map[string]string{}
	for id, a := range accounts {
		providers[id] = a.Content.Account.Provider
		if !a.allows(p.file.Tenant.ID) {
			continue
		}
		named[id] = providers[id]
		if slices.Contains(wanted, id) && !slices.Contains(held, id) {
			p.joins = append(p.joins, store.Change{Kind: store.Check, Record: store.Record{Key: a.record.Key, Version: a.record.Version}})
		}
	}
	v := &validation{grammar: newGrammar()}
	v.owners(p.file, named)
	v.want(len(p.joins) <= maxJoins, "lines", fmt.Sprintf("are new at more than %d accounts with files of their own: apply some of them first", maxJoins))
	return providers, invalid(v.problems)
}

// foreign returns the accounts of lines that are not in the file.
func foreign(f File) (ids []string) {
	own := map[string]bool{}
	for _, a := range f.Accounts {
		own[a.ID] = true
	}
	for _, l := range f.Lines {
		if !own[l.Account] {
			ids = append(ids, l.Account)
		}
	}
	return ids
}

// inForce reads the configuration in force, nil when there is none or it cannot be read: then all of the file is new.
func (p *publication) inForce(ctx context.Context, s Store, box Box) (*document, error) {
	if p.current.Version == 0 {
		return nil, nil
	}
	d, err := openDocument(ctx, box, p.file.Tenant.ID, p.current.Data)
	switch {
	case err == nil:
		p.version = d.Version
		return d, nil
	case !errors.Is(err, errInvalid):
		return nil, err
	}
	newest := currentKey(p.file.Tenant.ID)
	page, _, err := s.List(ctx, store.Range{Partition: newest.Partition, Prefix: "v/", Limit: 1, Descending: true})
	if err != nil || len(page) == 0 {
		return nil, err
	}
	p.version, err = strconv.Atoi(strings.TrimPrefix(page[0].Sort, "v/"))
	return nil, err
}

// settle works out which claims are to be written for me and removed. Ours reports whether a record's owner may give way to me, who knows
// whether the claim was held before.
func settle(
	ctx context.Context, s Store, me owner, ours func(o owner, wasHeld bool) bool, wanted, held []claim,
) (claims, releases []store.Change, err error) {
	all, before := slices.Clone(wanted), map[store.Key]bool{}
	for _, c := range held {
		before[c.key()] = true
		if !slices.ContainsFunc(all, func(known claim) bool { return known.key() == c.key() }) {
			all = append(all, c)
		}
	}
	data, err := json.Marshal(me)
	if err != nil {
		return nil, nil, err
	}
	keys := make([]store.Key, len(all))
	for i, c := range all {
		keys[i] = c.key()
	}
	records, err := getAll(ctx, s, keys)
	if err != nil {
		return nil, nil, err
	}
	var problems []Problem
	for i, r := range records {
		o, err := holder(r) // what cannot be read is nobody's to take
		mine, want := err == nil && r.Version > 0 && ours(o, before[keys[i]]), i < len(wanted)
		switch {
		case want && (r.Version == 0 || mine && o != me):
			claims = append(claims, store.Change{Kind: store.Put, Record: store.Record{Key: keys[i], Version: r.Version, Data: data}})
		case want && o.Shared != nil:
			problems = append(problems, Problem{all[i].path, takenFile})
		case want && !mine:
			problems = append(problems, Problem{all[i].path, all[i].taken})
		case !want && mine:
			releases = append(releases, store.Change{Kind: store.Delete, Record: store.Record{Key: keys[i], Version: r.Version}})
		}
	}
	return claims, releases, invalid(slices.Compact(problems)) // an address may make two claims
}

// claimsOf returns the claims of a file, accounts first, each in the file's order. Keys are claimed by their marks. Others are the providers
// of accounts that are not in the file.
func claimsOf(ctx context.Context, peppers *Peppers, f File, others map[string]string) ([]claim, error) {
	providers := maps.Clone(others)
	if providers == nil {
		providers = map[string]string{}
	}
	var claims []claim
	claimed := map[store.Key]bool{}
	add := func(k store.Key, taken, path string, i int) {
		if !claimed[k] {
			claims = append(claims, claim{k.Partition, k.Sort, fmt.Sprintf(path, i), taken})
		}
		claimed[k] = true
	}
	for i, a := range f.Accounts {
		providers[a.ID] = a.Provider
		add(accountKey(a.ID), takenName, "accounts[%d].id", i)
		if _, signs := standardwebhooks.Identify(a.AuthToken); !signs {
			add(providerAccountKey(a.Provider, a.ProviderAccount), takenName, "accounts[%d].providerAccount", i)
		}
		// Each tenant names the other accounts as it likes. What is signed does not name the account: a key proves only whose it is.
		for _, t := range tokens(a) {
			key, signs := standardwebhooks.Identify(t.value)
			if !signs {
				continue
			}
			mark, err := peppers.mark(ctx, key)
			if err != nil {
				return nil, err
			}
			add(signingKey(a.Provider, mark), takenKey, "accounts[%d]."+t.name, i)
		}
	}
	for i, l := range f.Lines {
		add(lineKey(providers[l.Account], l.Address), takenName, "lines[%d].address", i)
		if _, number, prefixed := strings.Cut(l.Address, ":"); prefixed && strings.HasPrefix(number, "+") { // it is one number on every channel
			add(lineKey(providers[l.Account], number), takenName, "lines[%d].address", i)
		}
	}
	return claims, nil
}

// core returns the changes that put the configuration into force.
func (p *publication) core(ctx context.Context, box Box, atOnce bool) ([]store.Change, error) {
	content, err := convert(p.file, sealing(ctx, box, p.file.Tenant.ID))
	if err != nil {
		return nil, err
	}
	d := document{Format: documentFormat, Version: p.version + 1, Content: content}
	if !atOnce {
		for _, r := range p.releases {
			d.Releasing = append(d.Releasing, claim{Partition: r.Partition, Sort: r.Sort})
		}
	}
	data, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	if len(data) > store.MaxData {
		return nil, invalid([]Problem{{"", fmt.Sprintf("the configuration takes %d bytes, more than %d", len(data), store.MaxData)}})
	}
	tenant := p.file.Tenant.ID
	core := append(p.joins,
		store.Change{Kind: store.Put, Record: store.Record{Key: currentKey(tenant), Version: p.current.Version, Data: data}},
		store.Change{Kind: store.Put, Record: store.Record{Key: versionKey(tenant, d.Version), Data: data}},
	)
	if !p.listed {
		core = append(core, store.Change{Kind: store.Put, Record: store.Record{Key: listKey(tenant)}})
	}
	return core, nil
}

// writeAll makes changes, as many at once as the store takes. A record that changed since it was read is another publication.
func writeAll(ctx context.Context, s Store, changes []store.Change) error {
	for part := range slices.Chunk(changes, store.MaxWrite) {
		_, err := s.Write(ctx, part...)
		if _, lost := errors.AsType[*store.ConflictError](err); lost {
			return fault.New(fault.Retryable, "configuration_contended", nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
