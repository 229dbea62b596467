package profiles

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"
)

// SoC is what this device says about its processor. Every part may be empty:
// systems say little, and none of it is needed to run.
type SoC struct {
	// Platform is the system and processor of this program: "android/arm64".
	Platform string `json:"platform"`
	// Facts are the names found, in a fixed order.
	Facts []Fact `json:"facts,omitempty"`
	// Cores are the sorts of processor cores, in the order the system lists
	// them.
	Cores []Cores `json:"cores,omitempty"`
}

// Fact is one name that the device gives.
type Fact struct {
	// Name says what it is: "soc model", "board".
	Name  string `json:"name"`
	Value string `json:"value"`
	// Source is the file or property that it was read from.
	Source string `json:"source"`
}

// Cores is a number of equal processor cores.
type Cores struct {
	// Name is the implementer and part of an arm core ("0x41/0xd4d"), or the
	// model name where the system gives one.
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// Names are the values that Match.SoC patterns are compared with.
func (s SoC) Names() []string {
	var names []string
	for _, f := range s.Facts {
		if !slices.Contains(names, f.Value) {
			names = append(names, f.Value)
		}
	}
	return names
}

// Fits reports whether the profile is for this device.
func (m Match) Fits(s SoC) bool {
	fits := func(patterns, values []string) bool {
		return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool {
			return slices.ContainsFunc(values, func(v string) bool {
				return matchPattern(strings.ToLower(p), strings.ToLower(v))
			})
		})
	}
	return fits(m.SoC, s.Names()) && fits(m.Platform, []string{s.Platform})
}

// DetectSoC reads what the system says about the device. It only reads, takes
// well under a second, and leaves out what it cannot find.
func DetectSoC(ctx context.Context) SoC {
	return detect(runtime.GOOS+"/"+runtime.GOARCH, os.DirFS("/"), func(key string) string { return getprop(ctx, key) })
}

// socFiles are where Linux kernels name the device, relative to the root.
var socFiles = []struct{ name, file string }{
	{"soc vendor", "sys/devices/soc0/vendor"},
	{"soc machine", "sys/devices/soc0/machine"},
	{"soc family", "sys/devices/soc0/family"},
	{"soc id", "sys/devices/soc0/soc_id"},
	{"soc revision", "sys/devices/soc0/revision"},
	{"board", "sys/firmware/devicetree/base/model"},
}

// socProperties are Android's properties that name the device.
var socProperties = []struct{ name, key string }{
	{"soc manufacturer", "ro.soc.manufacturer"},
	{"soc model", "ro.soc.model"},
	{"board", "ro.board.platform"},
	{"hardware", "ro.hardware"},
	{"chip", "ro.hardware.chipname"},
}

func detect(platform string, root fs.FS, property func(key string) string) SoC {
	s := SoC{Platform: platform}
	add := func(name, value, source string) {
		value = strings.TrimSpace(strings.TrimRight(value, "\x00"))
		if value != "" {
			s.Facts = append(s.Facts, Fact{name, clip(value), source})
		}
	}
	for _, p := range socProperties {
		add(p.name, property(p.key), p.key)
	}
	for _, f := range socFiles {
		add(f.name, string(head(root, f.file)), "/"+f.file)
	}
	const cpuinfo = "proc/cpuinfo"
	hardware, cores := parseCPUInfo(head(root, cpuinfo))
	add("hardware", hardware, "/"+cpuinfo)
	s.Cores = cores
	return s
}

// head reads the start of a small file; nothing when it cannot be read.
func head(root fs.FS, name string) []byte {
	f, err := root.Open(path.Clean(name))
	if err != nil {
		return nil
	}
	defer f.Close()
	data, _ := io.ReadAll(io.LimitReader(f, 256<<10))
	return data
}

// parseCPUInfo reads /proc/cpuinfo: blocks of "key : value", one block a core.
// arm kernels give implementer and part, and older ones a line "Hardware".
func parseCPUInfo(data []byte) (hardware string, cores []Cores) {
	count := func(name string) {
		if i := slices.IndexFunc(cores, func(c Cores) bool { return c.Name == name }); i >= 0 {
			cores[i].Count++
		} else {
			cores = append(cores, Cores{clip(name), 1})
		}
	}
	implementer := ""
	var modelNames []string
	for line := range bytes.Lines(data) {
		key, value, _ := strings.Cut(string(line), ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "Hardware":
			hardware = value
		case "CPU implementer":
			implementer = value
		case "CPU part":
			count(implementer + "/" + value)
		case "model name":
			modelNames = append(modelNames, value)
		}
	}
	// Where both are given (32-bit arm), implementer and part say more.
	if cores == nil {
		for _, name := range modelNames {
			count(name)
		}
	}
	return hardware, cores
}

// getprop asks Android for a property; empty elsewhere.
func getprop(ctx context.Context, key string) string {
	const tool = "/system/bin/getprop"
	if _, err := os.Stat(tool); err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, tool, key).Output()
	if err != nil {
		return ""
	}
	return string(out)
}
