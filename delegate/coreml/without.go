//go:build !tflite

package coreml

import "nanoflux/delegate"

func init() { delegate.Register(kind()) }
