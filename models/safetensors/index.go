package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// openIndex opens the shards that an index names: {"weight_map": {tensor: file}}.
func openIndex(path string) (*File, error) {
	data, err := readIndex(path)
	if err != nil {
		return nil, err
	}
	shards, err := weightMap(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrFormat, err)
	}
	all := &File{name: path, tensors: map[string]Tensor{}}
	if err := all.addShards(shards, filepath.Dir(path)); err != nil {
		_ = all.Close() // the first error is the one to report
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return all, nil
}

// readIndex reads an index; its size is bounded as that of a header is.
func readIndex(path string) ([]byte, error) {
	if err := mustBeRegular(path); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening weights: %w", err)
	}
	defer func() { _ = f.Close() }() // opened for reading only
	data, err := io.ReadAll(io.LimitReader(f, headerLimit+1))
	if err != nil {
		return nil, fmt.Errorf("reading weights: %w", err)
	}
	if len(data) > headerLimit {
		return nil, fmt.Errorf("%s: %w: an index has at most %d bytes", path, ErrFormat, headerLimit)
	}
	return data, nil
}

// addShards opens the shards in dir, and takes from each the tensors that the
// index finds there.
func (f *File) addShards(shards map[string]string, dir string) error {
	open := map[string]*File{}
	for _, name := range slices.Sorted(maps.Keys(shards)) {
		shard := shards[name]
		if err := checkShardName(shard); err != nil {
			return fmt.Errorf("%w: tensor %q is in %q, which is not %w", ErrFormat, name, shard, err)
		}
		if open[shard] == nil {
			opened, err := Open(filepath.Join(dir, shard))
			if err != nil {
				return fmt.Errorf("shard %s of tensor %q: %w", shard, name, err)
			}
			open[shard] = opened
			f.close = append(f.close, opened.Close)
		}
		t, err := open[shard].Tensor(name)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrFormat, err)
		}
		f.tensors[name] = t
		f.names = append(f.names, name)
	}
	return nil
}

// checkShardName refuses names that leave the index's folder on any platform, and
// further indices, which could name each other for ever. The error says what the
// name is not.
func checkShardName(shard string) error {
	if shard == "" || shard == "." || shard == ".." || strings.ContainsAny(shard, "/\\:\x00") {
		return errors.New("a file beside the index")
	}
	if !strings.HasSuffix(shard, ".safetensors") {
		return errors.New("a .safetensors file")
	}
	return nil
}

// weightMap reads the part of an index that counts.
func weightMap(data []byte) (map[string]string, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("the index is not UTF-8")
	}
	if err := checkSurrogates(data); err != nil {
		return nil, err
	}
	p := &parser{json.NewDecoder(bytes.NewReader(data))}
	p.UseNumber()
	var shards map[string]string
	err := p.object("index", func(key string) error {
		if key != "weight_map" {
			return p.skip()
		}
		shards = map[string]string{}
		return p.object("weight_map", func(tensor string) error {
			shard, err := p.text("the shard of " + strconv.Quote(tensor))
			shards[tensor] = shard
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	if shards == nil {
		return nil, errors.New("the index has no weight_map")
	}
	return shards, nil
}
