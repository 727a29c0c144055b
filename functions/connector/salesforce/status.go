package salesforce

import (
	"context"
	"net/http"
	"net/url"
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
	held, err := o.events(ctx, of)
	errs := slices.Repeat([]error{err}, len(of))
	var rows []connector.Object
	var at []int
	for i, u := range of {
		if id := held[u.Key]; id != "" {
			at, rows = append(at, i), append(rows, row(eventObject, id,
				"Status__c", u.State, "Status_Rank__c", u.Rank(), "Status_At__c", connector.Instant(u.At), "Status_Error__c", u.Error))
		}
	}
	for k, err := range o.writeRows(ctx, rows) {
		if !missing(err) { // deleted a moment ago
			errs[at[k]] = err
		}
	}
	return errs
}

// events returns the ids of the records of messages that are there, by key.
func (o *org) events(ctx context.Context, of []receipt.Update) (map[string]string, error) {
	keys := make([]string, 0, len(of))
	for _, u := range of {
		if eventKey.MatchString(u.Key) { // so that nothing in the query needs escaping; no other is the key of a record
			keys = append(keys, u.Key)
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	query := "SELECT Id, " + fieldEventKey + " FROM " + eventObject + " WHERE " + fieldEventKey + " IN ('" + strings.Join(keys, "', '") + "')"
	var reply struct {
		Done    bool `json:"done"`
		Records []struct {
			ID  string `json:"Id"`
			Key string `json:"Event_Key__c"`
		} `json:"records"`
	}
	if err := o.call(ctx, http.MethodGet, o.path("query")+"?q="+url.QueryEscape(query), nil, &reply); err != nil {
		return nil, err
	}
	if !reply.Done {
		return nil, fault.New(fault.Retryable, "salesforce_query_unfinished", nil)
	}
	ids := make(map[string]string, len(reply.Records))
	for _, r := range reply.Records {
		ids[r.Key] = r.ID
	}
	return ids, nil
}

var eventKey = regexp.MustCompile(`^[0-9a-f]{64}$`)

// raced sorts the error of an upsert by a key of ours. That the key is taken means that another write of the same record, such
// as one that timed out here and went on there, was faster; repeated, the upsert finds it by the key.
func raced(err error) error {
	if fault.Is(err, codeDuplicateValue) && ofOurKey(err) {
		return fault.New(fault.Retryable, "salesforce_write_raced", err)
	}
	return err
}
