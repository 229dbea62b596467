package simd

import (
	"strings"
	"testing"
)

func TestALevelThatThereIsNotIsAProblem(t *testing.T) {
	for _, table := range Available() {
		t.Setenv(variable, table.Name)
		if err := Problem(); (err == nil) != (table == Active()) { // chosen once, at start
			t.Errorf("%s: %v", table.Name, err)
		}
	}
	t.Setenv(variable, "")
	if err := Problem(); err != nil {
		t.Error(err)
	}
	t.Setenv(variable, "foo")
	if err := Problem(); err == nil || !strings.Contains(err.Error(), "NANOFLUX_SIMD=foo") || !strings.Contains(err.Error(), "there are generic") {
		t.Errorf("foo: %v", err)
	}
}
