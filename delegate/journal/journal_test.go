package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nanoflux/delegate/delegatetest"
	"nanoflux/graph"
)

// key is the n-th key.
func key(n int) Key { return Key(fmt.Sprintf("%0*x", keyDigits, n)) }

// left is what a device is known to have left.
func left(j *Journal, k Key) []int {
	if a := j.Answer(k); a != nil {
		return a.Left
	}
	return nil
}

func file(t *testing.T) string { return filepath.Join(t.TempDir(), "folder", "journal") }

func TestALossIsKnownAtTheNextStart(t *testing.T) {
	path := file(t)
	j := Open(path)
	if j.Crashed(key(1)) != nil {
		t.Error("a crash without a file")
	}
	j.Begin(key(1), "nnapi: a segment").End(Lost, "killed by\nSIGSEGV")
	j.Begin(key(2), "nnapi: another").End(OK, "")
	j.Begin(key(3), "nnapi: a third").End(Failed, "out of memory")
	for name, j := range map[string]*Journal{"the same process": j, "the next": Open(path)} {
		c := j.Crashed(key(1))
		if c == nil || c.Cause != "killed by\nSIGSEGV" || c.What != "nnapi: a segment" || c.When.IsZero() {
			t.Errorf("%s: %+v", name, c)
		}
		if j.Crashed(key(2)) != nil || j.Crashed(key(3)) != nil || j.Crashed(key(4)) != nil {
			t.Errorf("%s: what was not lost is", name)
		}
		if list := j.Crashes(); len(list) != 1 || list[0].Key != key(1) {
			t.Errorf("%s: crashes %+v", name, list)
		}
		if j.Err() != nil || j.Skipped() != 0 {
			t.Errorf("%s: %v, %d lines skipped", name, j.Err(), j.Skipped())
		}
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Count(string(text), "\n") != 6 {
		t.Errorf("%q, %v", text, err)
	}
}

// dead is the token of a process that is gone.
func dead(t *testing.T) string {
	t.Helper()
	self := append(delegatetest.Self(t), "-test.run=^$")
	cmd := exec.Command(self[0], self[1:]...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	token := fmt.Sprint(cmd.Process.Pid)
	if started := startOf(cmd.Process.Pid); started != "" {
		token += "@" + started
	}
	if !alive(token) {
		t.Error("a running process is not alive")
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return token
}

func TestAStartWithoutEndOfADeadProcessIsACrash(t *testing.T) {
	gone := dead(t)
	start := func(token string) string { return startLine(key(1), token, now(), "x") }
	end := func(token string, o Outcome) string { return endLine(key(1), token, now(), o, "") }
	for _, test := range []struct {
		name, text string
		crashed    bool
		skipped    int
	}{
		{"it did not end", start(gone), true, 0},
		{"it ended well", start(gone) + end(gone, OK), false, 0},
		{"the second of two did not end", start(gone) + start(gone) + end(gone, OK), true, 0},
		{"this process is still at it", start(ownToken()), false, 0},
		{"another process ended well", start(gone) + start("0") + end("0", OK), true, 0},
		{"a process of the same number is alive", start(fmt.Sprintf("%d@1", os.Getpid())), startOf(os.Getpid()) != "", 0},
		{"the last line was cut", start(gone) + end(gone, OK) + start(gone)[:30], false, 0},
		{"the line's end was cut", start(gone) + end(gone, OK) + strings.TrimSuffix(start(gone), "\n"), false, 0},
		{"garbage before it", "\x00\xff garbage\n\nSTART\nEND a b c\n" + start(gone), true, 3},
		{"a line that is too long before it", "START " + strings.Repeat("x", maxLine) + "\n" + start(gone), true, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal")
			if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			j := Open(path)
			if c := j.Crashed(key(1)); (c != nil) != test.crashed {
				t.Errorf("crash %+v", c)
			}
			if j.Skipped() != test.skipped {
				t.Errorf("%d lines skipped, not %d", j.Skipped(), test.skipped)
			}
			// What is written after a cut line is not lost with it.
			j.Begin(key(2), "y").End(Lost, "z")
			if Open(path).Crashed(key(2)) == nil {
				t.Error("what was added is lost")
			}
		})
	}
}

func TestWhatADelegateLeftIsKnownAtTheNextStart(t *testing.T) {
	path := file(t)
	ops := []int{9, 3, 4, 5, 12, 13, 9}
	Open(path).SetAnswer(key(1), Answer{Left: ops})
	if got := left(Open(path), key(1)); !slices.Equal(got, []int{3, 4, 5, 9, 12, 13}) {
		t.Errorf("got %v", got)
	}
	Open(path).SetAnswer(key(1), Answer{Left: []int{7}})
	if got := left(Open(path), key(1)); !slices.Equal(got, []int{7}) {
		t.Errorf("the newer answer is %v", got)
	}
	if got := left(Open(path), key(2)); got != nil {
		t.Errorf("of another segment %v", got)
	}
}

func TestForgottenIsTriedAgain(t *testing.T) {
	path := file(t)
	j := Open(path)
	if n, err := j.Forget(); n != 0 || err != nil {
		t.Errorf("without a file: %d, %v", n, err)
	}
	j.Begin(key(1), "x").End(Lost, "y")
	j.SetAnswer(key(2), Answer{Left: []int{1}})
	if n, err := Open(path).Forget(); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if j := Open(path); j.Crashed(key(1)) != nil || j.Answer(key(2)) != nil {
		t.Error("it still knows")
	}
}

func TestAFileThatCannotBeUsedKeepsNothingFromRunning(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(plain, "journal")} {
		j := Open(path)
		a := j.Begin(key(1), "x")
		a.End(OK, "")
		if j.Crashed(key(1)) != nil || j.Err() == nil || !strings.Contains(j.Err().Error(), Variable) {
			t.Errorf("%s: %v", path, j.Err())
		}
	}
	if err := Open(dir).Err(); err != nil {
		t.Errorf("before it is used: %v", err)
	}
}

func TestNoJournalRemembersNothing(t *testing.T) {
	var j *Journal
	j.Begin(key(1), "x").End(Lost, "y")
	j.Lose(key(1), "x", "y")
	j.SetAnswer(key(1), Answer{Left: []int{1}})
	n, err := j.Forget()
	if j.Crashed(key(1)) != nil || j.Crashes() != nil || j.Answer(key(1)) != nil || j.Err() != nil || j.Path() != "" || j.Skipped() != 0 || n != 0 || err != nil {
		t.Error("it remembers")
	}
}

func TestTheVariableSaysWhereItIs(t *testing.T) {
	for _, off := range []string{"", "-", "off"} {
		t.Setenv(Variable, off)
		if j, err := Default(); j != nil || err != nil {
			t.Errorf("%q: %v, %v", off, j.Path(), err)
		}
	}
	t.Setenv(Variable, "some/file")
	if j, err := Default(); j.Path() != "some/file" || err != nil {
		t.Errorf("%q, %v", j.Path(), err)
	}
}

func TestALargeFileIsWrittenAnewWithWhatMatters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	gone, own := dead(t), ownToken()
	var text strings.Builder
	text.WriteString(startLine(key(1), gone, now(), "crashed"))
	text.WriteString(startLine(key(2), gone, now(), "lost") + endLine(key(2), gone, now(), Lost, "killed"))
	text.WriteString(answerLine(key(3), Answer{Left: []int{1, 2}}))
	text.WriteString(startLine(key(4), own, now(), "running"))
	for i := 0; text.Len() <= maxSize; i++ {
		text.WriteString(startLine(key(100+i), gone, now(), "good") + endLine(key(100+i), gone, now(), OK, ""))
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // as it was, and as it was written
		j := Open(path)
		if c := j.Crashed(key(1)); c == nil || c.What != "crashed" {
			t.Errorf("crashed: %+v", c)
		}
		if c := j.Crashed(key(2)); c == nil || c.What != "lost" || c.Cause != "killed" {
			t.Errorf("lost: %+v", c)
		}
		if got := left(j, key(3)); !slices.Equal(got, []int{1, 2}) {
			t.Errorf("left %v", got)
		}
		if c := j.Crashed(key(4)); c != nil {
			t.Errorf("running: %+v", c)
		}
		if j.Err() != nil || j.Skipped() != 0 {
			t.Errorf("%v, %d skipped", j.Err(), j.Skipped())
		}
		if info, err := os.Stat(path); err != nil || info.Size() > 1000 {
			t.Errorf("%v, %v", info, err)
		}
	}
	if left, err := filepath.Glob(path + ".*"); err != nil || len(left) != 1 { // the lock
		t.Errorf("%v, %v", left, err)
	}
}

func TestManyCrashesAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	var text strings.Builder
	for i := 0; text.Len() < 3*maxSize; i++ {
		text.WriteString(startLine(key(i), "0", now(), strings.Repeat("what ", 50)))
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = Open(path).Crashes()
	if info, err := os.Stat(path); err != nil || info.Size() > maxSize/2 || info.Size() < maxSize/4 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestManyProcessesMayWriteAtOnce(t *testing.T) {
	path := file(t)
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Go(func() {
			j := Open(path) // as another process has it
			for i := range 25 {
				j.SetAnswer(key(g*100+i), Answer{Left: []int{g, g + i + 1}})
			}
		})
	}
	wait.Wait()
	j := Open(path)
	for g := range 8 {
		for i := range 25 {
			if got := left(j, key(g*100+i)); !slices.Equal(got, []int{g, g + i + 1}) {
				t.Fatalf("segment %d: %v", g*100+i, got)
			}
		}
	}
	if j.Skipped() != 0 {
		t.Errorf("%d lines skipped", j.Skipped())
	}
}

func TestManyGoroutinesMayUseOne(t *testing.T) {
	j := Open(file(t))
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Go(func() {
			for range 5 {
				a := j.Begin(key(g%3), "x")
				_ = j.Crashed(key(g % 3))
				_ = j.Crashes()
				a.End(OK, "")
			}
		})
	}
	wait.Wait()
	if list := j.Crashes(); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

func TestPipesAreNotOpened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := exec.Command("mkfifo", path).Run(); err != nil {
		t.Skip("no mkfifo here")
	}
	j := Open(path)
	if j.Crashed(key(1)) != nil || j.Err() == nil {
		t.Errorf("got %v", j.Err())
	}
	j.Begin(key(1), "x").End(OK, "")
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		t.Error("it is gone")
	}
}

func TestTheKeyIsOfWhatIsCompiledWhereAndHow(t *testing.T) {
	library := filepath.Join(t.TempDir(), "lib.so")
	if err := os.WriteFile(library, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	model := func(n int, value byte) *graph.Model {
		b := graph.NewBuilder("m")
		x := b.Input("x", graph.Float32, n)
		w := graph.NewArray(graph.Float32, n)
		w.Data[1] = value
		b.Output("y", b.Add(x, b.Const("w", w)))
		m, err := b.Model()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	base := Backend{Kind: "nnapi", Options: map[string]any{"fp16": true, "preference": "low_power"}}
	base.Device.Library = library
	same := KeyOf(model(4, 1), base.Identity())
	if !same.valid() {
		t.Fatalf("key %q", same)
	}
	for range 20 { // maps have no order
		if k := KeyOf(model(4, 1), base.Identity()); k != same {
			t.Fatal("not the same twice")
		}
	}
	renamed := model(4, 1)
	renamed.Name = "another place"
	if KeyOf(renamed, base.Identity()) != same {
		t.Error("the name counts")
	}
	if KeyOf(model(5, 1), base.Identity()) == same || KeyOf(model(4, 2), base.Identity()) == same {
		t.Error("another model has the same key")
	}
	if KeyOf(model(2000, 1), base.Identity()) != KeyOf(model(2000, 2), base.Identity()) || KeyOf(model(2000, 1), base.Identity()) == KeyOf(model(2001, 1), base.Identity()) {
		t.Error("large constants must count by their size")
	}
	for name, change := range map[string]func(*Backend){
		"kind":     func(b *Backend) { b.Kind = "qnn" },
		"options":  func(b *Backend) { b.Options = map[string]any{"fp16": false, "preference": "low_power"} },
		"version":  func(b *Backend) { b.Device.Version = "2" },
		"deadline": func(b *Backend) { b.Deadline = time.Minute },
		"library":  func(b *Backend) { b.Device.Library = "libother.so" },
	} {
		b := base
		change(&b)
		if KeyOf(model(4, 1), b.Identity()) == same {
			t.Errorf("another %s has the same key", name)
		}
	}
	if err := os.WriteFile(library, []byte("22"), 0o600); err != nil {
		t.Fatal(err)
	}
	if KeyOf(model(4, 1), base.Identity()) == same {
		t.Error("another library has the same key")
	}
}

// What a library is told in a file counts by what is in it; what it writes does
// not count at all.
func TestTheKeySeesFilesThatOptionsName(t *testing.T) {
	rules, log := filepath.Join(t.TempDir(), "rules"), filepath.Join(t.TempDir(), "log")
	b := Backend{Kind: "external", Options: map[string]any{"rules": rules, "log": log, "level": 3}}
	write := func(path, text string) string {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return b.Identity()
	}
	same := write(rules, "ADD\n")
	if write(log, "takes 1 of 1") != same {
		t.Error("a file that the library writes counts")
	}
	if write(rules, "MUL\n") == same {
		t.Error("other rules are not seen")
	}
	if write(rules, "ADD\n") != same {
		t.Error("the time of a small file counts")
	}
}

func TestWhatHasNoKeyIsNotRemembered(t *testing.T) {
	path := file(t)
	j := Open(path)
	j.Begin("", "x").End(Lost, "y")
	j.Lose("", "x", "y")
	j.SetAnswer("", Answer{Left: []int{1}})
	if j.Crashed("") != nil || j.Answer("") != nil || j.Knows() || len(j.Crashes()) > 0 {
		t.Error("it is remembered")
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file was made: %v", err)
	}
}

func TestAnswersAreKnownAtTheNextStart(t *testing.T) {
	path := file(t)
	for _, a := range []Answer{{Left: []int{0}, Reason: "no \"SOFTMAX\"\nof rank 5"}, {Taken: true}, {Left: []int{0}}, {Left: []int{0, 2}, Reason: strings.Repeat("ä", maxText)}} {
		j := Open(path)
		j.SetAnswer(key(1), a)
		j.SetAnswer(key(1), a) // is not written twice
		got := Open(path).Answer(key(1))
		if got == nil || !reflect.DeepEqual(got, j.Answer(key(1))) || got.Taken != a.Taken || !slices.Equal(got.Left, a.Left) || !strings.HasPrefix(a.Reason, strings.TrimSuffix(got.Reason, "…")) {
			t.Errorf("%+v is remembered as %+v", a, got)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Count(string(text), "\n") != 4 || Open(path).Skipped() != 0 {
		t.Errorf("%v: %q", err, text)
	}
	if !Open(path).Knows() || Open(file(t)).Knows() {
		t.Error("Knows is wrong")
	}
	if _, err := Open(path).Forget(); err != nil || Open(path).Knows() {
		t.Errorf("not forgotten: %v", err)
	}
	if left, err := filepath.Glob(path + "*"); err != nil || len(left) > 0 {
		t.Errorf("files stay: %v, %v", left, err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(startLine(key(1), "0", now(), "x \"y\"\n") + endLine(key(1), "0", now(), Lost, "killed") + answerLine(key(2), Answer{Left: []int{1, 2, 3, 9}, Reason: "no\nroom"}) + answerLine(key(3), Answer{Taken: true}))
	f.Add(startLine(key(1), "12@34", now(), "x")[:20])
	f.Add("LEFT " + string(key(1)) + " 0-99999999999\n")
	f.Fuzz(func(t *testing.T, text string) {
		j := &Journal{entries: map[Key]*entry{}}
		j.parse([]byte(text))
		again := &Journal{entries: map[Key]*entry{}}
		again.parse([]byte(j.essence()))
		if again.skipped > 0 {
			t.Fatalf("%d lines of our own are not understood", again.skipped)
		}
		for k, e := range j.entries {
			if !k.valid() {
				t.Fatalf("key %q", k)
			}
			a := again.entries[k]
			if a == nil {
				a = &entry{}
			}
			if (e.lost != nil) != (a.lost != nil) || !reflect.DeepEqual(e.answer, a.answer) {
				t.Fatalf("%+v comes back as %+v", e, a)
			}
		}
	})
}
