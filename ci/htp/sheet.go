//go:build tflite

package main

import (
	"image"
	"image/color"
	"image/png"
	"os"
)

// writeSheet puts pictures side by side, a column for each list: half as large, in
// few colours, to be looked at and not to be measured.
func writeSheet(path string, columns [][]image.Image) error {
	const shrink, gap = 2, 4
	first := columns[0][0].Bounds().Size()
	width, height := first.X/shrink, first.Y/shrink
	sheet := image.NewRGBA(image.Rect(0, 0, len(columns)*(width+gap)-gap, len(columns[0])*(height+gap)-gap))
	for x, column := range columns {
		for y, picture := range column {
			for v := range height {
				for u := range width {
					sheet.Set(x*(width+gap)+u, y*(height+gap)+v, average(picture, u*shrink, v*shrink, shrink))
				}
			}
		}
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := png.Encode(f, sheet); err != nil {
		_ = f.Close() // the first error is the one to report
		return err
	}
	return f.Close()
}

// average is the mean colour of a square, in steps that PNG packs well.
func average(p image.Image, x, y, side int) color.Color {
	var sum [3]uint32
	for v := range side {
		for u := range side {
			r, g, b, _ := p.At(x+u, y+v).RGBA()
			sum[0], sum[1], sum[2] = sum[0]+r>>8, sum[1]+g>>8, sum[2]+b>>8
		}
	}
	step := func(s uint32) uint8 { return uint8(s/uint32(side*side)) &^ 3 }
	return color.RGBA{step(sum[0]), step(sum[1]), step(sum[2]), 255}
}
