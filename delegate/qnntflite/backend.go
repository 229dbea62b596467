//go:build tflite

package qnntflite

import (
	"strconv"

	"nanoflux/delegate"
	"nanoflux/delegate/dl"
	"nanoflux/delegate/external"
	"nanoflux/delegate/tflite"
	"nanoflux/graph"
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
	features := []string{"soc=" + o["soc"].(string)}
	if o["htp_precision"] == "fp16" {
		features = append(features, "fp16")
	}
	return &tflite.Vendor{
		Kind: "qnn-tflite", Threads: tflite.Threads(threads), Table: takes,
		Device:   "Qualcomm " + o["backend_type"].(string),
		Features: features,
		Open:     func() (*dl.Library, error) { return dl.Open([]string{library}, external.Symbols()...) },
		Make:     func(l *dl.Library, _ *graph.Model) (tflite.Delegate, error) { return external.Create(l, settings(o)) },
	}, nil
}

// settings are the options that differ from their defaults, and the backend
// type, which the delegate wants to be told.
func settings(o map[string]any) (list []external.Setting) {
	for _, p := range plugin {
		value := o[p.Name]
		if value == p.Default && p.Name != "backend_type" {
			continue
		}
		text, ok := value.(string)
		if !ok {
			text = strconv.Itoa(value.(int))
		}
		list = append(list, external.Setting{Key: p.Name, Value: text})
	}
	return list
}
