package simulatortest

import "sync"

// Base is what every simulator is made of: the tables of a CRM, by object type, the faults in force, and a lock, because requests
// come one after the other, as far as anybody can see. T is the CRM's own table.
type Base[T interface{ Records() []Record }] struct {
	Mu     sync.Mutex
	Faults Faults
	Tables map[string]T
}

// Spoil adds a fault.
func (b *Base[T]) Spoil(f Fault) { b.Faults.Add(f) }

// Records returns the records of an object type, oldest first; known is false for a type that is not simulated.
func (b *Base[T]) Records(object string) (held []Record, known bool) {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	t, known := b.Tables[object]
	if !known {
		return nil, false
	}
	return t.Records(), true
}
