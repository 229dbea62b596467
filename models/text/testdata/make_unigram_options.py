"""Makes unigram_options.json.gz: small random vocabularies with user-defined and
unused pieces, ties, positive scores and every switch of the normalizer, each with
texts (some not UTF-8, hence base64) and the ids that SentencePiece 0.2.3 gives.

    pip install sentencepiece==0.2.3 protobuf
    python make_unigram_options.py ../../data/pocket/spiece.model
"""
import base64, gzip, json, random, sys
import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as pb

UNKNOWN, CONTROL, NORMAL, USER_DEFINED, UNUSED, BYTE = 2, 3, 1, 4, 5, 6
assert sentencepiece.__version__ == "0.2.3"
base = pb.ModelProto()
base.ParseFromString(open(sys.argv[1], "rb").read())

def vocabulary(r, alphabet, bytes_too):
    pieces = [["<unk>", 0, UNKNOWN], ["<s>", 0, CONTROL], ["</s>", 0, CONTROL]]
    if bytes_too:
        pieces += [["<0x%02X>" % b, 0, BYTE] for b in range(256)]
    score = r.choice([
        lambda: -r.randint(1, 8) / 2,               # many ties
        lambda: -r.choice([.1, .2, .3, .7, 1.1]),   # ties but for rounding
        lambda: r.random() * 6 - 3,
        lambda: 0,
    ])
    seen = set()
    for _ in range(r.randint(5, 100)):
        text = "".join(r.choice(alphabet) for _ in range(r.randint(1, 5)))
        if text in seen:
            continue
        seen.add(text)
        u = r.random()
        pieces.append([text, score(), USER_DEFINED if u < .15 else UNUSED if u < .25 else NORMAL])
    return pieces

def texts(r, alphabet):
    for _ in range(60):
        s = "".join(r.choice(alphabet + "   xyz\u3000Ａ\u200b") for _ in range(r.choice([0, 1, 3, 8, 20]))).encode()
        if r.random() < .2:
            i = r.randint(0, len(s))
            s = s[:i] + bytes(r.choice([0xFF, 0x80, 0xE3, 0xED, 0xF4, 0xC0]) for _ in range(r.randint(1, 3))) + s[i:]
        yield s

cases = []
for seed in range(48):
    r = random.Random(seed)
    alphabet = "abcde▁é語ﷺ" + ("ß😀" if r.random() < .5 else "")
    c = {
        "byte_fallback": r.random() < .5, "add_dummy_prefix": r.random() < .7,
        "remove_extra_whitespaces": r.random() < .7, "escape_whitespaces": r.random() < .8,
        "charsmap": r.random() < .7,
    }
    c["pieces"] = vocabulary(r, alphabet, c["byte_fallback"])
    m = pb.ModelProto()
    m.trainer_spec.CopyFrom(base.trainer_spec)
    m.normalizer_spec.CopyFrom(base.normalizer_spec)
    m.trainer_spec.byte_fallback = c["byte_fallback"]
    for switch in ["add_dummy_prefix", "remove_extra_whitespaces", "escape_whitespaces"]:
        setattr(m.normalizer_spec, switch, c[switch])
    if not c["charsmap"]:
        m.normalizer_spec.precompiled_charsmap = b""
    for text, score, kind in c["pieces"]:
        p = m.pieces.add()
        p.piece, p.score, p.type = text, score, kind
    s = sentencepiece.SentencePieceProcessor()
    s.LoadFromSerializedProto(m.SerializeToString())
    c["texts"] = [base64.b64encode(t).decode() for t in texts(r, alphabet)]
    c["ids"] = [s.EncodeAsIds(base64.b64decode(t)) for t in c["texts"]]
    cases.append(c)
with open("unigram_options.json.gz", "wb") as f, gzip.GzipFile(fileobj=f, mode="wb", mtime=0, filename="") as z:
    z.write(json.dumps(cases, ensure_ascii=False, separators=(",", ":")).encode())
