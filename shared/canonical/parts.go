package canonical

// The readers of an event's smaller parts.

func (s *scanner) actor() *Actor {
	var a Actor
	s.object(func(name string) bool {
		switch name {
		case "kind":
			a.Kind = s.word()
		case "via":
			a.Via = s.free()
		default:
			return false
		}
		return true
	})
	return &a
}

func (s *scanner) relation() *Relation {
	var r Relation
	s.object(func(name string) bool {
		switch name {
		case "kind":
			r.Kind = s.word()
		case "providerMessageId":
			r.ProviderMessageID = s.word()
		case "sender":
			r.Sender = s.free()
		default:
			return false
		}
		return true
	})
	return &r
}

func (s *scanner) reaction() *Reaction {
	var r Reaction
	s.object(func(name string) bool {
		switch name {
		case "emoji":
			r.Emoji = s.word()
		case "removed":
			r.Removed = s.boolean()
		default:
			return false
		}
		return true
	})
	return &r
}

func (s *scanner) receipt() *Receipt {
	var r Receipt
	s.object(func(name string) bool {
		switch name {
		case "state":
			r.State = s.word()
		case "at":
			r.At = s.instant()
		case "error":
			r.Error = s.free()
		default:
			return false
		}
		return true
	})
	return &r
}

func (s *scanner) consent() *Consent {
	var c Consent
	s.object(func(name string) bool {
		switch name {
		case "keyword":
			c.Keyword = s.word()
		case "state":
			c.State = s.word()
		case "source":
			c.Source = s.free()
		default:
			return false
		}
		return true
	})
	return &c
}

func (s *scanner) attribution() *Attribution {
	var a Attribution
	s.object(func(name string) bool {
		switch name {
		case "sourceType":
			a.SourceType = s.free()
		case "sourceId":
			a.SourceID = s.free()
		case "sourceUrl":
			a.SourceURL = s.free()
		case "headline":
			a.Headline = s.free()
		case "body":
			a.Body = s.free()
		case "clickId":
			a.ClickID = s.free()
		default:
			return false
		}
		return true
	})
	return &a
}

func (s *scanner) flags() Flags {
	var f Flags
	s.object(func(name string) bool {
		switch name {
		case "historical":
			f.Historical = s.boolean()
		case "replayed":
			f.Replayed = s.boolean()
		case "autoReply":
			f.AutoReply = s.boolean()
		case "timeEstimated":
			f.TimeEstimated = s.boolean()
		default:
			return false
		}
		return true
	})
	return f
}

func (s *scanner) trace() Trace {
	var t Trace
	s.object(func(name string) bool {
		switch name {
		case "traceparent":
			t.Traceparent = s.word()
		case "causationId":
			t.CausationID = s.word()
		default:
			return false
		}
		return true
	})
	return t
}
