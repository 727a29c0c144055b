package samples

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// File is what a provider's server replies to a request for a file that a sample names: bytes, an answer in JSON, or where it is.
type File struct {
	ContentType string            `json:"contentType"`
	Base64      []byte            `json:"base64"`
	JSON        json.RawMessage   `json:"json"`
	Location    string            `json:"location"`
	Needs       map[string]string `json:"needs"` // headers of a request, by what they begin with: without them it is refused
	Opens       string            `json:"opens"` // the SHA-256 in hex of the file as a person opens it, where that is not what is replied
}

// filesPattern is of the tables of files by their addresses that channels have. Every other address is that of a picture.
const filesPattern = "functions/adapter/*/samples/media/files.json"

// The smallest PNG, before and after what it may say of itself.
const (
	pictureHead = "\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU"
	pictureTail = "\x00\x00\x00\x0aIDATx\x9cch\x00\x00\x00\x82\x00\x81w\xcdr\xb6\x00\x00\x00\x00IEND\xaeB`\x82"
)

// picture returns the file of an address that is in no table: no two addresses have the same.
func picture(address string) File {
	said := "tEXtComment\x00" + address
	size := binary.BigEndian.AppendUint32(nil, uint32(len(said)-len("tEXt"))) //nolint:gosec // an address is short
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(said)))
	return File{ContentType: "image/png", Base64: []byte(pictureHead + string(size) + said + string(sum) + pictureTail)}
}

// Files plays the servers of all providers, who keep the files that samples name.
type Files map[string]File

// ReadFiles reads the tables of all channels.
func ReadFiles(root string) (Files, error) {
	all := Files{}
	tables, err := filepath.Glob(filepath.Join(root, filesPattern))
	if err != nil {
		return nil, fmt.Errorf("samples: %w", err)
	}
	for _, table := range tables {
		data, err := os.ReadFile(table) //nolint:gosec // the repository's own
		if err == nil {
			err = json.Unmarshal(data, &all)
		}
		if err != nil {
			return nil, fmt.Errorf("samples: %s: %w", table, err)
		}
	}
	return all, nil
}

// at returns the file at an address without a query.
func (f Files) at(address string) File {
	file, known := f[address]
	if !known || file.Base64 == nil && file.JSON == nil && file.Location == "" {
		file.ContentType, file.Base64 = "image/png", picture(address).Base64
	}
	return file
}

// Digest returns the SHA-256 in hex of the file that an address leads to, as a person opens it.
func (f Files) Digest(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	file := f.at("https://" + u.Host + u.Path)
	switch {
	case file.Opens != "":
		return file.Opens
	case file.Location != "":
		return f.Digest(file.Location)
	}
	sum := sha256.Sum256(file.Base64)
	return hex.EncodeToString(sum[:])
}

// ServeHTTP serves a file by host and path, as its provider does.
func (f Files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file := f.at("https://" + r.Host + r.URL.Path)
	for name, begins := range file.Needs {
		if value := r.Header.Get(name); value == "" || !strings.HasPrefix(value, begins) {
			http.Error(w, name, http.StatusUnauthorized)
			return
		}
	}
	if file.Location != "" {
		http.Redirect(w, r, file.Location, http.StatusTemporaryRedirect)
		return
	}
	if file.JSON != nil {
		file.ContentType, file.Base64 = "application/json", file.JSON
	}
	w.Header().Set("Content-Type", file.ContentType)
	_, _ = w.Write(file.Base64) // a client that has gone has its own error
}
