package simulator

import (
	"net/http"
	"strings"
)

// Dataverse's codes, as listed at https://learn.microsoft.com/power-apps/developer/data-platform/reference/web-service-error-codes. It lists
// no codes of the OData layer: codeQuery is what https://learn.microsoft.com/troubleshoot/power-platform/dataverse/dataverse-web-api-and-sdk/web-api-client-errors
// shows for a name that is not there, codeSegment and codePayload are from there too, codeKey is what others recorded.
const (
	codeQuery       = "0x0"
	codeSegment     = "0x8006088a"
	codePayload     = "0x80048d19"
	codeKey         = "0x80060888"
	codeNoRow       = "0x80040217" // ObjectDoesNotExist
	codeNoKey       = "0x80060891" // RecordNotFoundByEntityKey
	codeKeyTaken    = "0x80060892" // DuplicateRecordEntityKey
	codeExists      = "0x80040237" // DuplicateRecord
	codeVersion     = "0x80060882" // ConcurrencyVersionMismatch
	codeDuplicates  = "0x80040333" // DuplicateRecordsFound
	codeTooLong     = "0x80044331"
	codeChoice      = "0x8004431A" // PicklistValueOutOfRange
	codeState       = "0x80048408" // InvalidStateCodeStatusCode
	codePlugIn      = "0x80040265" // IsvAborted
	codeUnexpected  = "0x80040216" // UnExpected
	codePrivilege   = "0x80040220" // PrivilegeDenied
	codeUserLeft    = "0x80040225" // unManagedidsusernotenabled
	codeNotMember   = "0x80072560"
	codeBurst       = "0x80072322" // ThrottlingBurstRequestLimitExceededError
	codeExecution   = "0x80072321" // ThrottlingTimeExceededError
	codeConcurrent  = "0x80072326" // ThrottlingConcurrencyLimitExceededError
	codeNoDelete    = "0x80040227" // CannotDeleteDueToAssociation
	codeFileSize    = "0x80044a02" // unManagedidsattachmentinvalidfilesize
	codeArgument    = "0x80040203" // InvalidArgument
	codeNameTaken   = "0x80047010" // DuplicateName
	codeColumnTaken = "0x80047013" // DuplicateAttributeSchemaName
	codeKeyNamed    = "0x80060893" // EntityKeyNameExists
	codeInactive    = "0x80040230" // CannotUpdateObjectBecauseItIsInactive
	codeLocked      = "0x80071151" // as others met it, with a 429; the list has CustomizationLockEx_… for the same words
)

// fault is why a request is refused.
type fault struct {
	status  int
	code    string
	message string
}

func refuse(status int, code, message string) *fault { return &fault{status, code, message} }

func bad(code, message string) *fault { return refuse(http.StatusBadRequest, code, message) }

func (f *fault) reply() reply { return reply{Status: f.status, Body: f} }

// body returns what is told of a refusal, with the details that a request asks for. See
// https://learn.microsoft.com/power-apps/developer/data-platform/webapi/compose-http-requests-handle-errors.
func (f *fault) body(header http.Header) any {
	told := map[string]string{"code": f.code, "message": f.message}
	if annotates(header, "Microsoft.PowerApps.CDS.HelpLink") {
		told["@Microsoft.PowerApps.CDS.HelpLink"] = "http://go.microsoft.com/fwlink/?LinkID=398563&error=Microsoft.Crm.CrmException%3a" + strings.TrimPrefix(f.code, "0x") + "&client=platform"
	}
	if annotates(header, "Microsoft.PowerApps.CDS.InnerError.Message") {
		told["@Microsoft.PowerApps.CDS.InnerError.Message"] = f.message
	}
	return map[string]any{"error": told}
}

// annotates reports whether a request prefers an annotation to be included.
func annotates(header http.Header, annotation string) bool {
	for _, preference := range preferences(header) {
		list, ok := strings.CutPrefix(preference, "odata.include-annotations=")
		if !ok {
			continue
		}
		for pattern := range strings.SplitSeq(strings.Trim(list, `"`), ",") {
			start, open := strings.CutSuffix(strings.TrimSpace(pattern), "*")
			if pattern == annotation || open && strings.HasPrefix(annotation, start) {
				return true
			}
		}
	}
	return false
}

// preferences returns what a request prefers. A comma inside quotation marks does not end one.
func preferences(header http.Header) (all []string) {
	for _, line := range header.Values("Prefer") {
		quoted, from := false, 0
		for i, c := range line + "," {
			switch {
			case c == '"':
				quoted = !quoted
			case c == ',' && !quoted:
				all = append(all, strings.TrimSpace(line[from:i]))
				from = i + 1
			}
		}
	}
	return all
}

func noResource(uri string) *fault {
	return refuse(http.StatusNotFound, "", "No HTTP resource was found that matches the request URI '"+uri+"'.")
}

func noSegment(name string) *fault {
	return refuse(http.StatusNotFound, codeSegment, "Resource not found for the segment '"+name+"'.")
}

// payload refuses a body that does not fit its table.
func payload(set, reason string) *fault {
	return bad(codePayload, "Error identified in Payload provided by the user for Entity :'"+set+"', For more information on this error please follow this help link "+
		"https://go.microsoft.com/fwlink/?linkid=2195293  ---->  InnerException : Microsoft.OData.ODataException: "+reason)
}

func (t *table) noProperty(name string) *fault {
	return bad(codeQuery, "Could not find a property named '"+name+"' on type 'Microsoft.Dynamics.CRM."+t.Name+"'.")
}

func (t *table) noRow(id string) *fault {
	return refuse(http.StatusNotFound, codeNoRow, t.Name+" With Id = "+id+" Does Not Exist")
}

func (t *table) noKey() *fault {
	return refuse(http.StatusNotFound, codeNoKey, "A record with the specified key values does not exist in "+t.Name+" entity")
}

func (t *table) badKey() *fault {
	return bad(codeKey, "The key in the request URI is not valid for resource 'Microsoft.Dynamics.CRM."+t.Name+"'. Ensure that the names and number of key "+
		"properties match the declared or alternate key properties for the resource 'Microsoft.Dynamics.CRM."+t.Name+"'.")
}
