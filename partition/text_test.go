package partition

import (
	"math"
	"testing"
)

func TestOperatorRangesAreWrittenShort(t *testing.T) {
	tests := []struct {
		ops  Ops
		want string
	}{
		{nil, ""}, {Ops{3}, "3"}, {Ops{3, 4}, "3-4"}, {Ops{0, 1, 2, 5, 7, 8}, "0-2, 5, 7-8"},
	}
	for _, test := range tests {
		if got := test.ops.String(); got != test.want {
			t.Errorf("%v: %q, want %q", []int(test.ops), got, test.want)
		}
	}
}

func TestNumbersForPeopleHaveThreeDigits(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1.00 k", 12345: "12.3 k", 999_400_000: "999 M", 999_600_000: "1.00 G", math.MaxInt64: "9223 P"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1.00 KiB", 512: "512 B", 1 << 20: "1.00 MiB", 1536: "1.50 KiB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}
