package memobjects_test

import (
	"testing"

	"signalbox/shared/objects"
	"signalbox/shared/objects/memobjects"
	"signalbox/shared/objects/objectstest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	objectstest.Run(t, func(*testing.T) objects.Store { return memobjects.New() }, nil)
}
