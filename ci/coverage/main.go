// Command coverage measures how much of each model every delegate takes, by the
// tables of package support: of the model as it is, and after the rewrites that
// the program's profile for the delegate asks for. It needs no device and no
// weights.
//
// It prints the tables, and writes them into the file of -o.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("coverage: ")
	to := flag.String("o", "", "file to write the tables into, as Markdown")
	flag.Parse()
	rows, err := measureAll(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(plainText(rows))
	if *to != "" {
		if err := os.WriteFile(*to, []byte(markdown(rows)), 0o644); err != nil {
			log.Fatal(err)
		}
		fmt.Println("\nwrote", *to)
	}
}

// row is one model on one delegate, without and with rewrites.
type row struct {
	subject     subject
	target      target
	plain, with coverage
}

// measureAll measures every model on every delegate.
func measureAll(ctx context.Context) (rows []row, err error) {
	list, done, err := subjects()
	if err != nil {
		return nil, err
	}
	defer done()
	for _, s := range list {
		for _, t := range targets {
			r := row{subject: s, target: t}
			for rewrites, c := range map[bool]*coverage{false: &r.plain, true: &r.with} {
				if *c, err = measureOne(ctx, s, t, rewrites); err != nil {
					return nil, fmt.Errorf("%s %s on %s: %w", s.family, s.part, t.title, err)
				}
			}
			rows = append(rows, r)
		}
	}
	return rows, nil
}

func measureOne(ctx context.Context, s subject, t target, rewrites bool) (coverage, error) {
	p, err := t.load(rewrites)
	if err != nil {
		return coverage{}, err
	}
	m, err := t.prepared(s, p)
	if err != nil {
		return coverage{}, err
	}
	return measure(ctx, m, p, s.blocks)
}
