package qnn

import (
	"fmt"
	"slices"
	"strings"

	"nanoflux/delegate"
	"nanoflux/delegate/qnn/onnx"
	"nanoflux/delegate/support"
	"nanoflux/graph"
)

// kind is what both builds register; the one with cgo adds Open.
func kind() delegate.Kind {
	return delegate.Kind{
		Name:    "qnn",
		Summary: "Qualcomm's NPUs, through QNN and ONNX Runtime; simulated on a PC",
		Vendor:  true,
		Options: []delegate.Option{
			{Name: "soc", Default: "SM8750", Help: "the chip's model"},
			{Name: "precision", Default: "fp16", OneOf: []string{"fp16", "w8a16", "quantized"}, Help: "how floats are computed: w8a16 with integers, for which nanoflux calibrate notes ranges; quantized takes none"},
			{Name: "performance", Default: "burst", OneOf: performanceModes, Aside: true, Help: "the NPU's performance mode"},
			{Name: "vtcm", Default: 0, Max: 64, Help: "MB of the NPU's fast memory to use; 0 for what the compiler takes"},
			{Name: "optimization", Default: 3, Min: 1, Max: 3, Help: "how hard the compiler tries: 1, 2 or 3"},
			{Name: "libraries", Default: "", Help: "folder with the libraries of ONNX Runtime and QNN; empty for where ci/setup qnn puts them, then where the system looks"},
			{Name: "cache", Default: "", Aside: true, Help: "folder that keeps what was compiled, for the next start; empty for none"},
			delegate.AskOption(),
		},
		Table:   table,
		Missing: "this build has no cgo backends; build with -tags tflite (make build-tflite)",
	}
}

// performanceModes are QNN's names.
var performanceModes = []string{
	"default", "burst", "balanced", "high_performance", "sustained_high_performance",
	"high_power_saver", "low_balanced", "low_power_saver", "power_saver", "extreme_power_saver",
}

func table(o map[string]any) (delegate.Table, error) {
	s, err := chip(o)
	if err != nil {
		return nil, err
	}
	options := support.QNNOptions{SoC: s.Model}
	if o["precision"] == "w8a16" {
		options.Floats = graph.Int16
	}
	t, err := support.HTP(options)
	if err != nil {
		return nil, fmt.Errorf("option soc: %w", err)
	}
	return written{t}, nil
}

// written is a table of the compiler, for what can be written for it.
type written struct{ delegate.Table }

// Check implements delegate.Table.
func (w written) Check(m *graph.Model, sub, op int) *delegate.Refusal {
	if r := onnx.Check(m, sub, op); r != nil {
		return r
	}
	// What the compiler was not asked about is written as others.
	if r := w.Table.Check(m, sub, op); r != nil && r.Reason != delegate.ReasonOp {
		return r
	}
	return nil
}

// chip finds the chip of option soc.
func chip(o map[string]any) (support.SoC, error) {
	s, err := support.FindSoC(o["soc"].(string))
	if err != nil {
		return s, fmt.Errorf("option soc: for QNN there is %w", support.NoSoC(o["soc"].(string), driven()))
	}
	if s.HTP >= firstHTP && s.ID == 0 {
		return s, fmt.Errorf("option soc: QNN's number of %s is not known; QNN drives %s", s.Model, strings.Join(driven(), ", "))
	}
	return s, nil
}

// firstHTP is the first version of the NPU that QNN's HTP backend drives.
const firstHTP = 68

// driven are the chips that QNN's HTP backend drives and whose number is known.
func driven() (list []string) {
	for _, s := range support.SoCs() {
		if s.ID != 0 && s.HTP >= firstHTP {
			list = append(list, s.Model)
		}
	}
	slices.Sort(list)
	return list
}
