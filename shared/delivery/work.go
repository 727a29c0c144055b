package delivery

// Values of OpenCase, CreateTask, SetStatus and StartAutomation, beside Owner and To. Each is a constant or the name of a field of the event,
// which is one of Fields.
const (
	Subject  = "subject"
	Text     = "text"
	Priority = "priority" // Low, Normal or High
	Status   = "status"   // of OpenCase: where the case begins, in the CRM's own word; what the CRM gives a new one where it is left out
	DueHours = "dueHours" // of CreateTask: whole hours after the event; at once where it is left out
	Name     = "name"     // of StartAutomation
	Input    = "input."   // of StartAutomation: what the names of inputs begin with
)

// The words that Priority may be.
const (
	Low    = "low"
	Normal = "normal"
	High   = "high"
)

// The fields that a value may be. FieldPerson is the CRM's id of the person's record, and is for inputs alone.
const (
	FieldText         = "$text" // what the message says, as people read it
	FieldName         = "$name"
	FieldPhone        = "$phone"
	FieldChannel      = "$channel"
	FieldLine         = "$line"
	FieldConversation = "$conversation" // the thread's id
	FieldEvent        = "$event"        // the event's id
	FieldPerson       = "$person"
)

// Fields returns the fields that a value may be.
func Fields() []string {
	return []string{FieldText, FieldName, FieldPhone, FieldChannel, FieldLine, FieldConversation, FieldEvent, FieldPerson}
}

// Works reports whether k is work that a tenant's rules ask for beside the message. A message is worth more: what the CRM does not take of
// it is left undone, and told.
func (k Kind) Works() bool {
	return k == OpenCase || k == CreateTask || k == SetStatus || k == StartAutomation
}
