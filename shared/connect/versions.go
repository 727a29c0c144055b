package connect

import (
	"encoding/json"
	"fmt"
	"time"
)

// Version is a version of a CRM's API, as the versions.json of the CRM's folder has it. It is held to the calendar by a test, which fails
// some time before what is used by default ends.
type Version struct {
	Name      string `json:"version"`
	Default   bool   `json:"default"`   // used where a tenant's file names none
	Ends      string `json:"ends"`      // the day, 2006-01-02, from which the vendor does not stand by it; "" if that is not known
	Announced *bool  `json:"announced"` // false: the vendor stands by it at least until then
	Source    string `json:"source"`    // where the vendor says so
}

// ReadVersions returns what a versions.json says.
func ReadVersions(encoded []byte) ([]Version, error) {
	var all []Version
	if err := json.Unmarshal(encoded, &all); err != nil {
		return nil, fmt.Errorf("versions: %w", err)
	}
	for _, v := range all {
		if _, err := v.end(); err != nil {
			return nil, fmt.Errorf("version %s ends on %q, which is no day: %w", v.Name, v.Ends, err)
		}
	}
	return all, nil
}

// end returns when a version ends, zero if that is not known.
func (v Version) end() (time.Time, error) {
	if v.Ends == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.DateOnly, v.Ends)
}

// EndsBefore reports whether a version is known to end before a time.
func (v Version) EndsBefore(t time.Time) bool {
	end, err := v.end()
	return err == nil && !end.IsZero() && end.Before(t)
}
