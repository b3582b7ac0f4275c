#!/usr/bin/env python3
"""The model of tamis-train against a second one, in NumPy with doubles, on the exported weights: the loss of every token.

The second model is written from the definition of LLaMA as transformers' LlamaForCausalLM computes it and reads only what
`--export-hf` wrote (through the safetensors package), so it checks names, shapes, layouts and arithmetic at once. Grouped queries, an
odd inner width and a context beyond one attention block are among the shapes.

usage: train_numpy.py BUILD_DIR
"""

import json
import os
import random
import subprocess
import sys
import tempfile

try:
    import numpy as np
    from safetensors.numpy import load_file
except ImportError as why:
    print("skipped: %s; tests/requirements-train.txt names what is needed" % why)
    sys.exit(77)

SHAPES = [
    dict(layers=2, d_model=64, heads=4, kv_heads=2, head_dim=16, ffn=88, context=96),
    dict(layers=3, d_model=48, heads=3, kv_heads=3, head_dim=32, ffn=129, context=70),
]
TOLERANCE = 2e-5  # fp32 against doubles: a few hundred roundings of 2^-24 on losses near 6


def run(*argv):
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("%s: status %d\n%s" % (" ".join(argv), done.returncode, done.stderr))
    return done.stdout


def make_tokens(tamis, root):
    """A tokens directory of made-up words, by the suite's own stages."""
    rnd = random.Random(5)
    words = ["".join(chr(rnd.randint(97, 122)) for _ in range(rnd.randint(2, 7))) for _ in range(300)]
    docs = os.path.join(root, "docs.jsonl")
    with open(docs, "w", encoding="utf-8") as f:
        for i in range(200):
            text = " ".join(words[min(int(rnd.paretovariate(0.7)) - 1, 299)] for _ in range(rnd.randint(50, 300)))
            f.write(json.dumps({"id": "d%d" % i, "text": text}) + "\n")
    tokenizer, tokens = os.path.join(root, "tokenizer.json"), os.path.join(root, "tokens")
    dataset = os.path.join(root, "docs")
    run(tamis, "ingest", "-q", "-o", dataset, docs)
    run(tamis, "bpe", "-q", "--vocab-size", "500", "-o", tokenizer, dataset)
    run(tamis, "tokenize", "-q", "-t", tokenizer, "-o", tokens, dataset)
    return tokens


def norm(x, w, eps):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * w


def rotate(x, theta):
    """Half-split rotary positions; x is [positions, heads, head_dim]."""
    half = x.shape[-1] // 2
    angle = np.arange(x.shape[0])[:, None] * theta ** (-np.arange(half) / half)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)


def attention(q, k, v):
    """[positions, heads, head_dim] each; causal."""
    k, v = (np.repeat(x, q.shape[1] // x.shape[1], axis=1) for x in (k, v))
    score = np.einsum("ihd,jhd->hij", q, k) / np.sqrt(q.shape[-1])
    score = np.where(np.tril(np.ones(score.shape[1:], bool)), score, -np.inf)
    p = np.exp(score - score.max(-1, keepdims=True))
    return np.einsum("hij,jhd->ihd", p / p.sum(-1, keepdims=True), v)


def losses(w, c, ids):
    eps, theta, n, hd = c["rms_norm_eps"], c["rope_theta"], len(ids), c["head_dim"]
    x = w["model.embed_tokens.weight"][ids]
    for layer in range(c["num_hidden_layers"]):
        at = "model.layers.%d." % layer
        h = norm(x, w[at + "input_layernorm.weight"], eps)
        q, k, v = ((h @ w[at + "self_attn.%s_proj.weight" % s].T).reshape(n, -1, hd) for s in "qkv")
        x = x + attention(rotate(q, theta), rotate(k, theta), v).reshape(n, -1) @ w[at + "self_attn.o_proj.weight"].T
        h = norm(x, w[at + "post_attention_layernorm.weight"], eps)
        gate, up = h @ w[at + "mlp.gate_proj.weight"].T, h @ w[at + "mlp.up_proj.weight"].T
        x = x + (gate / (1 + np.exp(-gate)) * up) @ w[at + "mlp.down_proj.weight"].T
    logits = (norm(x, w["model.norm.weight"], eps) @ w["lm_head.weight"].T)[:-1]
    top = logits.max(-1)
    return top + np.log(np.exp(logits - top[:, None]).sum(-1)) - logits[np.arange(n - 1), ids[1:]]


def compare(train, tokens, root, shape):
    ckpt, hf = tempfile.mkdtemp(dir=root), tempfile.mkdtemp(dir=root)
    keys = [a for k, v in shape.items() for a in ("--set", "%s=%d" % (k, v))]
    run(train, "-q", "-c", "tiny", "-o", ckpt, "--steps", "12", "--set", "lr=3e-3", "--set", "batch=4", "--set", "micro_batch=2", *keys, tokens)
    run(train, "--export-hf", ckpt, hf)
    weights = {k: v.astype(np.float64) for k, v in load_file(os.path.join(hf, "model.safetensors")).items()}
    with open(os.path.join(hf, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    rnd, worst = random.Random(7), 0.0
    for length in (2, 33, shape["context"]):
        ids = [rnd.randrange(400) for _ in range(length)]
        ours = np.array(run(train, "--score", ckpt, "--prompt-ids", ",".join(map(str, ids))).split(), float)
        worst = max(worst, float(np.abs(ours - losses(weights, config, ids)).max()))
    print("%d layers, d %d, %d/%d heads: largest difference of a loss %.2g" % (shape["layers"], shape["d_model"], shape["heads"], shape["kv_heads"], worst))
    return worst


def main():
    build = sys.argv[1]
    with tempfile.TemporaryDirectory() as root:
        tokens = make_tokens(os.path.join(build, "tamis"), root)
        worst = max(compare(os.path.join(build, "tamis-train"), tokens, root, shape) for shape in SHAPES)
    if not worst <= TOLERANCE:
        sys.exit("FAILED: %.3g is above %g" % (worst, TOLERANCE))
    print("ok")


main()
