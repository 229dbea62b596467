package calibrate

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"

	_ "nanoflux/delegate/all"
	"nanoflux/graph"
	"nanoflux/models/bundle"
	"nanoflux/models/bundle/pocket"
	"nanoflux/models/pipeline"
)

func TestAnObserverSeesInnerTensors(t *testing.T) {
	b := graph.NewBuilder("m")
	x := b.Input("x", graph.Float32, 3)
	inner := b.Named(b.Mul(x, x), "square")
	b.Output("y", b.Named(b.Sub(inner, x), "difference"))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	o := NewObserver()
	e, err := o.Compile(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	run := func(values ...float32) ([]float32, error) {
		out := make([]graph.Array, 1)
		err := e.Run(context.Background(), []graph.Array{{Type: graph.Float32, Shape: []int{3}, Data: graph.Bytes(values)}}, out)
		if err != nil {
			return nil, err
		}
		return graph.View[float32](out[0].Data), nil
	}
	if y, err := run(1, 2, 3); err != nil || y[2] != 6 {
		t.Fatalf("%v, %v", y, err)
	}
	if _, err := run(-4, 0, 0.5); err != nil {
		t.Fatal(err)
	}
	g := &m.Subgraphs[0]
	want := map[string]Range{"x": {-4, 3}, "square": {0, 16}, g.Tensors[g.Outputs[0]].Name: {-0.25, 20}}
	got := o.Ranges()[0]
	if len(got) != len(want) {
		t.Errorf("ranges %v", got)
	}
	for name, r := range want {
		if got[name] != r {
			t.Errorf("%s: %v, want %v", name, got[name], r)
		}
	}
	if _, err := run(float32(math.Inf(1)), 0, 0); err == nil || !strings.Contains(err.Error(), "not finite") {
		t.Errorf("infinite values: %v", err)
	}

	with := Annotated(m, got)
	file, err := graph.Marshal(with)
	if err != nil {
		t.Fatal(err)
	}
	again, err := graph.Read(file, "annotated")
	if err != nil {
		t.Fatal(err)
	}
	for _, tensor := range again.Subgraphs[0].Tensors {
		q := tensor.Quantization
		if r := want[tensor.Name]; q == nil || len(q.Scale) > 0 || len(q.Min) != 1 || q.Min[0] != r.Min || q.Max[0] != r.Max {
			t.Errorf("%s carries %+v, want %v", tensor.Name, q, r)
		}
	}
	if m.Subgraphs[0].Tensors[0].Quantization != nil {
		t.Error("the model itself was changed")
	}
}

func TestACalibratedBundleDrawsTheSamePicture(t *testing.T) {
	if testing.Short() {
		t.Skip("under an emulator it takes a minute; models/pipeline draws there")
	}
	plain, err := pocket.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	m, files, err := Bundle(t.Context(), plain, []string{"a red apple, 3d"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var zip bytes.Buffer
	if err := bundle.Write(&zip, m, files); err != nil {
		t.Fatal(err)
	}
	with, err := bundle.Read(zip.Bytes(), "calibrated.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer with.Close()
	for _, part := range pipeline.PartNames() {
		model, err := with.Model(part)
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range model.Subgraphs[0].Ops {
			for _, i := range op.Outputs {
				if x := &model.Subgraphs[0].Tensors[i]; x.Type == graph.Float32 && (x.Quantization == nil || len(x.Quantization.Min) != 1) {
					t.Errorf("%s: tensor %q (of %s) has no range", part, x.Name, op.Name())
				}
			}
		}
	}
	steps := 2
	draw := func(b *bundle.Bundle) []byte {
		p, err := pipeline.New(t.Context(), b, pipeline.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		r, err := p.Generate(t.Context(), pipeline.Request{Prompt: "flat picture of a rocket on blue", Steps: steps})
		if err != nil {
			t.Fatal(err)
		}
		return r.Image.Pix
	}
	if !bytes.Equal(draw(plain), draw(with)) {
		t.Error("the picture is another")
	}
}
