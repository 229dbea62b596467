// Command coverage measures how much of each model every delegate takes, by the
// rules of package support, as the models are and after the rewrites that a
// profile for the delegate asks for.
package main

import (
	"context"
	"fmt"
	"log"
	"time"
)

func main() {
	log.SetFlags(0)
	list, done, err := subjects()
	if err != nil {
		log.Fatal(err)
	}
	defer done()
	for _, s := range list {
		for _, t := range targets {
			table, err := t.table()
			if err != nil {
				log.Fatal(err)
			}
			for _, on := range []bool{false, true} {
				start := time.Now()
				m, err := t.prepared(s, on)
				if err != nil {
					log.Fatal(s.part, t.name, err)
				}
				made := time.Since(start)
				c, err := measure(context.Background(), m, table, s.blocks)
				if err != nil {
					log.Fatal(err)
				}
				fmt.Printf("%s %-28s %-12s %5v all %.3f out %.3f ops %.3f seg %d max/block %d   %v %v\n", s.family, s.part, t.name, on, c.all, c.outside, c.ops, c.segments, c.perBlock, made.Round(time.Millisecond), time.Since(start).Round(time.Millisecond))
				if on {
					for _, r := range c.refused[:min(5, len(c.refused))] {
						fmt.Printf("        %d %s %.1f GMAC %v %s\n", r.count, r.name, float64(r.macs)/1e9, r.why.Error(), r.sample)
					}
				}
			}
		}
	}
}
