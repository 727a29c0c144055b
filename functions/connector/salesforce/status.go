package salesforce

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
	"signalbox/shared/receipt"
	"signalbox/shared/store"
)

// ReceiptsWidth is how many updates go into one call: as many as are read of the store at once, of the 200 that Salesforce
// takes; their keys in a query's address stay well below what it reads. A call counts as one request, however many rows it has.
const ReceiptsWidth = store.MaxGet

var _ connector.StatusWriter = (*CRM)(nil)

// WriteStatuses implements connector.StatusWriter in two calls: the first finds the records that are there, the second updates
// them. An upsert by external id would do with one, and make records of messages that nobody has put on a timeline. The parameter
// updateOnly is for one record; in a graph each that is not there is a failure, after fourteen of which Salesforce stops. A row
// holds nothing that the message itself writes, so that neither takes back what the other wrote.
func (c *CRM) WriteStatuses(ctx context.Context, of []receipt.Update) []error {
	if len(of) == 0 {
		return nil
	}
	o, err := c.org(ctx, connector.BindingKey{Tenant: of[0].TenantID, CRM: of[0].CRM})
	if err != nil {
		return slices.Repeat([]error{err}, len(of))
	}
	keys, states := make([]string, len(of)), make([]connector.Object, len(of))
	for i, u := range of {
		keys[i] = u.Key
		states[i] = connector.Object{"Status__c", u.State, "Status_Rank__c", u.Rank(), "Status_At__c", connector.Instant(u.At), "Status_Error__c", orNull(u.Error)}
		if o.binding.Package >= releaseReasons {
			states[i] = append(states[i], "Status_Reason__c", orNull(receipt.Words(u.Reason)))
		}
	}
	return o.updateHeld(ctx, eventObject, fieldEventKey, keys, states)
}

// updateHeld updates those records of an object that are there by their keys, and returns an error each.
func (o *org) updateHeld(ctx context.Context, object, field string, keys []string, members []connector.Object) []error {
	held, err := o.idsOf(ctx, object, field, keys)
	errs := slices.Repeat([]error{err}, len(keys))
	var rows []connector.Object
	var at []int
	for i, key := range keys {
		if id := held[key]; id != "" {
			at, rows = append(at, i), append(rows, row(object, id, members[i]...))
		}
	}
	for k, err := range o.writeRows(ctx, rows) {
		if !missing(err) { // deleted a moment ago
			errs[at[k]] = err
		}
	}
	return errs
}

// idsOf returns the ids of the records of an object that are there, by their keys in a field. What is no key of ours has no record.
func (o *org) idsOf(ctx context.Context, object, field string, keys []string) (map[string]string, error) {
	keys = slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !keyForm.MatchString(key) }) // so that nothing in the query needs escaping
	ids := make(map[string]string, len(keys))
	for some := range slices.Chunk(keys, ReceiptsWidth) {
		query := "SELECT Id, " + field + " FROM " + object + " WHERE " + field + " IN ('" + strings.Join(some, "', '") + "')"
		records, done, err := queried[map[string]any](ctx, o, "query", query)
		if fault.Is(err, codeSlowQuery) && len(some) > 1 { // half of it at a time
			for half := range slices.Chunk(some, (len(some)+1)/2) {
				found, err := o.idsOf(ctx, object, field, half)
				if err != nil {
					return nil, err
				}
				maps.Copy(ids, found)
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		if !done {
			return nil, fault.New(fault.Retryable, "salesforce_query_unfinished", nil)
		}
		for _, r := range records {
			key, _ := r[field].(string)
			ids[key], _ = r["Id"].(string)
		}
	}
	return ids, nil
}

// keyForm is what every key of a record is.
var keyForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// raced sorts the error of an upsert by a key of ours. That the key is taken means that another write of the same record, such
// as one that timed out here and went on there, was faster; repeated, the upsert finds it by the key.
func raced(err error) error {
	if fault.Is(err, codeDuplicateValue) && ofOurKey(err) {
		return fault.New(fault.Retryable, "salesforce_write_raced", err)
	}
	return err
}
