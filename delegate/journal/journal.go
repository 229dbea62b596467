// Package journal remembers, from one start of the program to the next, what
// vendors' backends did to it: a segment that ended a process is not given to the
// same backend again, and what a delegate left to the CPU is known before it is
// asked.
//
// It is a text file that is only appended to, one line a fact:
//
//	START key process time "what"
//	END key process time ok|failed|lost ["cause"]
//	LEFT key 3-5,9 ["reason"]
//	TAKEN key
//
// START is written before a vendor's code is called and END when it came back,
// so a START without END, of a process that is gone, tells of a crash. Lines
// that are none of these are skipped; losing the file loses nothing but time.
package journal

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Journal is a journal file. A nil Journal remembers nothing; all methods may be
// called on it, and from any goroutine.
type Journal struct {
	path  string
	token string // of this process

	mutex   sync.Mutex
	loaded  bool
	entries map[Key]*entry
	// knows: there was an answer or a crash.
	knows   bool
	skipped int
	err     error
}

// entry is what is known of a key.
type entry struct {
	// open counts the attempts of each process that have not ended.
	open map[string]*attempts
	lost *Crash
	// ended counts the attempts that ended well.
	ended  int
	answer Answer
}

// Answer is what a device said of a segment, or of one operator, when it was
// asked.
type Answer struct {
	// Taken: it took all of it.
	Taken bool
	// Left are the operators that it left to the CPU, by the segment's own
	// indices.
	Left []int
	// Reason is the device's word for that, a clause for people; may be empty.
	Reason string
}

func (a *Answer) given() bool { return a.Taken || len(a.Left) > 0 }

type attempts struct {
	n    int
	last Crash
}

// Crash is an attempt that did not come back.
type Crash struct {
	Key Key `json:"key"`
	// What was tried: "nnapi: compile denoiser.tflite segment 3".
	What string    `json:"what,omitempty"`
	When time.Time `json:"when"`
	// Cause is a clause for people.
	Cause string `json:"cause"`
	// Unfinished: nobody told how it went; the program was gone. A backend in a
	// process of its own is not to blame for that.
	Unfinished bool `json:"unfinished,omitempty"`
}

func (c *Crash) String() string {
	return fmt.Sprintf("%s (%s)", c.Cause, c.When.Local().Format("2006-01-02 15:04"))
}

// endedIn is the cause of an attempt whose process never told how it went.
const endedIn = "the program ended while it ran"

// Outcome is how an attempt ended.
type Outcome string

// The outcomes. Only Lost keeps from trying again.
const (
	OK     Outcome = "ok"
	Failed Outcome = "failed" // an error, and the backend lives
	Lost   Outcome = "lost"   // the device or the process is gone
)

// Open takes the journal at path, which need not exist yet. The file is read
// when it is first asked, and made when there is something to remember.
func Open(path string) *Journal {
	return &Journal{path: path, token: ownToken()}
}

// Path is where the journal is; empty for none.
func (j *Journal) Path() string {
	if j == nil {
		return ""
	}
	return j.path
}

// Err is the first problem with the file. The journal goes on without what it
// could not read or write.
func (j *Journal) Err() error {
	if j == nil {
		return nil
	}
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.err
}

// Skipped is how many lines of the file could not be understood.
func (j *Journal) Skipped() int {
	if j == nil {
		return 0
	}
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.load()
	return j.skipped
}

// entry makes a key's entry. The mutex is held and the file loaded.
func (j *Journal) entry(k Key) *entry {
	e := j.entries[k]
	if e == nil {
		e = &entry{open: map[string]*attempts{}}
		j.entries[k] = e
	}
	return e
}

// Crashed says whether an attempt with this key did not come back, here or in a
// process before; nil when none is known. An attempt that another process, or
// this one, is still at is none.
func (j *Journal) Crashed(k Key) *Crash {
	if j == nil || k == "" {
		return nil
	}
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.load()
	if e := j.entries[k]; e != nil {
		return e.crash()
	}
	return nil
}

func (e *entry) crash() *Crash {
	if e.lost != nil {
		c := *e.lost
		return &c
	}
	var first *Crash
	for token, a := range e.open {
		if a.n > 0 && !alive(token) && (first == nil || a.last.When.Before(first.When)) {
			c := a.last
			first = &c
		}
	}
	return first
}

// Crashes are all that are known, oldest first.
func (j *Journal) Crashes() (list []Crash) {
	if j == nil {
		return nil
	}
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.load()
	for _, e := range j.entries {
		if c := e.crash(); c != nil {
			list = append(list, *c)
		}
	}
	slices.SortFunc(list, func(a, b Crash) int {
		if n := a.When.Compare(b.When); n != 0 {
			return n
		}
		return slices.Compare([]byte(a.Key), []byte(b.Key))
	})
	return list
}

// Answer is what a device is known to say; nil when nothing is known.
func (j *Journal) Answer(k Key) *Answer {
	if j == nil {
		return nil
	}
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.load()
	if e := j.entries[k]; e != nil && e.answer.given() {
		a := e.answer
		a.Left = slices.Clone(a.Left)
		return &a
	}
	return nil
}

// SetAnswer remembers what a device said; an answer that says nothing is none.
func (j *Journal) SetAnswer(k Key, a Answer) {
	if j == nil || k == "" || !a.given() {
		return
	}
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.load()
	if a.Taken {
		a = Answer{Taken: true}
	}
	a.Left = slices.Clone(a.Left)
	slices.Sort(a.Left)
	a.Left = slices.Compact(a.Left)
	a.Reason = cut(a.Reason)
	if e := j.entry(k); e.answer.Taken != a.Taken || !slices.Equal(e.answer.Left, a.Left) || e.answer.Reason != a.Reason {
		e.answer, j.knows = a, true
		j.append(answerLine(k, a), false)
	}
}

// Knows says whether there is any answer or crash. Without, nobody need make
// keys to ask; that is cheap to know.
func (j *Journal) Knows() bool {
	if j == nil {
		return false
	}
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.load()
	return j.knows
}

// Attempt is a call into a vendor's code.
type Attempt struct {
	journal *Journal
	key     Key
	what    string
	once    sync.Once
}

// wellKnown is how many attempts must have ended well until a START may wait for
// the disk: one to compile, one to run.
const wellKnown = 2

// Begin notes that a vendor's code is about to be called. The line is on the disk
// when Begin returns, unless the segment is well known there: a driver may take
// the whole device down.
func (j *Journal) Begin(k Key, what string) *Attempt {
	if j == nil || k == "" {
		return nil
	}
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.load()
	e := j.entry(k)
	a := e.open[j.token]
	if a == nil {
		a = &attempts{}
		e.open[j.token] = a
	}
	a.n++
	a.last = Crash{Key: k, What: what, When: now(), Cause: endedIn, Unfinished: true}
	j.append(startLine(k, j.token, a.last.When, what), e.ended < wellKnown)
	return &Attempt{journal: j, key: k, what: what}
}

// End notes how the call ended; only the first one counts.
func (a *Attempt) End(o Outcome, cause string) {
	if a == nil {
		return
	}
	a.once.Do(func() {
		j := a.journal
		j.mutex.Lock()
		defer j.mutex.Unlock()
		c := Crash{Key: a.key, What: a.what, When: now(), Cause: cause}
		j.entry(a.key).end(j.token, o, c)
		j.knows = j.knows || o == Lost
		j.append(endLine(a.key, j.token, c.When, o, cause), false)
	})
}

// Lose notes that a backend was lost in a call that was no attempt: a segment
// that had gone well before.
func (j *Journal) Lose(k Key, what, cause string) { j.Begin(k, what).End(Lost, cause) }

func (e *entry) end(token string, o Outcome, c Crash) {
	if a := e.open[token]; a != nil && a.n > 0 {
		a.n--
		if c.What == "" {
			c.What = a.last.What
		}
		if a.n == 0 {
			delete(e.open, token)
		}
	}
	switch o {
	case OK:
		e.ended++
	case Lost:
		if e.lost == nil {
			e.lost = &c
		}
	}
}

// Forget empties the journal and says how many crashes it knew. Everything is
// tried again then.
func (j *Journal) Forget() (int, error) {
	if j == nil {
		return 0, nil
	}
	n := len(j.Crashes())
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if err := j.remove(); err != nil {
		return 0, fmt.Errorf("journal: %w", err)
	}
	j.entries, j.knows, j.skipped, j.err = map[Key]*entry{}, false, 0, nil
	return n, nil
}

// now is the time as the file keeps it.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// problem keeps the first error.
func (j *Journal) problem(err error) {
	if j.err == nil && err != nil {
		j.err = fmt.Errorf("journal: %w; set %s to another file, or to off", err, Variable)
	}
}

var errNoFile = errors.New("it is not a regular file")
