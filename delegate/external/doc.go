// Package external is the backend of delegates that come as plugins
// (TensorFlow Lite's external delegates): any library with the two functions of
// that interface, Qualcomm's libQnnTFLiteDelegate.so among them. The plugin is
// opened here, because the TensorFlow Lite library has no loader for it. It
// needs cgo and the build tag tflite; without the tag the package only registers
// the kind.
package external

import (
	"fmt"
	"slices"
	"strconv"

	"nanoflux/delegate"
	"nanoflux/delegate/support"
)

// Options are the settings of the backend.
type Options struct {
	// Library is the plugin.
	Library string
	// Table names what the plugin takes (support.ByName); empty when nothing is
	// known of it: then it is offered everything, and what it leaves shows when
	// it is asked.
	Table string
	// Plugin are the plugin's own options.
	Plugin  []Setting
	Threads int
}

// Setting is an option of a plugin.
type Setting struct{ Key, Value string }

// kind is what both builds register; the one with TensorFlow Lite adds Open.
func kind() delegate.Kind {
	return delegate.Kind{
		Name:    "external",
		Summary: "any TensorFlow Lite delegate plugin; options that are not listed are the plugin's",
		Vendor:  true,
		Free:    true,
		Options: []delegate.Option{
			{Name: "library", Default: "", Help: "path of the plugin"},
			{Name: "table", Default: "", Help: "what the plugin takes: nnapi-LEVEL, coreml-2, coreml-3, hexagon, qnn-SOC or xnnpack; empty offers it everything"},
			{Name: "threads", Default: 0, Max: 256, Help: "CPU threads for what the delegate leaves; 0 for one a CPU"},
		},
		Table:   func(options map[string]any) (delegate.Table, error) { return fromMap(options).table() },
		Missing: "this build has no TensorFlow Lite; build with -tags tflite (make build-tflite)",
	}
}

func fromMap(options map[string]any) Options {
	o := Options{Library: options["library"].(string), Table: options["table"].(string), Threads: options["threads"].(int)}
	for key, value := range options {
		if key != "library" && key != "table" && key != "threads" {
			o.Plugin = append(o.Plugin, Setting{key, text(value)})
		}
	}
	slices.SortFunc(o.Plugin, func(a, b Setting) int {
		if a.Key < b.Key {
			return -1
		}
		return 1
	})
	return o
}

// text is a value as plugins expect it: everything is text to them.
func text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return fmt.Sprint(value)
}

func (o Options) table() (delegate.Table, error) {
	if o.Table == "" {
		return everything{}, nil
	}
	t, err := support.ByName(o.Table)
	if err != nil {
		return nil, fmt.Errorf("option table: %w", err)
	}
	return t, nil
}
