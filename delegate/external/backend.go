//go:build tflite

package external

import (
	"errors"

	"nanoflux/delegate"
	"nanoflux/delegate/dl"
	"nanoflux/delegate/tflite"
	"nanoflux/graph"
)

func init() {
	k := kind()
	k.Missing = ""
	k.Open = func(options map[string]any) (delegate.Backend, error) { return New("external", fromMap(options)) }
	delegate.Register(k)
}

// New makes the backend of that name. The plugin is opened by Probe and Compile.
func New(name string, o Options) (delegate.Backend, error) {
	table, err := o.table()
	if err != nil {
		return nil, err
	}
	if o.Library == "" {
		return nil, errors.New("option library is missing; give the path of the plugin")
	}
	return &tflite.Vendor{
		Kind: name, Threads: tflite.Threads(o.Threads), Table: table,
		Device: "delegate plugin",
		Open:   func() (*dl.Library, error) { return dl.Open([]string{o.Library}, Symbols()...) },
		Make:   func(l *dl.Library, _ *graph.Model) (tflite.Delegate, error) { return Create(l, o.Plugin) },
	}, nil
}
