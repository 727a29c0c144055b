package salesforce

import (
	"context"
	"net/http"

	"signalbox/functions/connector"
	"signalbox/shared/fault"
	"signalbox/shared/receipt"
	"signalbox/shared/store"
)

// ReceiptsWidth is how many updates go into one call: as many as are read of the store at once, of the 200 that Salesforce
// takes. A call counts as one request, however many rows it has.
const ReceiptsWidth = store.MaxGet

// statusRow is how far a message got. It holds nothing that the message itself writes, so that neither takes back what the
// other wrote: whichever comes first makes the record.
type statusRow struct {
	Attributes attributes `json:"attributes"`
	Key        string     `json:"Event_Key__c"`
	Status     string     `json:"Status__c"`
	Rank       int        `json:"Status_Rank__c"`
	At         string     `json:"Status_At__c"`
	Error      string     `json:"Status_Error__c,omitempty"`
}

var _ connector.StatusWriter = (*CRM)(nil)

// WriteStatuses implements connector.StatusWriter: one call, an upsert by external id.
func (c *CRM) WriteStatuses(ctx context.Context, updates []receipt.Update) []error {
	errs := make([]error, len(updates))
	if len(updates) == 0 {
		return errs
	}
	o, err := c.org(ctx, place{updates[0].TenantID, updates[0].CRM})
	if err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	for begin := 0; begin < len(updates); begin += maxRows {
		end := min(begin+maxRows, len(updates))
		o.statuses(ctx, updates[begin:end], errs[begin:end])
	}
	return errs
}

// statuses makes one call. When Salesforce refuses it as a whole its rows are sent alone: one bad row never fails its
// neighbours.
func (o *org) statuses(ctx context.Context, updates []receipt.Update, errs []error) {
	request := struct {
		AllOrNone bool        `json:"allOrNone"`
		Records   []statusRow `json:"records"`
	}{Records: make([]statusRow, len(updates))}
	for i, u := range updates {
		request.Records[i] = statusRow{attributes{eventObject}, u.Key, u.State, u.Rank(), instant(u.At), u.Error}
	}
	var replies []rowReply
	err := o.call(ctx, http.MethodPatch, o.path("composite/sobjects/"+eventObject+"/"+fieldEventKey), request, &replies)
	if err != nil && fault.Of(err).Kind == fault.Permanent && len(updates) > 1 {
		for i := range updates {
			o.statuses(ctx, updates[i:i+1], errs[i:i+1])
		}
		return
	}
	for i := range updates {
		switch {
		case err != nil:
			errs[i] = err
		case i >= len(replies):
			errs[i] = fault.New(fault.Retryable, "salesforce_row_unanswered", nil)
		default:
			errs[i] = raced(replies[i].err())
		}
	}
}

// raced sorts the error of an upsert by a key of ours. That the key is taken means that another write of the same record, such
// as one that timed out here and went on there, was faster; repeated, the upsert finds it by the key.
func raced(err error) error {
	if is(err, codeDuplicateValue) && ofOurKey(err) {
		return fault.New(fault.Retryable, "salesforce_write_raced", err)
	}
	return err
}
