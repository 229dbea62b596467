package support

import "fmt"

// CoreMLOptions is an Apple device as the Core ML delegate sees it.
type CoreMLOptions struct {
	// Version is the delegate's option coreml_version, 2 (iOS 12) or 3 (iOS 13).
	Version int
}

var coreMLRows = loaded("coreml.psv", nil)

// CoreML is the Core ML delegate.
func CoreML(o CoreMLOptions) (Table, error) {
	if o.Version != 2 && o.Version != 3 {
		return nil, fmt.Errorf("no Core ML version %d; there are 2 and 3", o.Version)
	}
	return &table{
		name: fmt.Sprintf("coreml-%d", o.Version), title: "Core ML", rows: coreMLRows(),
		device: device{level: o.Version, levelName: func(v int) string { return fmt.Sprintf("Core ML version %d", v) }, folds: readsHalf},
	}, nil
}
