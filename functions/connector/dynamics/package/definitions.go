// Package definitions is what a Dataverse environment needs before the connector can write to it: columns and alternate keys of leads,
// contacts and tasks, an activity table of messages and a table of conversations. What installs it makes requests of the definitions
// (https://learn.microsoft.com/power-apps/developer/data-platform/webapi/use-web-api-metadata), and the simulator has the columns that are here.
package definitions

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

//go:embed tables.json
var encoded []byte

// Prefix is what the names of all that is ours begin with: the publisher's, without the underscore.
const Prefix = "msg"

// Solution is the unique name of the solution that holds it all.
const Solution = "signalbox"

// Table is a table with columns of ours. Schema names are in small letters, so that they are the logical names, too.
type Table struct {
	Name     string   `json:"name"`
	Set      string   `json:"set"`
	ID       string   `json:"id"` // its primary key
	Custom   bool     `json:"custom"`
	Activity bool     `json:"activity"`
	Label    string   `json:"label"` // of a custom table
	Labels   string   `json:"labels"`
	Columns  []Column `json:"columns"`
	Keys     []Key    `json:"keys"`
}

// Column is one of our columns.
type Column struct {
	Name   string `json:"name"`
	Type   string `json:"type"` // String, Memo, Boolean, DateTime, Integer, Lookup
	Length int    `json:"length"`
	Target string `json:"target"` // the table of a Lookup
	Label  string `json:"label"`
}

// Key is an alternate key.
type Key struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
}

// Tables returns the tables, those first that others refer to.
func Tables() ([]Table, error) {
	var all []Table
	if err := json.Unmarshal(encoded, &all); err != nil {
		return nil, fmt.Errorf("definitions: %w", err)
	}
	return all, nil
}
