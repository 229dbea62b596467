package support

import (
	"fmt"
	"strings"

	"nanoflux/graph"
)

// QNNOptions is a Qualcomm device with QNN's HTP backend.
type QNNOptions struct {
	// SoC is the chip's model: "SM8650". Case does not count.
	SoC string
	// Floats is what HTP takes floats for: FLOAT32, the zero value, or INT16 where
	// they are computed with integers. QNN does not look at it.
	Floats graph.TensorType
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
	soc, err := qnnSoC(o.SoC)
	if err != nil {
		return nil, err
	}
	return &table{name: "qnn-" + strings.ToLower(soc.Model), title: "QNN", rows: qnnRows(), device: device{soc: &soc}}, nil
}

// qnnSoC finds a chip that QNN's HTP backend drives.
func qnnSoC(model string) (SoC, error) {
	soc, err := FindSoC(model)
	switch {
	case err != nil:
		return soc, err
	case soc.HTP == 0:
		return soc, fmt.Errorf("%s has no HTP", soc.Model)
	case soc.HTP < firstQNN:
		return soc, fmt.Errorf("%s has the DSP v%d, which QNN's HTP backend does not drive (v%d and newer); take hexagon", soc.Model, soc.HTP, firstQNN)
	}
	return soc, nil
}
