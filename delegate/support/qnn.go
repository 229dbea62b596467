package support

import (
	"fmt"
	"strings"
)

// QNNOptions is a Qualcomm device with QNN's HTP backend.
type QNNOptions struct {
	// SoC is the chip's model: "SM8650". Case does not count.
	SoC string
}

// firstQNN is the first HTP that QNN's HTP backend drives.
const firstQNN = 68

var qnnRows = loaded("qnn.psv", nil)

// QNN is Qualcomm's HTP, by the operators that the LiteRT compiler plugin can
// build. QNN's own validator, which has the last word for each chip, is not
// asked.
//
// The error names the nearest chip when there is no such one, and says so when
// the chip has no HTP, or one too old for QNN's HTP backend (before v68).
func QNN(o QNNOptions) (Table, error) {
	soc, err := FindSoC(o.SoC)
	if err != nil {
		return nil, err
	}
	switch {
	case soc.HTP == 0:
		return nil, fmt.Errorf("%s has no HTP", soc.Model)
	case soc.HTP < firstQNN:
		return nil, fmt.Errorf("%s has the DSP v%d, which QNN's HTP backend does not drive (v%d and newer); take hexagon", soc.Model, soc.HTP, firstQNN)
	}
	return &table{name: "qnn-" + strings.ToLower(soc.Model), title: "QNN", rows: qnnRows(), device: device{soc: &soc}}, nil
}
