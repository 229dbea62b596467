"""The pocket model in PyTorch, eager, in float32: the peer of `make bench`.

Answers each line on standard input with a picture made, and one line: the seconds
it took. Before the first it checks itself against the model's goldens.
Usage: pocket.py DATA THREADS, DATA being models/data/pocket.
"""
import json, math, os, struct, sys, time

import torch
import torch.nn.functional as F

DATA, THREADS = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(THREADS)
TEXT, GRID, STEPS = 24, 8, 10


def tensors(name):
    types = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32, "I32": torch.int32, "U8": torch.uint8}
    with open(os.path.join(DATA, name), "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = bytearray(f.read())
    out = {}
    for key, t in header.items():
        if key != "__metadata__":
            a, b = t["data_offsets"]
            x = torch.frombuffer(data, dtype=types[t["dtype"]], count=math.prod(t["shape"]), offset=a).reshape(t["shape"])
            out[key] = x.float() if x.is_floating_point() else x.long()
    return out


D, T, V = tensors("denoiser.safetensors"), tensors("text_encoder.safetensors"), tensors("vae.safetensors")
stats = json.load(open(os.path.join(DATA, "vae.config.json")))["latent_stats"]
MEAN, STD = (torch.tensor(stats[k])[:, None, None] for k in ("mean", "std"))
# Convolutions are fastest on PyTorch's channels-last layout.
V = {k: v.contiguous(memory_format=torch.channels_last) if v.dim() == 4 else v for k, v in V.items()}


def join(*names):
    return torch.cat([D[n + ".weight"] for n in names]), torch.cat([D[n + ".bias"] for n in names])


doubles = 1 + max(int(k.split(".")[1]) for k in D if k.startswith("transformer_blocks"))
singles = 1 + max(int(k.split(".")[1]) for k in D if k.startswith("single_transformer_blocks"))
QKV = {}
for i in range(doubles):
    a = f"transformer_blocks.{i}.attn."
    QKV[a] = join(a + "to_q", a + "to_k", a + "to_v"), join(a + "add_q_proj", a + "add_k_proj", a + "add_v_proj")
for i in range(singles):
    p = f"single_transformer_blocks.{i}."
    QKV[p] = join(p + "attn.to_q", p + "attn.to_k", p + "attn.to_v", p + "proj_mlp")


def linear(x, w, name):
    return F.linear(x, w[name + ".weight"], w.get(name + ".bias"))


def rms(x, w):
    return F.rms_norm(x, (x.shape[-1],), w, 1e-6)


def buckets():
    p = torch.arange(TEXT)
    r = p[None] - p[:, None]
    n, half, exact = r.abs(), 16, 8
    far = exact + (torch.log(n.float().clamp(min=1) / exact) / math.log(128 / exact) * (half - exact)).long()
    return (r > 0).long() * half + torch.where(n < exact, n, far.clamp(max=half - 1))


BIAS = T["encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"][buckets()].permute(2, 0, 1)[None]


def encode(tokens):
    h = T["shared.weight"][tokens]
    for i in range(2):
        a, f = f"encoder.block.{i}.layer.0.", f"encoder.block.{i}.layer.1."
        n = rms(h, T[a + "layer_norm.weight"])
        q, k, v = (linear(n, T, a + "SelfAttention." + x).view(1, TEXT, 4, 32).transpose(1, 2) for x in "qkv")
        p = F.scaled_dot_product_attention(q, k, v, BIAS, scale=1.0)
        h = h + linear(p.transpose(1, 2).reshape(1, TEXT, 128), T, a + "SelfAttention.o")
        n = rms(h, T[f + "layer_norm.weight"])
        g = F.gelu(linear(n, T, f + "DenseReluDense.wi_0"), approximate="tanh") * linear(n, T, f + "DenseReluDense.wi_1")
        h = h + linear(g, T, f + "DenseReluDense.wo")
    return rms(h, T["encoder.final_layer_norm.weight"])


def rope():
    ids = torch.zeros(TEXT + GRID * GRID, 3)
    ids[TEXT:, 1], ids[TEXT:, 2] = (x.flatten() for x in torch.meshgrid(torch.arange(GRID), torch.arange(GRID), indexing="ij"))
    angles = torch.cat([ids[:, i, None] / 10000 ** (torch.arange(0, d, 2) / d) for i, d in enumerate((8, 28, 28))], -1).repeat_interleave(2, -1)
    return angles.cos()[None, :, None], angles.sin()[None, :, None]


COS, SIN = rope()


def rotate(x):
    a, b = x.unflatten(-1, (-1, 2)).unbind(-1)
    return x * COS + torch.stack((-b, a), -1).flatten(-2) * SIN


def attend(q, k, v):
    q, k, v = rotate(q).transpose(1, 2), rotate(k).transpose(1, 2), v.transpose(1, 2)
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def norm(x):
    return F.layer_norm(x, (192,), eps=1e-6)


def denoise(x, text, t):
    a = t * 1000 * torch.exp(-math.log(10000) * torch.arange(128) / 128)
    e = torch.cat([a.cos(), a.sin()])[None]
    tt = "time_text_embed."
    temb = linear(F.silu(linear(e, D, tt + "timestep_embedder.linear_1")), D, tt + "timestep_embedder.linear_2")
    temb = temb + linear(F.silu(D[tt + "text_embedder.linear_1.bias"])[None], D, tt + "text_embedder.linear_2")
    c = F.silu(temb)
    h, y = linear(x, D, "x_embedder"), linear(text, D, "context_embedder")
    for i in range(doubles):
        p = f"transformer_blocks.{i}."
        m, n = (linear(c, D, p + k)[:, None].chunk(6, -1) for k in ("norm1.linear", "norm1_context.linear"))
        own, other = QKV[p + "attn."]
        q, k, v = F.linear(norm(h) * (1 + m[1]) + m[0], *own).unflatten(-1, (3, 3, 64)).unbind(2)
        q2, k2, v2 = F.linear(norm(y) * (1 + n[1]) + n[0], *other).unflatten(-1, (3, 3, 64)).unbind(2)
        q = torch.cat([rms(q2, D[p + "attn.norm_added_q.weight"]), rms(q, D[p + "attn.norm_q.weight"])], 1)
        k = torch.cat([rms(k2, D[p + "attn.norm_added_k.weight"]), rms(k, D[p + "attn.norm_k.weight"])], 1)
        o = attend(q, k, torch.cat([v2, v], 1))
        h = h + m[2] * linear(o[:, TEXT:], D, p + "attn.to_out.0")
        y = y + n[2] * linear(o[:, :TEXT], D, p + "attn.to_add_out")
        h = h + m[5] * linear(F.gelu(linear(norm(h) * (1 + m[4]) + m[3], D, p + "ff.net.0.proj"), approximate="tanh"), D, p + "ff.net.2")
        y = y + n[5] * linear(F.gelu(linear(norm(y) * (1 + n[4]) + n[3], D, p + "ff_context.net.0.proj"), approximate="tanh"), D, p + "ff_context.net.2")
    z = torch.cat([y, h], 1)
    for i in range(singles):
        p = f"single_transformer_blocks.{i}."
        m = linear(c, D, p + "norm.linear")[:, None].chunk(3, -1)
        u = F.linear(norm(z) * (1 + m[1]) + m[0], *QKV[p])
        q, k, v = u[..., :576].unflatten(-1, (3, 3, 64)).unbind(2)
        o = attend(rms(q, D[p + "attn.norm_q.weight"]), rms(k, D[p + "attn.norm_k.weight"]), v)
        z = z + m[2] * linear(torch.cat([o, F.gelu(u[..., 576:], approximate="tanh")], -1), D, p + "proj_out")
    s, f = linear(c, D, "norm_out.linear")[:, None].chunk(2, -1)
    return linear(norm(z[:, TEXT:]) * (1 + s) + f, D, "proj_out")


def conv(x, name, padding):
    return F.conv2d(x, V[name + ".weight"], V[name + ".bias"], padding=padding)


def channel_norm(x, name):
    return F.silu(F.rms_norm(x.permute(0, 2, 3, 1), (x.shape[1],), V[name + ".weight"], 1e-6)).permute(0, 3, 1, 2)


def decode(z):
    h = conv(z.contiguous(memory_format=torch.channels_last), "decoder.conv_in", 1)
    for block, count, up in ((1, 3, 2), (2, 2, 2), (3, 2, 0)):
        for i in range(count):
            p = f"decoder.block{block}.{i}."
            r = conv(channel_norm(h, p + "norm1"), p + "conv1", 1)
            h = h + conv(channel_norm(r, p + "norm2"), p + "conv2", 1)
        if up:
            h = F.pixel_shuffle(conv(h, f"decoder.up{block}", 0), up).contiguous(memory_format=torch.channels_last)
    return F.pixel_shuffle(conv(channel_norm(h, "decoder.norm_out"), "decoder.conv_out", 1), 4)


def picture(tokens, x):
    text = encode(tokens)
    for i in range(STEPS):
        x = x - denoise(x, text, 1 - i / STEPS) / STEPS
    z = x.view(1, 8, 8, 16, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(1, 16, 16, 16)
    return decode(z * STD + MEAN)


with torch.inference_mode():
    golden = tensors("goldens.safetensors")
    tokens, noise = golden["tokens"][:1], golden["noise"][:1]
    error = (picture(tokens, noise) - golden["image"][:1]).abs().max().item()
    if error > 1e-2:
        sys.exit(f"pocket.py: the picture is {error} off the golden one")
    print(f"ready: PyTorch {torch.__version__}, at most {error:.1e} off the golden picture", flush=True)
    for _ in sys.stdin:
        begin = time.perf_counter()
        image = ((picture(tokens, noise).clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        print(time.perf_counter() - begin, flush=True)
