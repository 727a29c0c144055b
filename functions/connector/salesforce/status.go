package salesforce

import (
	"context"

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
	o, err := c.org(ctx, place{Tenant: updates[0].TenantID, CRM: updates[0].CRM})
	if err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	rows := make([]any, len(updates))
	for i, u := range updates {
		rows[i] = statusRow{attributes{eventObject}, u.Key, u.State, u.Rank(), instant(u.At), u.Error}
	}
	for i, err := range o.writeRows(ctx, "composite/sobjects/"+eventObject+"/"+fieldEventKey, rows) {
		errs[i] = raced(err)
	}
	return errs
}

// raced sorts the error of an upsert by a key of ours. That the key is taken means that another write of the same record, such
// as one that timed out here and went on there, was faster; repeated, the upsert finds it by the key.
func raced(err error) error {
	if is(err, codeDuplicateValue) && ofOurKey(err) {
		return fault.New(fault.Retryable, "salesforce_write_raced", err)
	}
	return err
}
