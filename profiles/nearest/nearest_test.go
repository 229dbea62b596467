package nearest

import (
	"strings"
	"testing"
)

func TestNearestFindsTypingErrorsOnly(t *testing.T) {
	words := []string{"backend", "avoid", "because", "op", "name"}
	tests := []struct {
		word, want string
	}{
		{"backen", "backend"},
		{"bakcend", "backend"},
		{"Backend", "backend"},
		{"aviod", "avoid"},
		{"naem", "name"},
		{"ops", "op"},
		{"threads", ""},
		{"", ""},
		{strings.Repeat("x", 1000), ""},
	}
	for _, test := range tests {
		got, ok := Word(test.word, words)
		if got != test.want || ok != (test.want != "") {
			t.Errorf("Word(%.20q) = %q, want %q", test.word, got, test.want)
		}
	}
}

func TestDistanceCountsSingleChanges(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"abc", "abc", 0}, {"abc", "abd", 1},
		{"abc", "acb", 1}, {"abc", "bc", 1}, {"kitten", "sitting", 3}, {"é", "e", 1},
	}
	for _, test := range tests {
		if got := Distance(test.a, test.b); got != test.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", test.a, test.b, got, test.want)
		}
		if back := Distance(test.b, test.a); back != test.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", test.b, test.a, back, test.want)
		}
	}
}
