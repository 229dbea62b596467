//go:build !tflite

package hexagon

import "nanoflux/delegate"

func init() { delegate.Register(kind()) }
