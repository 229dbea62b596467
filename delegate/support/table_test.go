package support

import "testing"

func TestTheFilesParse(t *testing.T) {
	for _, n := range Names() {
		if _, err := ByName(n); err != nil && n[:3] != "qnn" {
			t.Error(err)
		}
	}
}
