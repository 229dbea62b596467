//go:build tflite

package qnn

import (
	"nanoflux/delegate"
	"nanoflux/delegate/dl"
	"nanoflux/delegate/external"
	"nanoflux/delegate/tflite"
)

func init() {
	k := kind()
	k.Missing = ""
	k.Open = open
	delegate.Register(k)
}

func open(o map[string]any) (delegate.Backend, error) {
	takes, err := table(o)
	if err != nil {
		return nil, err
	}
	library, threads := o["library"].(string), o["threads"].(int)
	return &tflite.Vendor{
		Kind: "qnn", Threads: tflite.Threads(threads), Table: takes,
		Device:   "Qualcomm " + o["backend_type"].(string),
		Features: []string{"soc=" + o["soc"].(string)},
		Open:     func() (*dl.Library, error) { return dl.Open([]string{library}, external.Symbols()...) },
		Make:     func(l *dl.Library) (tflite.Delegate, error) { return external.Create(l, settings(o)) },
	}, nil
}
