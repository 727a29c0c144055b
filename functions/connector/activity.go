package connector

import (
	"time"
	_ "time/tzdata" // where functions run there are no zones

	"signalbox/shared/canonical"
	"signalbox/shared/conversation"
)

// Activity is a session as a CRM is to show it: what all tries of all its deliveries write, and write the same.
type Activity struct {
	Key     string // external id of its first part; the next ones' is PartKey
	Channel canonical.Channel
	Start   time.Time // of its first line
	Zone    *time.Location
	Late    bool // what came after the session it belongs to had been sealed
	Lines   []Line
	// Written is the result of the steps that wrote it before, and Parts how many parts it had then. They are nil and 0 of an activity that
	// was not written yet, as far as is known: subject, status, owner and regarding are then written, and never again. It may have been
	// written all the same, by a process that died: a CRM that makes its record without a key looks first.
	Written Result
	Parts   int
	// Conversation is how the conversation stands, nil if that is not to be shown, and Conversations how all of the thread do: for a CRM
	// that shows one of them. ConversationKey is the external id of its record.
	Conversation    *conversation.State
	Conversations   []conversation.State
	ConversationKey string
}

// Line is one message of an Activity, with what was done about it. What was done about a message that is not in the activity is a line of
// its own.
type Line struct {
	At        time.Time // event time, in the activity's zone
	Inbound   bool
	Author    string   // for people to read
	Text      string   // cleaned
	Details   []Detail // what it replies to, and what Details returns of it
	Reactions []string // each with who put it on
	Edited    bool     // Text is what it was changed to
	Withdrawn bool     // its author took it back: nothing is left of it
	Ad        string   // the advertisement that brought them, on one line
	Failed    string   // why it was not delivered, in words and the provider's code
	Continued bool     // the rest of the line before, which was cut: who and when were said there
}
