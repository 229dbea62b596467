package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"nanoflux/delegate"
	"nanoflux/delegate/qnn/onnx"
)

// asking in its environment has this program ask about a chip in this process.
const asking = "NANOFLUX_HTPTABLE_CHIP"

// notWritten begins the answer to a question that could not be put.
const notWritten = "not written as ONNX: "

// patience is for one question.
const patience = time.Minute

// answer is the compiler's to a question.
type answer struct {
	Question int
	// Why is empty where the compiler takes it.
	Why     string
	Library string
}

// serve answers the questions from the first on, a line each.
func serve(ctx context.Context, out io.Writer, chip string, first int) error {
	list, err := questions()
	if err != nil {
		return err
	}
	b, err := delegate.Open("qnn", map[string]any{"soc": chip})
	if err != nil {
		return err
	}
	if _, err := b.Probe(ctx); err != nil {
		return err
	}
	compiler, ok := b.(delegate.Precompiler)
	if !ok {
		return errors.New("backend qnn does not compile ahead of time")
	}
	encoder := json.NewEncoder(out)
	known := map[[32]byte]answer{} // INT8 and UINT8 are the same to the compiler
	for i := first; i < len(list); i++ {
		key := [32]byte{}
		if m, err := onnx.Convert(list[i].model, nil); err == nil {
			if data, err := m.Encode(); err == nil {
				key = sha256.Sum256(data)
			}
		}
		a, found := known[key]
		if !found || key == [32]byte{} {
			a = ask(ctx, compiler, list[i])
			known[key] = a
		}
		a.Question = i
		if err := encoder.Encode(a); err != nil {
			return err
		}
	}
	return nil
}

func ask(ctx context.Context, compiler delegate.Precompiler, q question) answer {
	if r := onnx.Check(q.model, 0, q.op); r != nil {
		return answer{Why: notWritten + r.Detail}
	}
	p, err := compiler.Precompile(ctx, q.model)
	switch {
	case err != nil:
		return answer{Why: clean(err.Error())}
	case len(p.Left) > 0:
		return answer{Why: clean(p.Left[0].Reason), Library: p.Library}
	}
	return answer{Library: p.Library}
}

// ours are names that the writer gives, and numbers that change from run to run.
var ours = regexp.MustCompile("(?: for)?[ `'\"]*op[0-9]+_[0-9]+_[A-Za-z]+[A-Za-z0-9_]*[`'\"]*|0x[0-9a-f]+")

// clean makes a message the same in every run, and fit for a cell of a table.
func clean(text string) string {
	text = ours.ReplaceAllString(text, "")
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", "/")
}

// survey asks all questions about a chip, in processes that may end.
func survey(ctx context.Context, chip string, n int) ([]answer, error) {
	answers := make([]answer, 0, n)
	for len(answers) < n {
		before := len(answers)
		var err error
		if answers, err = part(ctx, chip, answers); err != nil {
			return nil, fmt.Errorf("%s: %w", chip, err)
		}
		if len(answers) < n {
			if before == 0 && len(answers) == 0 {
				return nil, fmt.Errorf("%s: nothing answered; is ci/setup qnn done?", chip)
			}
			answers = append(answers, answer{Question: len(answers), Why: "the compiler ends the process or does not answer"})
		}
	}
	return answers, nil
}

// part asks from the first question on that has no answer, in one process.
func part(ctx context.Context, chip string, answers []answer) ([]answer, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	child := exec.CommandContext(ctx, os.Args[0], strconv.Itoa(len(answers)))
	child.Env = append(os.Environ(), asking+"="+chip)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := child.Start(); err != nil {
		return nil, err
	}
	watch := time.AfterFunc(patience, stop)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		watch.Reset(patience)
		var a answer
		if json.Unmarshal(lines.Bytes(), &a) != nil || a.Question != len(answers) {
			continue // the library prints too
		}
		answers = append(answers, a)
	}
	watch.Stop()
	_ = child.Wait() // how it ended shows in what is missing
	return answers, nil
}
