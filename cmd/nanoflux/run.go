package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"nanoflux/cmd/nanoflux/internal/modelrun"
	"nanoflux/cmd/nanoflux/internal/outfile"
	"nanoflux/graph"
)

func runCommand() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "run any TensorFlow Lite model once",
		ArgsUsage: "MODEL.tflite",
		Description: `Inputs without a value get seed:0. Seeded values are -1 to 1 for floats, the whole range
for 8- and 16-bit integers, 0 or 1 for wider ones. A comparison passes when integers are
equal and floats are within 1e-4 of the output's range; otherwise the exit code is 1.

Examples:
  nanoflux run model.tflite --input image=photo.npy --output results
  nanoflux run model.tflite --profile mixed-demo --input seed:1 --compare tflite`,
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "input", Aliases: []string{"i"}, Usage: "`NAME=VALUE`: a .npy file, zeros or seed:N; without NAME= for all other inputs; may be given again"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write each output as a .npy file into `DIR`, which is made if needed"},
			profileFlag(),
			&cli.StringFlag{Name: "compare", Usage: "run all of it on this `BACKEND` too, tflite or fallback, and compare the outputs"},
			verifyFlag(),
			jsonFlag(),
		},
		Action: runModel,
	}
}

func runModel(c *cli.Context) error {
	path, err := one(c, "a .tflite file")
	if err != nil {
		return err
	}
	reference := c.String("compare")
	if reference != "" && reference != "tflite" && reference != "fallback" {
		return usage(c, "--compare %s: takes tflite or fallback", reference)
	}
	profile, err := loadProfile(c.String("profile"))
	if err != nil {
		return err
	}
	if dir := c.String("output"); dir != "" {
		// Not after the work: a wrong path is known now.
		if err := outfile.CheckDirectory(dir); err != nil {
			return notWritten(err)
		}
	}
	verify, err := verifyOf(c)
	if err != nil {
		return err
	}
	m, err := graph.Open(path)
	if err != nil {
		return badInput(err)
	}
	defer m.Close()
	j := openJournal(c, profile)
	defer warnJournal(c, j)
	result, err := modelrun.Run(c.Context, modelrun.Request{Model: m, Profile: profile, Inputs: c.StringSlice("input"), Reference: reference, Verify: verify, Isolation: isolation(c, j)})
	if result == nil {
		return err
	}
	defer result.Close()
	// A result that differs from the reference is printed and kept: it is what
	// one wants to look at.
	warn(c, result.Warnings)
	if c.Bool("json") {
		err = errors.Join(err, printJSON(c, result))
	} else {
		result.Print(c.App.Writer)
	}
	if dir := c.String("output"); dir != "" {
		err = errors.Join(err, notWritten(saveOutputs(c, result, dir)))
	}
	return err
}

func saveOutputs(c *cli.Context, result *modelrun.Result, dir string) error {
	if err := outfile.MakeDirectory(dir); err != nil {
		return err
	}
	for i, name := range result.FileNames() {
		path := filepath.Join(dir, name)
		if err := outfile.Write(path, func(w io.Writer) error { return result.WriteOutput(w, i) }); err != nil {
			return err
		}
		if !c.Bool("json") {
			fmt.Fprintf(c.App.Writer, "wrote %s\n", path)
		}
	}
	return nil
}
