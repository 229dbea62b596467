package flux

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"nanoflux/graph"
	"nanoflux/models/internal/golden"
	"nanoflux/models/weights"
)

// fp32 against fp32 of another order of summation stays below 1e-5 of a
// tensor's range (models/data/goldens/README.md).
const tolerance = 1e-5

var goldenCases = []struct {
	name  string
	shape Shape
	runs  []string
}{
	{"a-tiny", Shape{Rows: 4, Columns: 6, TextTokens: 5}, []string{"b1_t1.00", "b1_t0.50", "b1_t0.03"}},
	{"b-d96", Shape{Rows: 3, Columns: 5, TextTokens: 4}, []string{"b1_t0.75"}},
}

func openCase(t *testing.T, name string) (Config, weights.Source) {
	t.Helper()
	c, err := ParseConfig(readFile(t, goldens+name+"/config.json"), name+"/config.json")
	if err != nil {
		t.Fatal(err)
	}
	return c, golden.Open(t, goldens+name+"/weights.safetensors").Weights()
}

func TestRotaryTablesAreTheReferences(t *testing.T) {
	for _, k := range goldenCases {
		c, _ := openCase(t, k.name)
		io := golden.Open(t, goldens+k.name+"/io.safetensors")
		cos, sin := ropeTables(c, k.shape)
		wantCos, _ := io.Floats(k.runs[0] + "/rope_cos")
		wantSin, _ := io.Floats(k.runs[0] + "/rope_sin")
		order := halvesOrder(c.HeadDim)
		wantCos, wantSin = permuteHeads(wantCos, order, 1), permuteHeads(wantSin, order, 1)
		for i := range wantSin {
			if i%c.HeadDim < c.HeadDim/2 {
				wantSin[i] = -wantSin[i]
			}
		}
		golden.Close(t, k.name+" cos", cos, wantCos, 1e-7)
		golden.Close(t, k.name+" sin", sin, wantSin, 1e-7)
	}
}

func TestTimeProjectionIsTheReferences(t *testing.T) {
	for _, k := range goldenCases {
		io := golden.Open(t, goldens+k.name+"/io.safetensors")
		for _, run := range k.runs {
			at, _ := io.Floats(run + "/in.timestep")
			want, _ := io.Floats(run + "/time_proj")
			// One unit in the last place of a frequency moves an angle near
			// 1000 by 6e-5.
			golden.Close(t, run, TimeProjection(at[0]), want, 1e-4)
		}
	}
}

func TestModulationAndDenoiserAreTheReferencesStageByStage(t *testing.T) {
	for _, k := range goldenCases {
		c, w := openCase(t, k.name)
		io := golden.Open(t, goldens+k.name+"/io.safetensors")
		m, err := BuildModulation(c, w, ModulationOptions{Options: Options{Taps: true}})
		modulation := golden.Compile(t, m, err)
		m, err = BuildDenoiser(c, w, k.shape, Options{Taps: true})
		denoiser := golden.Compile(t, m, err)
		for _, run := range k.runs {
			t.Run(k.name+" "+run, func(t *testing.T) {
				rows := modulation.Run(map[string]graph.Array{
					"time_projection": io.Array(run + "/time_proj"),
					"pooled":          io.Array(run + "/in.pooled_projections"),
				})
				out := denoiser.Run(map[string]graph.Array{
					"latent":     io.Array(run + "/in.hidden_states"),
					"text":       io.Array(run + "/in.encoder_hidden_states"),
					"modulation": golden.Float32s(rows["modulation"], 1, c.Rows(), c.Width()),
				})
				want, _ := io.Floats(run + "/temb")
				golden.CloseInRange(t, "temb", rows["temb"], want, tolerance)
				want, _ = io.Floats(run + "/out.sample")
				golden.CloseInRange(t, "velocity", out["velocity"], want, tolerance)
				checkRows(t, c, io, run, rows["modulation"])
				checkHeads(t, c, io, run, out)

				compared := 0
				for _, name := range io.Weights().Names() {
					stage, ok := strings.CutPrefix(name, run+"/")
					if got, tapped := out[stage]; ok && tapped {
						want, _ := io.Floats(name)
						golden.CloseInRange(t, stage, got, want, tolerance)
						compared++
					}
				}
				// Two embedders; of the first double block 5 an image or text
				// stage is recorded (text has no MLP stages), of the first
				// single block 2; both states after each block; the last norm.
				if want := 2 + 6 + 2*c.Layers - 2 + 2 + 2*c.SingleLayers + 1 + 2; compared != want {
					t.Errorf("%d stages compared, want %d", compared, want)
				}
			})
		}
	}
}

// checkRows compares modulation rows with the recorded ones of the first blocks.
func checkRows(t *testing.T, c Config, io golden.File, run string, rows []float32) {
	t.Helper()
	imageAttention, imageMLP, textAttention, textMLP := c.DoubleRows(0)
	for _, r := range []struct {
		name string
		row  int
		plus float32
	}{
		{"double.0.img_gate_msa", imageAttention.Gate, 0}, {"double.0.img_shift_mlp", imageMLP.Shift, 0},
		{"double.0.img_scale_mlp", imageMLP.Scale, 1}, {"double.0.img_gate_mlp", imageMLP.Gate, 0},
		{"double.0.txt_gate_msa", textAttention.Gate, 0}, {"double.0.txt_shift_mlp", textMLP.Shift, 0},
		{"double.0.txt_scale_mlp", textMLP.Scale, 1}, {"double.0.txt_gate_mlp", textMLP.Gate, 0},
		{"single.0.gate", c.SingleRows(0).Gate, 0},
	} {
		want, _ := io.Floats(run + "/" + r.name)
		want = append([]float32(nil), want...)
		for i := range want {
			want[i] += r.plus
		}
		golden.CloseInRange(t, r.name, rows[r.row*c.Width():(r.row+1)*c.Width()], want, tolerance)
	}
}

// checkHeads compares the normalised queries and keys, which the graph has in
// another order of channels and, for queries, divided by √headDim.
func checkHeads(t *testing.T, c Config, io golden.File, run string, out map[string][]float32) {
	t.Helper()
	order, d := halvesOrder(c.HeadDim), c.HeadDim
	for _, h := range []struct {
		tap, name string
		first     int
		factor    float64
	}{
		{"double.0.img_qk_normed", "double.0.img_q_normed", 0, math.Sqrt(float64(d))},
		{"double.0.txt_qk_normed", "double.0.txt_k_normed", c.Heads, 1},
	} {
		want, shape := io.Floats(run + "/" + h.name)
		want = permuteHeads(want, order, 1)
		var got []float32
		for token := range shape[1] {
			at := (token*2*c.Heads + h.first) * d
			for _, v := range out[h.tap][at : at+c.Heads*d] {
				got = append(got, float32(float64(v)*h.factor))
			}
		}
		golden.CloseInRange(t, h.name, got, want, tolerance)
	}
}

func TestBothLayoutsOfWeightsMakeTheSameModel(t *testing.T) {
	c, a := openCase(t, "a-tiny")
	_, b := openCase(t, "c-bfl")
	named, err := fromOriginal(c, b)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := named.Names(), a.Names(); !reflect.DeepEqual(got, want) {
		t.Fatalf("names %v, want %v", got, want)
	}
	for _, s := range c.Tensors() {
		want, err := a.Float32s(s.Name, s.Shape...)
		if err != nil {
			t.Fatal(err)
		}
		got, err := named.Float32s(s.Name, s.Shape...)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s differs", s.Name)
		}
	}
	for _, src := range []weights.Source{b, renamed{b, originalPrefix}} {
		for build := range 2 {
			x, y := buildBoth(t, c, a, build), buildBoth(t, c, src, build)
			if !reflect.DeepEqual(x, y) {
				t.Errorf("the graphs of the two layouts differ")
			}
		}
	}
}

func TestEveryTensorHasItsOwnPlaceInTheOriginalLayout(t *testing.T) {
	c, _ := openCase(t, "a-tiny")
	c.Guidance = true
	taken := map[string]string{}
	for _, s := range c.Tensors() {
		at := c.originalPlace(s)
		for _, word := range []string{"transformer", "embed", "norm_out", "proj_out"} {
			if strings.Contains(at.name, word) {
				t.Errorf("%s stays %s", s.Name, at.name)
			}
		}
		key := fmt.Sprint(at.name, at.from)
		if other, ok := taken[key]; ok {
			t.Errorf("%s and %s are both at row %d of %s", s.Name, other, at.from, at.name)
		}
		taken[key] = s.Name
	}
}

func buildBoth(t *testing.T, c Config, w weights.Source, which int) []graph.Buffer {
	t.Helper()
	var m *graph.Model
	var err error
	if which == 0 {
		m, err = BuildDenoiser(c, w, Shape{Rows: 2, Columns: 2, TextTokens: 3}, Options{})
	} else {
		m, err = BuildModulation(c, w, ModulationOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return m.Buffers
}

// renamed puts a prefix before all names of a source.
type renamed struct {
	w      weights.Source
	prefix string
}

func (r renamed) Names() []string {
	var names []string
	for _, n := range r.w.Names() {
		names = append(names, r.prefix+n)
	}
	return names
}
func (r renamed) Shape(name string) ([]int, bool) {
	bare, ok := strings.CutPrefix(name, r.prefix)
	if !ok {
		return nil, false
	}
	return r.w.Shape(bare)
}
func (r renamed) Float32s(name string, shape ...int) ([]float32, error) {
	return r.w.Float32s(strings.TrimPrefix(name, r.prefix), shape...)
}

// changed is a source with one tensor taken away or given another shape, or
// with one more.
type changed struct {
	weights.Source
	name  string
	shape []int
	gone  bool
}

func (c changed) Names() []string {
	var names []string
	for _, n := range c.Source.Names() {
		if n != c.name {
			names = append(names, n)
		}
	}
	if !c.gone {
		names = append(names, c.name)
	}
	return names
}
func (c changed) Shape(name string) ([]int, bool) {
	if name == c.name {
		return c.shape, !c.gone
	}
	return c.Source.Shape(name)
}

func TestWeightsThatDoNotFitAreErrorsThatNameTheTensor(t *testing.T) {
	c, w := openCase(t, "a-tiny")
	_, original := openCase(t, "c-bfl")
	t5 := golden.Open(t, "../data/goldens/text/t5-v1_1/weights.safetensors").Weights()
	for _, k := range []struct {
		name string
		w    weights.Source
		want string
	}{
		{"a missing tensor", changed{Source: w, name: "transformer_blocks.1.attn.to_k.bias", gone: true}, "lacks transformer_blocks.1.attn.to_k.bias"},
		{"a wrong shape", changed{Source: w, name: "x_embedder.weight", shape: []int{64, 65}}, "x_embedder.weight is [64 65], not [64 64]"},
		{"a tensor too many", changed{Source: w, name: "transformer_blocks.2.attn.to_k.bias", shape: []int{64}}, "no place for transformer_blocks.2.attn.to_k.bias"},
		{"a missing tensor of the original layout", changed{Source: original, name: "single_blocks.0.linear1.weight", gone: true}, "lacks single_blocks.0.linear1.weight"},
		{"a tensor too many in the original layout", changed{Source: original, name: "guidance_in.in_layer.weight", shape: []int{64, 256}}, "no place for guidance_in.in_layer.weight"},
		{"another family", t5, "not a FLUX transformer"},
	} {
		t.Run(k.name, func(t *testing.T) {
			_, err := BuildDenoiser(c, k.w, Shape{Rows: 1, Columns: 1, TextTokens: 1}, Options{})
			if err == nil || !strings.Contains(err.Error(), k.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want %q", err, k.want)
			}
			if _, err := BuildModulation(c, k.w, ModulationOptions{}); err == nil {
				t.Error("the modulation is built all the same")
			}
		})
	}
	for _, s := range []Shape{{}, {Rows: 1, Columns: 1}, {Rows: 1 << 10, Columns: 1 << 10, TextTokens: 1}, {Rows: -1, Columns: -1, TextTokens: 1}} {
		if _, err := BuildDenoiser(c, w, s, Options{}); err == nil {
			t.Errorf("shape %+v is built", s)
		}
	}
}

// A model with guidance whose guidance embedder has the time embedder's weights
// adds the same embedding for the same sinusoids; and a pooled vector of zeros
// is what ZeroPooled folds.
func TestGuidanceAndZeroPooledAddTheirEmbeddings(t *testing.T) {
	c, w := openCase(t, "a-tiny")
	io := golden.Open(t, goldens+"a-tiny/io.safetensors")
	plain, err := BuildModulation(c, w, ModulationOptions{ZeroPooled: true, Options: Options{Taps: true}})
	zero := golden.Compile(t, plain, err).Run(map[string]graph.Array{"time_projection": io.Array("b1_t0.50/time_proj")})

	full, err := BuildModulation(c, w, ModulationOptions{Options: Options{Taps: true}})
	zeros := golden.Compile(t, full, err).Run(map[string]graph.Array{
		"time_projection": io.Array("b1_t0.50/time_proj"),
		"pooled":          golden.Float32s(make([]float32, c.PooledDim), 1, c.PooledDim),
	})
	golden.CloseInRange(t, "rows with a pooled vector of zeros", zero["modulation"], zeros["modulation"], 1e-6)

	c.Guidance = true
	guided, err := BuildModulation(c, twoEmbedders{w}, ModulationOptions{ZeroPooled: true, Options: Options{Taps: true}})
	both := golden.Compile(t, guided, err).Run(map[string]graph.Array{
		"time_projection":     io.Array("b1_t0.50/time_proj"),
		"guidance_projection": io.Array("b1_t0.50/time_proj"),
	})
	time, _ := io.Floats("b1_t0.50/time_embed")
	want := sum(zero["temb"], time)
	golden.CloseInRange(t, "embedding with guidance", both["temb"], want, 1e-6)
}

type twoEmbedders struct{ weights.Source }

func (s twoEmbedders) timeName(name string) string {
	return strings.Replace(name, "guidance_embedder", "timestep_embedder", 1)
}
func (s twoEmbedders) Names() []string {
	names := s.Source.Names()
	for _, l := range []string{"1", "2"} {
		for _, p := range []string{"weight", "bias"} {
			names = append(names, fmt.Sprintf("time_text_embed.guidance_embedder.linear_%s.%s", l, p))
		}
	}
	return names
}
func (s twoEmbedders) Shape(name string) ([]int, bool) { return s.Source.Shape(s.timeName(name)) }
func (s twoEmbedders) Float32s(name string, shape ...int) ([]float32, error) {
	return s.Source.Float32s(s.timeName(name), shape...)
}

func TestGraphsAreStaticOfBatchOneAndRankFour(t *testing.T) {
	c, w := openCase(t, "b-d96")
	for _, storage := range []weights.Storage{weights.Float32, weights.Float16, weights.Int8} {
		o := Options{Storage: weights.Uniform(storage)}
		d, err := BuildDenoiser(c, w, Shape{Rows: 2, Columns: 3, TextTokens: 4}, o)
		if err != nil {
			t.Fatal(err)
		}
		m, err := BuildModulation(c, w, ModulationOptions{Options: o})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range []*graph.Model{d, m} {
			for _, x := range g.Subgraphs[0].Tensors {
				if len(x.Shape) > 4 || x.ShapeSignature != nil {
					t.Errorf("%s: tensor %s has shape %v, signature %v", g.Name, x.Name, x.Shape, x.ShapeSignature)
				}
			}
			for _, i := range append(g.Subgraphs[0].Inputs, g.Subgraphs[0].Outputs...) {
				if x := g.Subgraphs[0].Tensors[i]; x.Shape[0] != 1 {
					t.Errorf("%s: %s has batch %d", g.Name, x.Name, x.Shape[0])
				}
			}
		}
	}
}
