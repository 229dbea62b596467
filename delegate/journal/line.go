package journal

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of a line. A text is cut, other lines that are longer are not written.
const (
	maxLine = 64 << 10
	maxText = 300
	// maxOps bounds the operators that a LEFT line may name in a few ranges.
	maxOps = 1 << 20
)

func startLine(k Key, token string, when time.Time, what string) string {
	return fmt.Sprintf("START %s %s %s %s\n", k, token, when.Format(time.RFC3339), quote(what))
}

func endLine(k Key, token string, when time.Time, o Outcome, cause string) string {
	line := fmt.Sprintf("END %s %s %s %s", k, token, when.Format(time.RFC3339), o)
	if cause != "" {
		line += " " + quote(cause)
	}
	return line + "\n"
}

func answerLine(k Key, a Answer) string {
	switch {
	case a.Taken:
		return fmt.Sprintf("TAKEN %s\n", k)
	case a.Reason == "":
		return fmt.Sprintf("LEFT %s %s\n", k, ranges(a.Left))
	}
	return fmt.Sprintf("LEFT %s %s %s\n", k, ranges(a.Left), quote(a.Reason))
}

// cut bounds a text.
func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	end := maxText - len("…")
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

// quote keeps a text in one line and bounds it.
func quote(s string) string { return strconv.QuoteToASCII(cut(s)) }

// ranges writes ascending numbers: "3-5,9".
func ranges(list []int) string {
	var b strings.Builder
	for i := 0; i < len(list); {
		last := i
		for last+1 < len(list) && list[last+1] == list[last]+1 {
			last++
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(list[i]))
		if last > i {
			b.WriteString("-" + strconv.Itoa(list[last]))
		}
		i = last + 1
	}
	return b.String()
}

// parseRanges is the reverse; ok is false for what ranges does not write.
func parseRanges(text string) (list []int, ok bool) {
	for item := range strings.SplitSeq(text, ",") {
		first, last, span := strings.Cut(item, "-")
		from, err := strconv.Atoi(first)
		if err != nil || from < 0 || len(list) > 0 && from <= list[len(list)-1] {
			return nil, false
		}
		to := from
		if span {
			if to, err = strconv.Atoi(last); err != nil || to <= from {
				return nil, false
			}
		}
		if to-from >= maxOps-len(list) {
			return nil, false
		}
		for i := from; i <= to; i++ {
			list = append(list, i)
		}
	}
	return list, true
}

// take puts one line, without its end, into the entries; false for one that says
// nothing.
func (j *Journal) take(line string) bool {
	word, rest, _ := strings.Cut(line, " ")
	key, rest, _ := strings.Cut(rest, " ")
	k := Key(key)
	if !k.valid() {
		return false
	}
	switch word {
	case "TAKEN":
		j.entry(k).answer = Answer{Taken: true}
		return true
	case "LEFT":
		list, quoted, has := strings.Cut(rest, " ")
		ops, ok := parseRanges(list)
		reason := ""
		if ok && has {
			var err error
			reason, err = strconv.Unquote(quoted)
			ok = err == nil
		}
		if ok {
			j.entry(k).answer = Answer{Left: ops, Reason: cut(reason)}
		}
		return ok
	}
	token, rest, _ := strings.Cut(rest, " ")
	stamp, rest, _ := strings.Cut(rest, " ")
	when, err := time.Parse(time.RFC3339, stamp)
	if _, _, ok := splitToken(token); !ok || err != nil {
		return false
	}
	when = when.UTC()
	switch word {
	case "START":
		what, err := strconv.Unquote(rest)
		if err != nil {
			return false
		}
		e := j.entry(k)
		a := e.open[token]
		if a == nil {
			a = &attempts{}
			e.open[token] = a
		}
		a.n++
		a.last = Crash{Key: k, What: what, When: when, Cause: endedIn, Unfinished: true}
		return true
	case "END":
		outcome, quoted, has := strings.Cut(rest, " ")
		cause := ""
		if has {
			if cause, err = strconv.Unquote(quoted); err != nil {
				return false
			}
		}
		o := Outcome(outcome)
		if o != OK && o != Failed && o != Lost {
			return false
		}
		j.entry(k).end(token, o, Crash{Key: k, When: when, Cause: cause})
		return true
	}
	return false
}
