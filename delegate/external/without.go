//go:build !tflite

package external

import "nanoflux/delegate"

func init() { delegate.Register(kind()) }
