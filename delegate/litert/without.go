//go:build !tflite

package litert

import "nanoflux/delegate"

func init() { delegate.Register(kind()) }
