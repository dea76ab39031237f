#!/usr/bin/env python3
"""Golden numbers that the trainer in Rust must reach too (crates/training/tests).

    python3 golden.py FOLDER            writes a tiny model, a tiny dataset and golden.json
    python3 golden.py FOLDER --print    computes the numbers from the files that are there
"""
import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from llama import IGNORED, Llama, Shape, attend, load
from packed import Dataset, batch_of
from rounding import int4
from safetensors.torch import save_file
from torch_train import evaluate, optimisers_of

SHAPE = Shape(dim=32, layers=2, heads=4, kv_heads=2, hidden=64, vocabulary=272, context=24)
SPECIAL = ["<begin>", "<end>", "<you>", "<wisp>"] + [f"<gap:{i}>" for i in range(5)]
ROUNDED = [f"model.layers.0.mlp.{part}_proj.weight" for part in ("gate", "down")]  # half a group wide, and one
MERGES = ["h e", "l l", "he ll", "hell o", "o k", "Ġ t", "Ġt he"]


def tokenizer():
    """Byte-level BPE: special tokens, the 256 bytes in GPT-2's spelling, a few merges."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spelling = {byte: chr(byte) for byte in plain}
    for byte in range(256):
        spelling.setdefault(byte, chr(256 + len(spelling) - len(plain)))
    words = SPECIAL + sorted(spelling.values()) + [merge.replace(" ", "") for merge in MERGES]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {"version": "1.0", "truncation": None, "padding": None, "normalizer": None, "post_processor": None,
            "added_tokens": [{"id": i, "content": word} | flags for i, word in enumerate(SPECIAL)],
            "pre_tokenizer": level, "decoder": level,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                      "vocab": {word: i for i, word in enumerate(words)}, "merges": MERGES}}


def write(folder):
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    model = Llama(SHAPE)
    with torch.no_grad():
        for weight in model.parameters():  # far from where training begins, so that every part matters
            weight.add_(torch.randn_like(weight) * (0.3 if weight.dim() == 1 else 0.1))
    weights = {name: weight.bfloat16().contiguous() for name, weight in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors")
    tensors = {}
    for split, source, lengths in (("train", "chats", [25, 13, 7, 2]), ("train", "stories", [25, 20, 25]),
                                   ("valid", "chats", [25, 9, 16])):
        begins = torch.randint(0, 40, (len(lengths), 1))
        rows = 9 + (begins + torch.arange(SHAPE.context + 1)) % 40  # the next token can be learnt
        rows[:, 0] = 0
        lengths = torch.tensor(lengths)
        rows[torch.arange(SHAPE.context + 1) >= lengths[:, None]] = 0
        tensors[f"{split}.{source}"] = rows.to(torch.uint16)
        tensors[f"{split}.{source}.lengths"] = lengths.to(torch.uint16)
    save_file(tensors, folder / "dataset.safetensors")
    tokens = {"begin": 0, "end": 1, "you": 2, "wisp": 3, "gaps": [4, 5, 6, 7, 8]}
    about = {"context": SHAPE.context, "vocabulary": SHAPE.vocabulary, "persona": "Golden", "special_tokens": tokens,
             "sources": [{"name": "chats", "weight": 1.0}, {"name": "stories", "weight": 0.5}]}
    for name, value in (("config.json", SHAPE.config()), ("dataset.json", about), ("tokenizer.json", tokenizer())):
        (folder / name).write_text(json.dumps(value, indent=1) + "\n")
    for file in folder.iterdir():
        file.chmod(0o644)
    (folder / "golden.json").write_text(json.dumps(numbers(folder), indent=1) + "\n")


def check_attention():
    """What compiled code on a processor uses is PyTorch's attention, in one block and in several."""
    q, k, v = torch.randn(3, 2, 4, 24, 8)
    theirs = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    for block in (7, 64):
        torch.testing.assert_close(attend(q, k, v, block), theirs)


def numbers(folder):
    check_attention()
    model, data = load(folder, "cpu"), Dataset(folder, "cpu")
    inputs, targets = batch_of(data.rows, data.lengths)
    counted = (targets != IGNORED).sum()
    found = {"made_with": f"PyTorch {torch.__version__}, CPU, f32",
             "rows": [model(x[None], y[None])[1].item() for x, y in zip(inputs, targets)],
             "logits": model(inputs[:1])[0, -1].tolist(),
             "bits_per_byte": evaluate(model, data)[1],
             "int4": {name: int4(model.get_parameter(name))[0][:4].tolist() for name in ROUNDED}}
    # Three steps on all rows, with what decides the rest of a run: clipping, decay, the optimiser.
    (optimiser,), found["losses"], found["lengths"] = optimisers_of(model, "adamw", decay=0.1), [], []
    for step in range(3):
        optimiser.zero_grad()
        (model(inputs, targets)[0] / counted).backward()
        if step == 0:
            found["gradients"] = {name: w.grad.norm().item() for name, w in model.named_parameters()}
        length = torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        for group in optimiser.param_groups:
            group["lr"] = 0.01
        optimiser.step()
        found["lengths"].append(length.item())
        found["losses"].append((model(inputs, targets)[1] / counted).item())
    return found


if __name__ == "__main__":
    if sys.argv[2:] == ["--print"]:
        print(json.dumps(numbers(Path(sys.argv[1]))))
    else:
        write(Path(sys.argv[1]))
