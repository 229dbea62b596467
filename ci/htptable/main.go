// Command htptable asks Qualcomm's compiler which operators it takes, of which
// element types and numbers of dimensions, for six chips. It writes the table that
// backend qnn answers by where the compiler is not, and a page that compares it
// with what Qualcomm's plugin for TensorFlow Lite takes. `make htp-table` runs it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"sync"

	_ "nanoflux/delegate/all"
)

// chips are one for each version of the HTP.
var chips = []string{"SM8350", "SM8450", "SM8550", "SM8650", "SM8750", "SM8850"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "htptable:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if chip := os.Getenv(asking); chip != "" {
		first, err := strconv.Atoi(os.Args[1])
		if err != nil {
			return err
		}
		return serve(ctx, os.Stdout, chip, first)
	}
	data := flag.String("data", "delegate/support/data/qnn-htp.psv", "file of the table")
	page := flag.String("page", "docs/htp-table.md", "file of the page")
	keep := flag.String("answers", "", "file that keeps the answers; where it is there, nobody is asked")
	parallel := flag.Int("parallel", 2, "chips at a time")
	flag.Parse()
	list, err := questions()
	if err != nil {
		return err
	}
	answers, err := collect(ctx, list, *keep, *parallel)
	if err != nil {
		return err
	}
	rows := fold(list, answers)
	if err := os.WriteFile(*data, table(rows, answers), 0o644); err != nil {
		return err
	}
	text, err := write(list, answers, rows)
	if err != nil {
		return err
	}
	return os.WriteFile(*page, text, 0o644)
}

// collect gives the answers by chip and question.
func collect(ctx context.Context, list []question, keep string, parallel int) ([][]answer, error) {
	answers := make([][]answer, len(chips))
	if data, err := os.ReadFile(keep); err == nil {
		err = json.Unmarshal(data, &answers)
		if err == nil && (len(answers) != len(chips) || len(answers[0]) != len(list)) {
			err = fmt.Errorf("%s is of other questions", keep)
		}
		return answers, err
	}
	errs := make([]error, len(chips))
	slots := make(chan struct{}, parallel)
	var group sync.WaitGroup
	for i, chip := range chips {
		group.Go(func() {
			slots <- struct{}{}
			answers[i], errs[i] = survey(ctx, chip, len(list))
			<-slots
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	if keep == "" {
		return answers, nil
	}
	data, err := json.Marshal(answers)
	if err != nil {
		return nil, err
	}
	return answers, os.WriteFile(keep, data, 0o644)
}
