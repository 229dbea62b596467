package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestBenchMeasuresEveryPartOfTheBundle(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds")
	}
	text := ok(t, "bench", "--runs", "1", "--warmup", "1", "--threads", "1")
	for _, want := range []string{"this machine's peak", "1 thread: ", "pocket/text_encoder.tflite: ", "pocket/decoder.tflite: ", "1 run)", "GFLOP/s", "CONV_2D with others"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	var report benchReport
	if err := json.Unmarshal([]byte(ok(t, "bench", "--runs", "1", "--json", "--option", "fusion=false")), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Models) != 4 || report.Models[2].MACs < 1e8 || report.Machine.Float32 <= 0 || len(report.Models[2].Steps) < 300 {
		t.Errorf("%+v", report.Machine)
	}
}

func TestBenchSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"bench", "--backend", "fallbak"}, exitUsage, `no backend kind "fallbak"; there are`},
		{[]string{"bench", "--option", "threads"}, exitUsage, "--option threads: takes NAME=VALUE"},
		{[]string{"bench", "--option", "thread=1"}, exitUsage, `no option "thread"; it has`},
		{[]string{"bench", "--runs", "-1"}, exitUsage, "--runs -1 is negative"},
		{[]string{"bench", "a", "b"}, exitUsage, `"b" is an argument too many`},
		{[]string{"bench", "nosuch.tflite"}, exitInput, "check the path"},
	} {
		code, _, stderr := call(t, c.args...)
		if code != c.code || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: code %d, %q; want %d, %q", c.args, code, stderr, c.code, c.want)
		}
	}
}
