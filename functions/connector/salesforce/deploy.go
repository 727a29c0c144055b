package salesforce

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"time"
	"unicode"

	"signalbox/functions/connector"
	"signalbox/shared/connect"
	"signalbox/shared/fault"

	definitions "signalbox/functions/connector/salesforce/package"
)

// Times of a deployment: how often it is looked at, and for how long before whoever asked is to ask again.
const (
	deployLook = time.Second
	deployWait = 20 * time.Second
)

// deployResult is how a deployment stands.
// See https://developer.salesforce.com/docs/atlas.en-us.api_meta.meta/api_meta/meta_rest_deploy_checkstatus.htm.
type deployResult struct {
	Done       bool   `json:"done"`
	Success    bool   `json:"success"`
	Status     string `json:"status"`
	Components int    `json:"numberComponentsDeployed"`
	Message    string `json:"errorMessage"`
	Details    struct {
		Failures failures `json:"componentFailures"`
	} `json:"details"`
}

type failure struct {
	Kind    string `json:"componentType"`
	Name    string `json:"fullName"`
	Problem string `json:"problem"`
}

// failures are several, or one alone, as the Metadata API writes them.
type failures []failure

// UnmarshalJSON implements json.Unmarshaler.
func (f *failures) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		*f = make(failures, 1)
		return json.Unmarshal(data, &(*f)[0])
	}
	return json.Unmarshal(data, (*[]failure)(f))
}

// outcome is what came of a deployment, and what mends what is missing then.
type outcome struct {
	succeeded bool
	mend      string
}

// byHand is the command that deploys the package as somebody who may.
const byHand = "sf project deploy start --metadata-dir functions/connector/salesforce/package --target-org <alias>"

// deploy deploys the package, or goes on with a deployment, and tells what came of it.
func (v *visit) deploy(ctx context.Context) (outcome, error) {
	id := v.After
	if id == "" {
		begun, err := v.begin(ctx)
		if err != nil && told(err) {
			v.Add("deployment", connect.Missing, fault.Of(err).Code+": the integration user may not deploy the package",
				"give it a permission set with Modify Metadata Through Metadata API Functions, "+v.again()+", and take it away again; or "+byHand)
			return outcome{mend: byHand + ", and assign the permission set " + definitions.PermissionSetName}, nil
		}
		if err != nil {
			return outcome{}, err
		}
		id = begun
	}
	result, err := v.follow(ctx, id)
	if err != nil {
		return outcome{}, err
	}
	v.After = ""
	switch {
	case !result.Done:
		v.After = id
		v.Add("deployment", connect.Missing, "Salesforce is still at it: "+printable(result.Status), v.again())
		return outcome{mend: v.again()}, nil
	case result.Success:
		v.Add("deployment", connect.Installed, fmt.Sprintf("release %d of the package, %d components", Package, result.Components), "")
		return outcome{succeeded: true, mend: v.mendAssign()}, nil
	}
	v.failed(result)
	return outcome{mend: "what the deployment failed for is above"}, nil
}

// begin sends the package and returns the id of its deployment.
// See https://developer.salesforce.com/docs/atlas.en-us.api_meta.meta/api_meta/meta_rest_deploy.htm.
func (v *visit) begin(ctx context.Context) (string, error) {
	archive, err := definitions.Archive(v.binding.Capabilities.TaskUpsert)
	if err != nil {
		return "", err
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, part := range []struct {
		disposition, kind string
		data              []byte
	}{
		{`form-data; name="json"`, "application/json", []byte(`{"deployOptions":{"singlePackage":true,"rollbackOnError":true,"checkOnly":false}}`)},
		{`form-data; name="file"; filename="package.zip"`, "application/zip", archive},
	} {
		w, err := form.CreatePart(textproto.MIMEHeader{"Content-Disposition": {part.disposition}, "Content-Type": {part.kind}})
		if err == nil {
			_, err = w.Write(part.data)
		}
		if err != nil {
			return "", err
		}
	}
	if err := form.Close(); err != nil {
		return "", err
	}
	var begun struct {
		ID string `json:"id"`
	}
	err = v.ask(ctx, http.MethodPost, v.path("metadata/deployRequest"), connector.Raw{Type: form.FormDataContentType(), Data: body.Bytes()}, &begun)
	if err == nil && !recordID.MatchString(begun.ID) {
		err = fault.New(fault.Retryable, codeUndecodable, nil)
	}
	return begun.ID, err
}

// follow looks at a deployment until it is done or the time for it is over.
func (v *visit) follow(ctx context.Context, id string) (deployResult, error) {
	var reply struct {
		Result deployResult `json:"deployResult"`
	}
	for began := time.Now(); ; {
		reply.Result = deployResult{}
		if err := v.ask(ctx, http.MethodGet, v.path("metadata/deployRequest/"+id)+"?includeDetails=true", nil, &reply); err != nil {
			return deployResult{}, err
		}
		if reply.Result.Done || time.Since(began) >= deployWait {
			return reply.Result, nil
		}
		if err := connector.Wait(ctx, deployLook); err != nil {
			return deployResult{}, fault.New(fault.Retryable, "salesforce_timeout", err)
		}
	}
}

// failed tells why a deployment changed nothing.
func (v *visit) failed(result deployResult) {
	v.Add("deployment", connect.Missing, printable(result.Status+" "+result.Message)+": nothing was deployed", "Setup > Deployment Status tells more")
	for _, f := range result.Details.Failures {
		if f.Name == "Activity."+fieldTaskKey {
			v.Add("unique key of tasks", connect.Missing, "the org takes none: "+printable(f.Problem), `"taskUpsert": false in the CRM's settings, make apply, `+v.again())
			continue
		}
		v.Add(printable(f.Name), connect.Missing, "it could not be deployed: "+printable(f.Problem), "mend it in Setup, "+v.again())
	}
}

// printable returns what Salesforce says in one line that is not long.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	return strings.TrimSpace(connector.Cut(text, 200))
}
