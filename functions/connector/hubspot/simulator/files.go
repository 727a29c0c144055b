package simulator

import (
	"bytes"
	"crypto/md5" //nolint:gosec // what HubSpot tells of a file
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
)

// files are records like others here, and have an API of their own.
const files = "files"

// allows reports whether one of several words, with spaces between, is it.
func allows(words, word string) bool { return slices.Contains(strings.Fields(words), word) }

// uploadOptions is what the form's field of that name holds, in JSON. See
// https://developers.hubspot.com/docs/api-reference/2026-03/files/guide.
type uploadOptions struct {
	Access    string `json:"access"`
	TTL       string `json:"ttl"`
	Overwrite bool   `json:"overwrite"`
	Strategy  string `json:"duplicateValidationStrategy"`
	Scope     string `json:"duplicateValidationScope"`
}

// fileReply is a file as HubSpot returns it.
type fileReply struct {
	ID        string `json:"id"`
	CreatedAt string `json:"createdAt"`
	UpdatedAt string `json:"updatedAt"`
	Archived  bool   `json:"archived"`
	Folder    string `json:"parentFolderId"`
	Name      string `json:"name"` // without its extension
	Path      string `json:"path"`
	Size      int    `json:"size"`
	Type      string `json:"type"`
	Extension string `json:"extension"`
	Hosting   string `json:"defaultHostingUrl"`
	URL       string `json:"url"`
	InContent bool   `json:"isUsableInContent"`
	Access    string `json:"access"`
	MD5       string `json:"fileMd5"`
}

// isFiles reports whether a path is the Files API's, and of which version.
func isFiles(p string) bool {
	return p == "/files/v3/files" || p == "/files/"+version202603+"/files" ||
		p == "/files/"+version202609+"/files" // HubSpot's own client uploads there, though the description of 2026-09 has no upload
}

// upload returns POST of a file.
func (s *Simulator) upload(r *http.Request, body []byte) reply {
	if r.Method != http.MethodPost {
		return undocumented(r)
	}
	if s.options.NoFiles {
		return refuse(http.StatusForbidden, "MISSING_SCOPES", "This app hasn't been granted all required scopes to make this call.")
	}
	_, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return invalid("the body is no form")
	}
	fields, name, data, wrong := readForm(body, parameters["boundary"])
	if wrong != "" {
		return invalid(wrong)
	}
	var options uploadOptions
	decoder := json.NewDecoder(strings.NewReader(fields["options"]))
	decoder.DisallowUnknownFields()
	folder := strings.Trim(fields["folderPath"], "/")
	switch err := decoder.Decode(&options); {
	case err != nil || !allows("PUBLIC_INDEXABLE PUBLIC_NOT_INDEXABLE HIDDEN_INDEXABLE HIDDEN_NOT_INDEXABLE HIDDEN_PRIVATE PRIVATE", options.Access):
		return invalid("options is to be JSON with an access")
	case (fields["folderPath"] == "") == (fields["folderId"] == ""):
		return invalid("one of folderId and folderPath is required")
	case fields["folderId"] != "":
		return invalid("folders by their id are not simulated")
	case options.Strategy != "" && !allows("NONE REJECT RETURN_EXISTING", options.Strategy):
		return invalid("duplicateValidationStrategy")
	}
	sum := md5.Sum(data) //nolint:gosec // see above
	if options.Strategy == "RETURN_EXISTING" {
		for _, r := range s.Tables[files].Select(0, func(r *record) bool {
			return r.Values["fileMd5"] == hex.EncodeToString(sum[:]) && (options.Scope == "ENTIRE_PORTAL" || r.Values["folder"] == folder)
		}) {
			return reply{Status: http.StatusCreated, Body: showFile(r)}
		}
	}
	if fields["fileName"] != "" {
		name = fields["fileName"]
	}
	return reply{Status: http.StatusCreated, Body: showFile(s.keep(folder, name, options.Access, data, hex.EncodeToString(sum[:])))}
}

// keep adds a file. One whose name is taken gets another.
func (s *Simulator) keep(folder, name, access string, data []byte, sum string) *record {
	t := s.Tables[files]
	extension := path.Ext(name)
	name = strings.TrimSuffix(name, extension)
	taken := func(called string) bool {
		return len(t.Select(0, func(r *record) bool {
			return r.Values["folder"] == folder && r.Values["name"] == called && r.Values["extension"] == extension
		})) > 0
	}
	free := name
	for n := 1; taken(free); n++ {
		free = name + "-" + strconv.Itoa(n)
	}
	s.lastID++
	r := t.Add(strconv.FormatInt(s.lastID, 10))
	t.Change(r, func(values map[string]string) {
		values["folder"], values["name"], values["extension"], values["access"] = folder, free, extension, access
		values["fileMd5"], values["size"], values["content"] = sum, strconv.Itoa(len(data)), base64.StdEncoding.EncodeToString(data)
	})
	return r
}

func showFile(r *record) fileReply {
	v := r.Values
	size, _ := strconv.Atoi(v["size"])
	where := "/" + v["folder"] + "/" + v["name"] + v["extension"]
	return fileReply{
		ID: r.ID, CreatedAt: stamp(r.Created), UpdatedAt: stamp(r.Modified), Folder: strconv.Itoa(len(v["folder"])), Name: v["name"], Path: where,
		Size: size, Type: "OTHER", Extension: strings.TrimPrefix(v["extension"], "."), Hosting: "https://files.example.test" + where,
		URL: "https://files.example.test" + where, Access: v["access"], MD5: v["fileMd5"],
	}
}

// readForm reads a form with a file in it.
func readForm(body []byte, boundary string) (fields map[string]string, name string, data []byte, wrong string) {
	fields = map[string]string{}
	form := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, "", nil, "the form ends early"
		}
		value, err := io.ReadAll(part)
		switch field := part.FormName(); {
		case err != nil:
			return nil, "", nil, "the form ends early"
		case field == "file" && data == nil:
			name, data = part.FileName(), value
		case fields[field] != "" || !allows("fileName folderPath folderId options charsetHunch", field):
			return nil, "", nil, "the form has no field " + field
		default:
			fields[field] = string(value)
		}
	}
	if data == nil || name == "" {
		return nil, "", nil, "file is required"
	}
	return fields, name, data, ""
}

// ForbidTickets takes the scope for tickets away.
func (s *Simulator) ForbidTickets() {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.noTickets = true
}

// Forbid takes the scope for files away.
func (s *Simulator) Forbid() {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	s.options.NoFiles = true
}
