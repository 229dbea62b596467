//go:build tflite

package main

func (b *bench) picture() error { return nil }
