package simulator

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"signalbox/functions/connector/simulatortest"

	definitions "signalbox/functions/connector/salesforce/package"
)

// deployPath is where metadata is deployed.
const deployPath = "metadata/deployRequest"

// deployment is one, with the changes that it makes once it is done.
type deployment struct {
	began    time.Time
	failures []message
	deployed []message
	apply    func()
}

// message is what became of one component.
type message struct {
	Kind    string `json:"componentType"`
	Name    string `json:"fullName"`
	File    string `json:"fileName"`
	Problem string `json:"problem,omitempty"`
	Type    string `json:"problemType,omitempty"`
	Success bool   `json:"success"`
	Changed bool   `json:"changed"`
	Created bool   `json:"created"`
	Deleted bool   `json:"deleted"`
	At      string `json:"createdDate"`
}

// deploys returns POST metadata/deployRequest.
// See https://developer.salesforce.com/docs/atlas.en-us.api_meta.meta/api_meta/meta_rest_deploy.htm.
func (s *Simulator) deploys(r *http.Request, body []byte) reply {
	if s.options.NoDeploy {
		return refuse(http.StatusForbidden, "INSUFFICIENT_ACCESS", "use of the Metadata API requires a user with the ModifyAllData or ModifyMetadata permissions")
	}
	options, archive, err := readDeploy(r.Header.Get("Content-Type"), body)
	if err != nil {
		return refuse(http.StatusBadRequest, "INVALID_MULTIPART_REQUEST", err.Error())
	}
	d := s.prepare(archive)
	s.deployments = append(s.deployments, d)
	return reply{Status: http.StatusCreated, Body: map[string]any{
		"id": deploymentID(len(s.deployments)), "validatedDeployRequestId": nil, "deployOptions": options, "deployResult": s.result(len(s.deployments), false),
	}}
}

// readDeploy reads the two parts of a deployment: options in JSON and the zip. Clients call the first one as they like.
func readDeploy(contentType string, body []byte) (options json.RawMessage, archive []byte, err error) {
	_, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, nil, err
	}
	form := multipart.NewReader(bytes.NewReader(body), parameters["boundary"])
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return nil, nil, err
		}
		if part.FormName() == "file" {
			archive = data
			continue
		}
		var in struct {
			Options json.RawMessage `json:"deployOptions"`
		}
		if err := simulatortest.Decode(data, &in); err != nil {
			return nil, nil, err
		}
		options = in.Options
	}
	if options == nil || archive == nil {
		return nil, nil, errors.New("a part of the request is missing")
	}
	return options, archive, nil
}

func deploymentID(n int) string { return fmt.Sprintf("0Af%015d", n) }

// deployed returns GET metadata/deployRequest/{id}.
// See https://developer.salesforce.com/docs/atlas.en-us.api_meta.meta/api_meta/meta_rest_deploy_checkstatus.htm.
func (s *Simulator) deployed(id string, query url.Values) reply {
	for n := range s.deployments {
		if deploymentID(n+1) == id {
			return reply{Status: http.StatusOK, Body: map[string]any{
				"id": id, "validatedDeployRequestId": nil, "deployOptions": nil, "deployResult": s.result(n+1, query.Get("includeDetails") == "true"),
			}}
		}
	}
	return missing()
}

// result returns how a deployment stands, and carries it out once its time is over.
func (s *Simulator) result(n int, details bool) map[string]any {
	d := s.deployments[n-1]
	done := time.Since(d.began) >= s.options.DeployTime
	status := "InProgress"
	switch {
	case done && len(d.failures) > 0:
		status = "Failed"
	case done:
		status = "Succeeded"
		d.apply()
		d.apply = func() {}
	}
	told := map[string]any{
		"id": deploymentID(n), "status": status, "success": done && len(d.failures) == 0, "done": done, "checkOnly": false, "ignoreWarnings": false,
		"rollbackOnError": true, "runTestsEnabled": false, "numberComponentsDeployed": 0, "numberComponentsTotal": len(d.deployed) + len(d.failures),
		"numberComponentErrors": 0, "numberTestsCompleted": 0, "numberTestsTotal": 0, "numberTestErrors": 0, "createdDate": d.began.UTC().Format(timeFormat),
	}
	if done {
		told["numberComponentsDeployed"], told["numberComponentErrors"] = len(d.deployed), len(d.failures)
	}
	if details {
		successes, failures := []message{}, []message{}
		if done {
			successes, failures = append(successes, d.deployed...), append(failures, d.failures...)
		}
		told["details"] = map[string]any{
			"allComponentMessages": append(append([]message{}, failures...), successes...), "componentFailures": failures, "componentSuccesses": successes,
			"retrieveResult": nil, "runTestResult": map[string]any{"numFailures": 0, "numTestsRun": 0, "successes": []any{}, "failures": []any{}},
		}
	}
	return told
}

// manifest is a package.xml.
type manifest struct {
	Types []struct {
		Name    string   `xml:"name"`
		Members []string `xml:"members"`
	} `xml:"types"`
}

// permissionSet is one, as far as it is simulated: which fields it lets see and edit.
type permissionSet struct {
	Fields []struct {
		Name     string `xml:"field"`
		Readable bool   `xml:"readable"`
		Editable bool   `xml:"editable"`
	} `xml:"fieldPermissions"`
}

// prepare reads a zip and says what becomes of its components: all or nothing, for rollbackOnError is what production orgs take alone.
func (s *Simulator) prepare(archive []byte) *deployment {
	d := &deployment{began: time.Now(), apply: func() {}}
	files, err := unpack(archive)
	if err != nil {
		d.fail("", "package.xml", "package.xml", "The zip cannot be read: "+err.Error())
		return d
	}
	var about manifest
	if xml.Unmarshal(files["package.xml"], &about) != nil || len(about.Types) == 0 { //nolint:gosec // into strings alone
		d.fail("", "package.xml", "package.xml", "No package.xml found")
		return d
	}
	fields, sets := map[string][]definitions.Field{}, map[string]permissionSet{}
	for _, kind := range about.Types {
		for _, member := range kind.Members {
			switch kind.Name {
			case "CustomObject":
				fields[member] = s.readObject(d, member, files)
			case "PermissionSet":
				sets[member] = d.readSet(member, files)
			default:
				d.fail(kind.Name, member, "package.xml", "Unknown type name '"+kind.Name+"' specified in package.xml")
			}
		}
	}
	d.apply = func() {
		for object, list := range fields {
			s.keep(object, list)
		}
		maps.Copy(s.grants, sets)
		s.reveal()
	}
	return d
}

func (d *deployment) fail(kind, name, file, problem string) {
	d.failures = append(d.failures, message{Kind: kind, Name: name, File: file, Problem: problem, Type: "Error", At: d.began.UTC().Format(timeFormat)})
}

func unpack(archive []byte) (map[string][]byte, error) {
	zipped, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, f := range zipped.File {
		opened, err := f.Open()
		if err != nil {
			return nil, err
		}
		files[f.Name], err = io.ReadAll(opened)
		if err != nil {
			return nil, err
		}
		if err := opened.Close(); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// readObject reads the fields of an object, and says of each what becomes of it.
func (s *Simulator) readObject(d *deployment, object string, files map[string][]byte) []definitions.Field {
	file := "objects/" + object + ".object"
	fields, err := definitions.Decode(files[file])
	if err != nil || files[file] == nil {
		d.fail("CustomObject", object, file, "An object '"+object+"' of type CustomObject was named in package.xml, but was not found in zipped directory")
		return nil
	}
	for _, f := range fields {
		held, there := s.held(object, f.Name)
		name := object + "." + f.Name
		switch {
		case there && held.Kind != f.Type:
			d.fail("CustomField", name, file, "Cannot change field type from "+held.Kind+" to "+f.Type)
		case object == "Activity" && f.ExternalID && s.options.NoTaskKey:
			d.fail("CustomField", name, file, "Can not specify 'externalId' for a CustomField of this object")
		default:
			d.deployed = append(d.deployed, message{Kind: "CustomField", Name: name, File: file, Success: true, Changed: !there, Created: !there})
		}
	}
	return fields
}

func (d *deployment) readSet(name string, files map[string][]byte) (set permissionSet) {
	file := "permissionsets/" + name + ".permissionset"
	if files[file] == nil || xml.Unmarshal(files[file], &set) != nil { //nolint:gosec // into strings alone
		d.fail("PermissionSet", name, file, "An object '"+name+"' of type PermissionSet was named in package.xml, but was not found in zipped directory")
		return set
	}
	d.deployed = append(d.deployed, message{Kind: "PermissionSet", Name: name, File: file, Success: true, Changed: true})
	return set
}

// tableOf returns the object whose records have the fields of an object of a package.
func tableOf(object string) string {
	if object == "Activity" {
		return taskObject
	}
	return object
}

// held returns a field of an object, whether the integration user sees it or not.
func (s *Simulator) held(object, name string) (f field, there bool) {
	if f, there = s.hidden[tableOf(object)][name]; !there {
		f, there = s.Tables[tableOf(object)].fields[name]
	}
	return f, there
}

// keep adds the fields of a package to an object. Nobody sees them before reveal.
func (s *Simulator) keep(object string, fields []definitions.Field) {
	object = tableOf(object)
	if s.hidden[object] == nil {
		s.hidden[object] = map[string]field{}
	}
	for _, f := range fields {
		custom := field{Kind: f.Type, Length: f.Length, Key: f.ExternalID, Unique: f.Unique}
		if f.ReferenceTo != "" {
			custom.To = []string{f.ReferenceTo}
		}
		s.hidden[object][f.Name] = custom
	}
}

// reveal shows the integration user the fields that an assigned permission set lets it see, and no other of a package.
func (s *Simulator) reveal() {
	for object, fields := range s.hidden {
		for name := range fields {
			delete(s.Tables[object].fields, name)
		}
	}
	for name, set := range s.grants {
		if !s.assigned[name] {
			continue
		}
		for _, may := range set.Fields {
			object, name, _ := strings.Cut(may.Name, ".")
			f, there := s.hidden[object][name]
			if f.ReadOnly = !may.Editable; there && may.Readable {
				s.Tables[object].fields[name] = f
			}
		}
	}
}

// Revoke takes fields out of a permission set, as an admin of the org would; those that are named after "read " may be read on.
func (s *Simulator) Revoke(permissionSet string, fields ...string) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	set := s.grants[permissionSet]
	set.Fields = slices.Clone(set.Fields)
	for i, may := range set.Fields {
		readable := slices.Contains(fields, "read "+may.Name)
		if readable || slices.Contains(fields, may.Name) {
			set.Fields[i].Readable, set.Fields[i].Editable = readable, false
		}
	}
	s.grants[permissionSet] = set
	s.reveal()
}
