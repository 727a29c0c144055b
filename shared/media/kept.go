package media

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"signalbox/shared/canonical"
	"signalbox/shared/fault"
	"signalbox/shared/keyring"
	"signalbox/shared/store"
)

// CodeRecord is the code of what is known of a file and cannot be read.
const CodeRecord = "media_record_malformed"

// Kept is what is known of a file, for good: where it is kept, or why it is not.
type Kept struct {
	Object  string    `json:"object,omitempty"` // its name, "" of one that is not kept
	Type    string    `json:"type,omitempty"`
	Name    string    `json:"name,omitempty"` // as it was sent, "" of one without
	Size    int       `json:"size,omitempty"`
	SHA256  string    `json:"sha256,omitempty"`
	Problem string    `json:"problem,omitempty"` // the code of the fault for which it is not kept
	At      time.Time `json:"at"`
}

// FileName returns the name by which file n of a message is saved: its own without what leads elsewhere, or one by its number.
func (k *Kept) FileName(n int) string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) || r == 0x7f {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(k.Name, "_"))
	if name = strings.Trim(name, ". "); name != "" && len(name) <= 200 {
		return name
	}
	name = "file-" + strconv.Itoa(n+1)
	switch _, sub, _ := strings.Cut(k.Type, "/"); {
	case sub == "plain":
		return name + ".txt"
	case len(sub) <= 4 && !strings.ContainsAny(sub, ".-+"): // as png and pdf
		return name + "." + sub
	default:
		return name
	}
}

// KeptKey returns where it is kept what is known of a file.
func KeptKey(tenant string, event canonical.EventID, n int) store.Key {
	return store.Key{Partition: tenant + "/event/" + string(event), Sort: fmt.Sprintf("media/%03d", n)}
}

// KeptPlace returns what the record of what is known of a file is sealed for.
func KeptPlace(tenant string, key store.Key) keyring.Place {
	return keyring.Place{Tenant: tenant, Purpose: "media-record", Name: key.Partition + "/" + key.Sort}
}

// FilePlace returns what the object of a file is sealed for.
func FilePlace(tenant, object string) keyring.Place {
	return keyring.Place{Tenant: tenant, Purpose: "media", Name: object}
}

// Reader reads what is kept of files. All of it is needed.
type Reader struct {
	Store interface {
		Get(ctx context.Context, keys ...store.Key) ([]store.Record, error)
	}
	Objects interface {
		Get(ctx context.Context, name string) ([]byte, error)
	}
	Opener interface {
		Open(ctx context.Context, at keyring.Place, sealed []byte) ([]byte, error)
	}
}

// Kept returns what is known of a file, nil for nothing yet.
func (r Reader) Kept(ctx context.Context, tenant string, event canonical.EventID, n int) (*Kept, error) {
	key := KeptKey(tenant, event, n)
	held, err := r.Store.Get(ctx, key)
	if err != nil || held[0].Version == 0 {
		return nil, err
	}
	data, err := r.Opener.Open(ctx, KeptPlace(tenant, key), held[0].Data)
	if err != nil {
		return nil, err
	}
	now := &Kept{}
	if json.Unmarshal(data, now) != nil {
		return nil, fault.New(fault.Permanent, CodeRecord, nil)
	}
	return now, nil
}

// Read returns a file of which it is known where it is kept.
func (r Reader) Read(ctx context.Context, tenant string, k *Kept) ([]byte, error) {
	sealed, err := r.Objects.Get(ctx, k.Object)
	if err != nil {
		return nil, err
	}
	return r.Opener.Open(ctx, FilePlace(tenant, k.Object), sealed)
}
