package text

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// pieceType is what a vocabulary entry is for, with SentencePiece's numbers.
type pieceType int

const (
	pieceNormal      pieceType = 1
	pieceUnknown     pieceType = 2
	pieceControl     pieceType = 3
	pieceUserDefined pieceType = 4
	pieceUnused      pieceType = 5
	pieceByte        pieceType = 6
)

// piece is one entry of a SentencePiece vocabulary.
type piece struct {
	text  string
	score float32
	kind  pieceType
}

// spieceModel is what this package uses of a SentencePiece model file, with the
// format's defaults for what the file leaves out.
type spieceModel struct {
	pieces       []piece
	unigram      bool
	byteFallback bool
	// charsMap is the compiled normalization, see charsMap.
	charsMap []byte
	// addDummyPrefix puts a space before the text, removeExtraWhitespaces
	// folds runs of spaces, escapeWhitespaces writes U+2581 for a space.
	addDummyPrefix, removeExtraWhitespaces, escapeWhitespaces bool
	// spaceAsSuffix: not supported, kept to be refused.
	spaceAsSuffix bool
}

// Field numbers of sentencepiece_model.proto.
const (
	fieldPieces, fieldTrainer, fieldNormalizer         = 1, 2, 3
	fieldPiece, fieldScore, fieldType                  = 1, 2, 3
	fieldModelType, fieldSuffix, fieldByteBack         = 3, 24, 35
	fieldCharsMap, fieldDummy, fieldExtra, fieldEscape = 2, 3, 4, 5
)

const modelTypeUnigram = 1

// parseSpiece reads a model file. Its pieces alias nothing of data.
func parseSpiece(data []byte) (*spieceModel, error) {
	m := &spieceModel{unigram: true, addDummyPrefix: true, removeExtraWhitespaces: true, escapeWhitespaces: true}
	err := fields(data, func(field protowire.Number, f value) error {
		switch field {
		case fieldPieces:
			p := piece{kind: pieceNormal}
			err := fields(f.bytes, func(field protowire.Number, f value) error {
				switch field {
				case fieldPiece:
					p.text = string(f.bytes)
				case fieldScore:
					p.score = math.Float32frombits(uint32(f.number))
				case fieldType:
					p.kind = pieceType(f.number)
				}
				return nil
			})
			m.pieces = append(m.pieces, p)
			return err
		case fieldTrainer:
			return fields(f.bytes, func(field protowire.Number, f value) error {
				switch field {
				case fieldModelType:
					m.unigram = f.number == modelTypeUnigram
				case fieldSuffix:
					m.spaceAsSuffix = f.number != 0
				case fieldByteBack:
					m.byteFallback = f.number != 0
				}
				return nil
			})
		case fieldNormalizer:
			return fields(f.bytes, func(field protowire.Number, f value) error {
				switch field {
				case fieldCharsMap:
					m.charsMap = f.bytes
				case fieldDummy:
					m.addDummyPrefix = f.number != 0
				case fieldExtra:
					m.removeExtraWhitespaces = f.number != 0
				case fieldEscape:
					m.escapeWhitespaces = f.number != 0
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	switch {
	case len(m.pieces) == 0:
		return nil, errors.New("it has no vocabulary")
	case !m.unigram:
		return nil, errors.New("its model type is not unigram")
	case m.spaceAsSuffix:
		return nil, errors.New("it treats white space as a suffix, which is not supported")
	}
	return m, nil
}

// value of a protocol buffer field: bytes for length-delimited ones, the bits of
// a number otherwise.
type value struct {
	bytes  []byte
	number uint64
}

// fields calls each for every field of a message.
func fields(data []byte, each func(protowire.Number, value) error) error {
	for len(data) > 0 {
		field, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return protowire.ParseError(n)
		}
		data = data[n:]
		var v value
		switch kind {
		case protowire.VarintType:
			v.number, n = protowire.ConsumeVarint(data)
		case protowire.Fixed32Type:
			var bits uint32
			bits, n = protowire.ConsumeFixed32(data)
			v.number = uint64(bits)
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(data)
		default:
			n = protowire.ConsumeFieldValue(field, kind, data)
		}
		if n < 0 {
			return fmt.Errorf("field %d: %w", field, protowire.ParseError(n))
		}
		data = data[n:]
		if err := each(field, v); err != nil {
			return err
		}
	}
	return nil
}
