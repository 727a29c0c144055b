package tenant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"signalbox/shared/fault"
	"signalbox/shared/secret"
	"signalbox/shared/store"
)

// AccountFile is an account that several tenants have lines of, as a person writes it, with its credentials in the clear. It prints
// and encodes without them.
type AccountFile = AccountFileContent[secret.Value]

// AccountFileContent is the file of an account with its credentials as S: in the clear, or sealed.
type AccountFileContent[S any] struct {
	Account AccountContent[S] `json:"account"`
	Owner   string            `json:"owner"`   // the tenant, or another name of that form, that credentials and dead letters belong to
	Tenants []string          `json:"tenants"` // who may have lines of the account
}

// DecodeAccount reads an account's file that fits its schema, and validates what that does not say. The error is an *InvalidError with
// every problem.
func DecodeAccount(data []byte) (AccountFile, error) {
	if problems := Syntax(data); len(problems) > 0 {
		return AccountFile{}, invalid(problems)
	}
	var f AccountFile
	if err := json.Unmarshal(data, &f); err != nil { // the decoder's words may quote what it read
		return AccountFile{}, invalid([]Problem{{"", "the file does not have the members of an account's file"}})
	}
	return f, invalid(validateAccount(f))
}

// validateAccount lists what is wrong with an account's file beyond what its schema says.
func validateAccount(f AccountFile) []Problem {
	v := &validation{grammar: newGrammar()}
	v.account("account", 0, f.Account, map[string]int{})
	if f.Account.ConsentURL != "" { // routers know the accounts of their tenants' files alone
		v.add("account.consentUrl", "an account of several tenants cannot tell its provider what people said: leave it out")
	}
	return v.problems
}

// convertAccount changes how the credentials of an account are kept.
func convertAccount[S, T any](a AccountContent[S], change func(place string, value S) (T, error)) (AccountContent[T], error) {
	out := AccountContent[T]{ID: a.ID, Provider: a.Provider, ProviderAccount: a.ProviderAccount, APIURL: a.APIURL, ConsentURL: a.ConsentURL}
	var failed error
	for name, t := range map[string]struct {
		from S
		to   *T
	}{
		"authToken":         {a.AuthToken, &out.AuthToken},
		"previousAuthToken": {a.PreviousAuthToken, &out.PreviousAuthToken},
		"handshakeToken":    {a.HandshakeToken, &out.HandshakeToken},
		"apiToken":          {a.APIToken, &out.APIToken},
	} {
		changed, err := change("account/"+a.ID+"/"+name, t.from)
		*t.to, failed = changed, errors.Join(failed, err)
	}
	return out, failed
}

// accountDocument is what an account's file says, as its record holds it.
type accountDocument struct {
	Format  int                        `json:"format"`
	Version int                        `json:"version"`
	Content AccountFileContent[[]byte] `json:"content"`
}

// allows reports whether a tenant may have lines of the account.
func (d *accountDocument) allows(tenant string) bool {
	return slices.Contains(d.Content.Tenants, tenant)
}

// open opens the credentials. The error is errInvalid when they never will be opened.
func (d *accountDocument) open(ctx context.Context, opener Opener) (AccountFile, error) {
	account, err := convertAccount(d.Content.Account, opening(ctx, opener, d.Content.Owner))
	return AccountFile{Account: account, Owner: d.Content.Owner, Tenants: d.Content.Tenants}, permanently(err)
}

// holder reads whose a record is. It is the zero owner if there is none, and an error if nobody can tell.
func holder(r store.Record) (o owner, err error) {
	if r.Version == 0 {
		return o, nil
	}
	if err := json.Unmarshal(r.Data, &o); err != nil || o.Tenant == "" && o.Account == "" && o.Shared == nil {
		return owner{}, errInvalid
	}
	if d := o.Shared; d != nil && (d.Format != documentFormat || d.Version < 1 || d.Content.Owner == "") {
		return owner{}, errInvalid
	}
	return o, nil
}

// shared is an account with a file of its own, as a tenant's file is checked with it.
type shared struct {
	*accountDocument
	record store.Record
}

// readShared reads those of some accounts that have files of their own, by id.
func readShared(ctx context.Context, s Records, ids []string) (map[string]shared, error) {
	found := map[string]shared{}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	ids = slices.DeleteFunc(ids, func(id string) bool { return !isID(id) })
	keys := make([]store.Key, len(ids))
	for i, id := range ids {
		keys[i] = accountKey(id)
	}
	records, err := getAll(ctx, s, keys)
	for i, r := range records {
		if o, err := holder(r); err == nil && o.Shared != nil { // what cannot be read is nobody's to take
			found[ids[i]] = shared{o.Shared, r}
		}
	}
	return found, err
}

// getAll reads any number of records.
func getAll(ctx context.Context, s Records, keys []store.Key) (all []store.Record, err error) {
	for part := range slices.Chunk(keys, store.MaxGet) {
		records, err := s.Get(ctx, part...)
		if err != nil {
			return nil, err
		}
		all = append(all, records...)
	}
	return all, nil
}

// Providers returns the providers of those of some accounts that have files of their own, by id.
func Providers(ctx context.Context, s Records, ids []string) (map[string]string, error) {
	found, err := readShared(ctx, s, ids)
	providers := map[string]string{}
	for id, a := range found {
		providers[id] = a.Content.Account.Provider
	}
	return providers, err
}

// PlanAccount returns what PublishAccount would change. It writes nothing.
func PlanAccount(ctx context.Context, s Store, box Box, peppers *Peppers, f AccountFile) (Outcome, error) {
	p, err := prepareAccount(ctx, s, box, peppers, f)
	return p.outcome(), err
}

// PublishAccount puts an account's file into force, in one transaction. An account that its owner's file has becomes one with a file of
// its own; from then on it is taken out of that file. The error is an *InvalidError when the file is refused (what another tenant has,
// a tenant that is not named and has lines of the account), otherwise sorted by package fault; then it may be published again.
func PublishAccount(ctx context.Context, s Store, box Box, peppers *Peppers, f AccountFile) (Outcome, error) {
	p, err := prepareAccount(ctx, s, box, peppers, f)
	if err != nil || len(p.changes) == 0 {
		return p.outcome(), err
	}
	document, err := p.document(ctx, box)
	if err != nil {
		return Outcome{}, err
	}
	return p.outcome(), writeAll(ctx, s, append(p.writes, document))
}

// accountPublication is an account's file with all that was read to publish it.
type accountPublication struct {
	file    AccountFile
	current store.Record
	version int // in force, 0 when none is
	changes []Change
	writes  []store.Change // beside the account's own record
}

// outcome returns the zero Outcome of a file that is refused.
func (p *accountPublication) outcome() Outcome {
	switch {
	case p == nil:
		return Outcome{}
	case len(p.changes) == 0:
		return Outcome{p.version, p.changes}
	}
	return Outcome{p.version + 1, p.changes}
}

func prepareAccount(ctx context.Context, s Store, box Box, peppers *Peppers, f AccountFile) (*accountPublication, error) {
	if problems := validateAccount(f); len(problems) > 0 {
		return nil, invalid(problems)
	}
	id := f.Account.ID
	records, err := s.Get(ctx, accountKey(id), accountsKey(id))
	if err != nil {
		return nil, err
	}
	p := &accountPublication{file: f, current: records[0]}
	if records[1].Version == 0 {
		p.writes = append(p.writes, store.Change{Kind: store.Put, Record: store.Record{Key: accountsKey(id)}})
	}
	before, users, err := p.inForce(ctx, s, box)
	if err != nil {
		return nil, err
	}
	var held []claim
	if before != nil {
		if before.Account.Provider != f.Account.Provider { // records of lines are found by it
			return nil, invalid([]Problem{{"account.provider", "is another provider than that of the account in force: give the new account an id of its own"}})
		}
		if held, err = accountClaims(ctx, peppers, *before); err != nil {
			return nil, err
		}
	}
	if p.version == 0 { // what its owner's file said of it is not what this file is compared with
		before = nil
	}
	if p.changes, err = difference(before, &f, coveredAccount); err != nil {
		return nil, err
	}
	if err := p.leave(ctx, s, users); err != nil {
		return nil, err
	}
	wanted, err := accountClaims(ctx, peppers, f)
	if err != nil {
		return nil, err
	}
	ours := func(o owner, wasHeld bool) bool { return o.Account == id || wasHeld && o.Tenant == f.Owner }
	claims, releases, err := settle(ctx, s, owner{Account: id}, ours, wanted, held)
	if p.writes = slices.Concat(p.writes, claims, releases); err == nil && len(p.writes) >= store.MaxWrite {
		err = invalid([]Problem{{"tenants", fmt.Sprintf("takes more than %d tenants off at once: take some off, apply, and then the others", store.MaxWrite-10)}})
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// inForce reads the file in force, or what the owner's own file says of the account, and who may have lines of it.
func (p *accountPublication) inForce(ctx context.Context, s Store, box Box) (before *AccountFile, users []string, err error) {
	o, err := holder(p.current)
	switch {
	case err != nil: // of a later release, perhaps
		return nil, nil, fault.New(fault.Blocked, CodeInvalid, err)
	case p.current.Version == 0:
		return nil, nil, nil
	case o.Shared != nil:
		p.version = o.Shared.Version
		file, err := o.Shared.open(ctx, box)
		if errors.Is(err, errInvalid) { // all but the credentials is known
			err = nil
		}
		return &file, o.Shared.Content.Tenants, err
	case o.Tenant != p.file.Owner:
		return nil, nil, invalid([]Problem{{"account.id", "belongs to the file of another tenant than the owner, which has to give it up first"}})
	}
	records, err := s.Get(ctx, currentKey(o.Tenant))
	if err != nil || records[0].Version == 0 {
		return nil, nil, err
	}
	d, err := openDocument(ctx, box, o.Tenant, records[0].Data)
	if errors.Is(err, errInvalid) {
		return nil, nil, fault.New(fault.Blocked, CodeInvalid, errInvalid)
	}
	if err != nil {
		return nil, nil, err
	}
	for _, a := range d.open.Accounts {
		if a.ID == p.file.Account.ID {
			return &AccountFile{Account: a, Owner: o.Tenant}, []string{o.Tenant}, nil
		}
	}
	return nil, nil, nil
}

// leave refuses to take off tenants that have lines of the account, and has the others stay without until the file is in force.
func (p *accountPublication) leave(ctx context.Context, s Store, users []string) error {
	var problems []Problem
	for _, tenant := range users {
		if slices.Contains(p.file.Tenants, tenant) {
			continue
		}
		records, err := s.Get(ctx, currentKey(tenant))
		if err != nil {
			return err
		}
		d, err := decodeDocument(records[0])
		if err != nil {
			return fault.New(fault.Blocked, CodeInvalid, err)
		}
		if slices.ContainsFunc(d.Content.Lines, func(l LineContent) bool { return l.Account == p.file.Account.ID }) {
			problems = append(problems, Problem{"tenants", "does not name " + tenant + ", which has lines of this account: take those out of its file first"})
		}
		p.writes = append(p.writes, store.Change{Kind: store.Check, Record: store.Record{Key: records[0].Key, Version: records[0].Version}})
	}
	return invalid(problems)
}

// accountClaims returns what an account's file claims beside its id.
func accountClaims(ctx context.Context, peppers *Peppers, f AccountFile) ([]claim, error) {
	claims, err := claimsOf(ctx, peppers, File{Accounts: []AccountContent[secret.Value]{f.Account}}, nil)
	claims = slices.DeleteFunc(claims, func(c claim) bool { return c.key() == accountKey(f.Account.ID) })
	for i := range claims {
		claims[i].path = "account" + claims[i].path[len("accounts[0]"):]
	}
	return claims, err
}

// document returns the change of the account's own record.
func (p *accountPublication) document(ctx context.Context, box Box) (store.Change, error) {
	account, err := convertAccount(p.file.Account, sealing(ctx, box, p.file.Owner))
	if err != nil {
		return store.Change{}, err
	}
	data, err := json.Marshal(owner{Shared: &accountDocument{
		Format: documentFormat, Version: p.version + 1,
		Content: AccountFileContent[[]byte]{Account: account, Owner: p.file.Owner, Tenants: p.file.Tenants},
	}})
	return store.Change{Kind: store.Put, Record: store.Record{Key: p.current.Key, Version: p.current.Version, Data: data}}, err
}
