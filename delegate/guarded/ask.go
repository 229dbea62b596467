package guarded

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nanoflux/delegate"
	"nanoflux/delegate/journal"
	"nanoflux/graph"
)

// ErrNoAsker: there is nothing to ask this backend with.
var ErrNoAsker = errors.New("it cannot be asked")

// Verdict is what a device says of an operator.
type Verdict struct {
	// Taken: it takes it. Otherwise Reason is the device's word for it, which may
	// be empty, or Lost says how the question took the device down.
	Taken  bool
	Reason string
	Lost   string
	// Known: it was not asked, the answer was known.
	Known bool
}

// Refusal is why the operator does not go to the device; nil when it does.
func (v Verdict) Refusal() *delegate.Refusal {
	switch {
	case v.Taken:
		return nil
	case v.Lost != "":
		return delegate.Refuse(delegate.ReasonLost, "asking about it took the backend down: %s; %s", v.Lost, retry)
	case v.Reason != "":
		return delegate.Refuse(delegate.ReasonDevice, "asked, it says: %s", v.Reason)
	}
	return delegate.Refuse(delegate.ReasonDevice, "asked, it left it")
}

// Supports implements delegate.Backend. What the device has answered about an
// operator overrides the table, both ways.
func (b *Backend) Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	var v *Verdict
	if b.journal.Knows() {
		if keys, err := b.operatorKeys(m, sub, op); err == nil { // without keys nothing is known
			v = b.verdict(keys)
		}
	}
	if v == nil {
		return b.Backend.Supports(m, sub, op)
	}
	if r := v.Refusal(); r != nil || b.options.Reads == nil {
		return r
	}
	return b.options.Reads(m, sub, op)
}

// Table is what the backend says without the device's answers.
func (b *Backend) Table(m *graph.Model, sub, op int) *delegate.Refusal {
	return b.Backend.Supports(m, sub, op)
}

// Askable says why the device cannot be asked about an operator, or nil.
func (b *Backend) Askable(m *graph.Model, sub, op int) *delegate.Refusal {
	for _, check := range []func(*graph.Model, int, int) *delegate.Refusal{b.options.Reads, b.options.Alone} {
		if check != nil {
			if r := check(m, sub, op); r != nil {
				return r
			}
		}
	}
	return nil
}

// operatorKeys are an operator's: of attempts and of answers.
type operatorKeys struct{ attempt, answer journal.Key }

// operatorKeys are empty before Probe found something.
func (b *Backend) operatorKeys(m *graph.Model, sub, op int) (keys operatorKeys, err error) {
	attempts, answers := b.identities()
	if attempts == "" {
		return keys, nil
	}
	signature, err := b.Signature(m, sub, op)
	if err != nil {
		return keys, err
	}
	return operatorKeys{journal.OperatorKey(signature, attempts), journal.OperatorKey(signature, answers)}, nil
}

// verdict is what the device is known to say; nil when nothing is.
func (b *Backend) verdict(keys operatorKeys) *Verdict {
	if a := b.journal.Answer(keys.answer); a != nil {
		return &Verdict{Taken: a.Taken, Reason: a.Reason, Known: true}
	}
	if crash := b.journal.Crashed(keys.attempt); crash != nil && !(crash.Unfinished && b.asksElsewhere()) {
		return &Verdict{Lost: crash.String(), Known: true}
	}
	return nil
}

// asksElsewhere: questions are put in another process.
func (b *Backend) asksElsewhere() bool {
	r, ok := b.options.Asker.(interface{ Elsewhere() bool })
	return ok && r.Elsewhere()
}

// Ask asks the device about an operator, unless the answer is known, and
// remembers what it says. An error is no answer: ErrNoAsker, that the operator
// cannot stand alone, or that there is no device.
func (b *Backend) Ask(ctx context.Context, m *graph.Model, sub, op int) (Verdict, error) {
	if b.options.Asker == nil {
		return Verdict{}, fmt.Errorf("%s: %w", b.options.Kind, ErrNoAsker)
	}
	if _, err := b.Probe(ctx); err != nil {
		return Verdict{}, err
	}
	keys, err := b.operatorKeys(m, sub, op)
	if err != nil {
		return Verdict{}, err
	}
	if v := b.verdict(keys); v != nil {
		return *v, nil
	}
	segment, err := delegate.Operator(m, sub, op)
	if err != nil {
		return Verdict{}, err
	}
	what := fmt.Sprintf("%s, asked about %s", b.options.Kind, segment.Name)
	var attempt *journal.Attempt
	if !b.asksElsewhere() {
		attempt = b.journal.Begin(keys.attempt, what)
	}
	taken, reason, err := b.options.Asker.Ask(ctx, segment)
	switch {
	case err == nil:
		attempt.End(journal.OK, "")
	case !errors.Is(err, delegate.ErrLost):
		attempt.End(journal.Failed, err.Error())
		return Verdict{}, err
	default:
		attempt.End(journal.Lost, causeOf(err))
		if attempt == nil {
			b.journal.Lose(keys.attempt, what, causeOf(err))
		}
		return Verdict{Lost: causeOf(err)}, nil
	}
	if !taken {
		b.journal.SetAnswer(keys.answer, journal.Answer{Left: []int{0}, Reason: reason})
		return Verdict{Reason: reason}, nil
	}
	b.journal.SetAnswer(keys.answer, journal.Answer{Taken: true})
	// It takes the operator with what makes its constant inputs.
	for _, k := range delegate.ConstantInputs(m, sub, op) {
		if keys, err := b.operatorKeys(m, sub, k); err == nil && b.verdict(keys) == nil {
			b.journal.SetAnswer(keys.answer, journal.Answer{Taken: true})
		}
	}
	return Verdict{Taken: true}, nil
}

// These bound for how long a plan asks: one that has asked that long, or has had
// so many questions take the device down, goes by the table for the rest.
const (
	maxAsking = 3 * time.Minute
	maxLost   = 3
)

// First says whether plans ask the device about what is not known.
func (b *Backend) First() bool { return b.options.First && b.options.Asker != nil }

// Answered says whether the device's own answer about an operator is known. If not,
// why is a clause that says why it was not asked, empty where it may be.
func (b *Backend) Answered(m *graph.Model, sub, op int) (known bool, why string) {
	keys, err := b.operatorKeys(m, sub, op)
	switch {
	case err != nil:
		return false, err.Error()
	case keys.answer == "":
		return false, "there is no device"
	case b.verdict(keys) != nil:
		return true, ""
	}
	if r := b.Askable(m, sub, op); r != nil {
		return false, r.Detail
	}
	signature, _ := b.Signature(m, sub, op) // operatorKeys had it
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if why := b.unanswered[signature]; why != "" {
		return false, why
	}
	return false, b.silent
}

// AskFirst asks about operators, of each form once, and remembers what is said.
// What stays unanswered is no error: the table goes on answering, and Answered says
// why. The error is the context's.
func (b *Backend) AskFirst(ctx context.Context, m *graph.Model, sub int, ops []int) error {
	begin := time.Now()
	a := Asking{Kind: b.options.Kind, Model: m.Name, Of: len(ops)}
	b.mutex.Lock()
	if b.found != nil {
		a.Device = b.found.Description
	}
	b.mutex.Unlock()
	tell := func() {
		if a.Took = time.Since(begin); b.options.Asking != nil {
			b.options.Asking(a)
		}
	}
	hushed := func(why string) {
		b.mutex.Lock()
		defer b.mutex.Unlock()
		b.silent = why
	}
	tell()
	lost := 0
	for _, op := range ops {
		if time.Since(begin) > maxAsking {
			hushed(fmt.Sprintf("asking took longer than %v; nanoflux plan --ask goes on", maxAsking))
			break
		}
		v, err := b.Ask(ctx, m, sub, op)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrNoAsker), errors.Is(err, delegate.ErrUnavailable):
			hushed(delegate.WhyUnavailable(err))
		case err != nil:
			signature, _ := b.Signature(m, sub, op)
			b.mutex.Lock()
			if b.unanswered == nil {
				b.unanswered = map[string]string{}
			}
			b.unanswered[signature] = err.Error()
			b.mutex.Unlock()
		case v.Lost != "" && !v.Known:
			if lost++; lost == maxLost {
				hushed(fmt.Sprintf("%d questions took the device down", lost))
			}
		}
		if b.isSilent() {
			break
		}
		a.Asked++
		tell()
	}
	return nil
}

func (b *Backend) isSilent() bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.silent != ""
}

// signatures are of models that were asked about, as a plan asks about every
// operator again in each round.
type signatures map[signed][]operatorSignature

type signed struct {
	m   *graph.Model
	sub int
}

type operatorSignature struct {
	text string
	err  error
}

// maxSigned bounds how many models are remembered.
const maxSigned = 8

// Signature is delegate.Signature of an operator alone.
func (b *Backend) Signature(m *graph.Model, sub, op int) (string, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	at := signed{m, sub}
	list := b.signatures[at]
	if list == nil {
		if len(b.signatures) >= maxSigned || b.signatures == nil {
			b.signatures = signatures{}
		}
		list = make([]operatorSignature, len(m.Subgraphs[sub].Ops))
		b.signatures[at] = list
	}
	s := &list[op]
	if s.text == "" && s.err == nil {
		var segment *graph.Model
		if segment, s.err = delegate.Operator(m, sub, op); s.err == nil {
			s.text, s.err = delegate.Signature(segment)
		}
	}
	return s.text, s.err
}
