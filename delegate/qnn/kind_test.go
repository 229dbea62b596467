package qnn

import (
	"strings"
	"testing"

	"nanoflux/delegate"
)

func TestAChipThatQNNDoesNotDriveIsRefusedWithTheOnesThatItDoes(t *testing.T) {
	for soc, want := range map[string]string{
		"SM8751": "did you mean SM8750? There are QCM6490, ", "SM9999": "there are QCM6490, ", "SM8250": "v66", "": "there are",
		"SM6115": "for QNN there is no chip \"SM6115\"; ",
	} {
		_, err := delegate.TableOf("qnn", map[string]any{"soc": soc})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, must say %q", soc, err, want)
		}
	}
	for _, soc := range []string{"SM8350", "SM8450", "SM8550", "SM8650", "SM8750", "SM8850", "sm8750"} {
		if _, err := delegate.TableOf("qnn", map[string]any{"soc": soc}); err != nil {
			t.Errorf("%s: %v", soc, err)
		}
	}
}
