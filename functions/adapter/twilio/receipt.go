package twilio

import (
	"cmp"
	"time"

	"signalbox/functions/adapter"
	"signalbox/shared/canonical"
)

// stateOf reads a MessageStatus. "receiving" and "received" are states of inbound messages, which have no callback.
func stateOf(messageStatus string) (state string, ok bool) {
	switch messageStatus {
	case "accepted", "scheduled", "queued":
		return "queued", true
	case "sending", "sent", "delivered", "read", "canceled", "failed":
		return messageStatus, true
	case "partially_delivered":
		return "delivered", true
	case "undelivered":
		return "failed", true
	default:
		return "", false
	}
}

// callback reads a status callback. It is about a message of ours, so that From is our address and To the person; sender and
// recipient are those of that message. A message that Twilio has not yet given a sender is found by its sender pool.
func callback(f form, received time.Time) ([]adapter.Parsed, error) {
	sid := f.first("MessageSid", "SmsSid")
	status := f.first("MessageStatus", "SmsStatus")
	if f.value("EventType") == "READ" { // MessageStatus may still say "delivered"
		status = "read"
	}
	from, to := split(f.value("From")), split(f.value("To"))
	service, code := f.value("MessagingServiceSid"), f.value("ErrorCode")
	channel := to.channel
	if from.bare != "" { // after a fallback it is the sender that tells how the message went
		channel = from.channel
	}
	reached, known := stateOf(status)
	switch {
	case sid == "":
		return nil, malformed("message_sid_missing")
	case !known:
		return nil, malformed("message_status_unknown")
	case to.bare == "":
		return nil, malformed("to_missing")
	case from.bare == "" && service == "":
		return nil, malformed("from_missing")
	case !canonical.IsChannel(string(channel)):
		return nil, malformed("channel_malformed")
	}
	at := doneDate(f.value("RawDlrDoneDate"), received)
	parsed := adapter.Parsed{
		Event: canonical.Event{
			Type:              canonical.TypeReceipt,
			Channel:           channel,
			Direction:         canonical.Status,
			ProviderMessageID: sid,
			Sender:            ours(from),
			Recipient:         recipient(f.value("AccountSid"), to),
			RelatesTo:         &canonical.Relation{Kind: "receipt", ProviderMessageID: sid},
			Receipt:           &canonical.Receipt{State: reached, At: cmp.Or(at, received), Error: code, Reason: reason(code, reached)},
			Timestamp:         at,
			Metadata:          leftovers{MessagingServiceSid: service, MessageStatus: status}.metadata(),
		},
		Kind: "receipt", Key: sid + "|" + status + "|" + code,
		Addresses: []string{from.written, from.bare, service},
		Person:    to.identifier(),
		Side:      cmp.Or(service, from.bare),
		Within:    time.Minute,
	}
	return []adapter.Parsed{parsed}, nil
}

func recipient(account string, to address) canonical.Participant {
	if to.phone != "" {
		return canonical.Participant{Phone: to.phone}
	}
	return canonical.Participant{ID: to.identifier(), ChannelAddress: to.bare, Identifiers: identifiers(account, to)}
}

// doneDate reads RawDlrDoneDate, the carrier's YYMMDDhhmm without a zone, if it can only be UTC: zones are a quarter of an
// hour apart at least, so that a minute that lies less than that before the receipt, and not after it, is in no other. In any
// doubt it returns the zero time, and the time of receipt stands in.
func doneDate(raw string, received time.Time) time.Time {
	at, err := time.Parse("0601021504", raw)
	if err != nil {
		return time.Time{}
	}
	if age := received.Sub(at); age < 0 || age >= 15*time.Minute {
		return time.Time{}
	}
	return at
}
