package store

import (
	"fmt"
	"unicode/utf8"

	"signalbox/shared/fault"
)

// More bounds, which are the database's own.
// See https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html.
const (
	MaxPartition = 2048    // bytes of Key.Partition
	MaxSort      = 1024    // bytes of Key.Sort
	MaxTotal     = 4 << 20 // bytes of all records of one Write of several
)

// CodeMisused is the code of a call that breaks a bound of the port. It is permanent: the same call is refused every time.
const CodeMisused = "store_misused"

// overhead is what a record weighs beside its key and data, generously.
const overhead = 100

// ValidateGet returns a permanent fault for keys that no store takes. Every implementation calls it first, so that a test
// on the memory store meets what production would refuse.
func ValidateGet(keys []Key) error {
	if len(keys) > MaxGet {
		return misused("%d keys in one Get, at most %d", len(keys), MaxGet)
	}
	for i, k := range keys {
		if err := validateKey(i, k); err != nil {
			return err
		}
	}
	return nil
}

// ValidateList returns a permanent fault for a range that no store takes.
func ValidateList(r Range) error {
	switch {
	case r.Partition == "" || len(r.Partition) > MaxPartition:
		return misused("the partition of a List has %d bytes", len(r.Partition))
	case len(r.Prefix) > MaxSort || len(r.After) > MaxSort:
		return misused("a bound of a List is longer than %d bytes", MaxSort)
	case !utf8.ValidString(r.Partition) || !utf8.ValidString(r.Prefix) || !utf8.ValidString(r.After):
		return misused("a List is not UTF-8")
	case r.Limit < 0:
		return misused("the limit of a List is negative")
	}
	return nil
}

// ValidateWrite returns a permanent fault for changes that no store takes.
func ValidateWrite(changes []Change) error {
	total := 0
	for _, c := range changes {
		total += len(c.Partition) + len(c.Sort) + len(c.Data) + overhead
	}
	if len(changes) > 1 && total > MaxTotal {
		return misused("%d bytes in one Write, at most %d", total, MaxTotal)
	}
	return validateChanges(changes)
}

func validateChanges(changes []Change) error {
	if len(changes) > MaxWrite {
		return misused("%d changes in one Write, at most %d", len(changes), MaxWrite)
	}
	seen := make(map[Key]bool, len(changes))
	for i, c := range changes {
		if err := validateRecord(i, c.Record); err != nil {
			return err
		}
		if c.Kind > Raise {
			return misused("change %d is of no known kind", i)
		}
		if c.Version < 0 {
			return misused("change %d names a negative version", i)
		}
		if seen[c.Key] {
			return misused("change %d names a key for the second time", i)
		}
		seen[c.Key] = true
	}
	return nil
}

// ValidateWriteEach returns a permanent fault for changes that no store takes as independent ones.
func ValidateWriteEach(changes []Change) error {
	for i, c := range changes {
		if c.Kind != Put {
			return misused("change %d of a WriteEach is no Put", i)
		}
	}
	return validateChanges(changes)
}

// ValidateNote returns a permanent fault for pointers that no store takes.
func ValidateNote(pointers []Record) error {
	if len(pointers) > MaxWrite {
		return misused("%d pointers in one Note, at most %d", len(pointers), MaxWrite)
	}
	for i, p := range pointers {
		if err := validateRecord(i, p); err != nil {
			return err
		}
	}
	return nil
}

func validateRecord(i int, r Record) error {
	if len(r.Data) > MaxData {
		return misused("record %d has %d bytes of data, at most %d", i, len(r.Data), MaxData)
	}
	return validateKey(i, r.Key)
}

func validateKey(i int, k Key) error {
	switch {
	case k.Partition == "" || k.Sort == "":
		return misused("key %d has an empty half", i)
	case len(k.Partition) > MaxPartition || len(k.Sort) > MaxSort:
		return misused("key %d is longer than %d and %d bytes", i, MaxPartition, MaxSort)
	case !utf8.ValidString(k.Partition) || !utf8.ValidString(k.Sort):
		return misused("key %d is not UTF-8", i)
	}
	return nil
}

// misused takes numbers only: keys may hold what no log may.
func misused(format string, numbers ...int) error {
	args := make([]any, len(numbers))
	for i, n := range numbers {
		args[i] = n
	}
	return fault.New(fault.Permanent, CodeMisused, fmt.Errorf(format, args...))
}
