#!/usr/bin/env python3
"""Makes a small model wide and deep without changing what it says, to go on training from there.

    python3 grow.py model-3M -o grown --layers 8

Every neuron is there twice: the residual stream, the heads, the hidden units. Whoever reads from both of
a pair takes a part of each, and the parts add up to what was read before; they differ from place to place,
so that the twins learn different things (Chen, Goodfellow, Shlens: Net2Net, 2016; for transformers Chen et
al.: bert2BERT, 2021). A new layer is the copy of one, whose outputs are nothing yet.
"""
import argparse
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from files import write
from llama import Llama, Shape


def twice(weight, reads, writes, generator):
    """A matrix whose input, output, or both are there twice."""
    if writes:
        weight = torch.cat((weight, weight), 0)
    if reads:
        share = 0.5 + 0.3 * (2 * torch.rand(weight.shape, generator=generator) - 1)
        weight = torch.cat((weight * share, weight * (1 - share)), 1)
    return weight


def grown_layers(old, new):
    """Which layer each new one is made from, and whether it is one too many."""
    extra = {round((k + 1) * old / (new - old + 1)) - 1 for k in range(new - old)} if new > old else set()
    places = []
    for layer in range(old):
        places.append((layer, False))
        if layer in extra:
            places.append((layer, True))
    return places


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a Hugging Face folder")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--layers", type=int, help="as many as before, if not given")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if (options.output / "model.safetensors").exists():
        sys.exit(f"error: {options.output} is already used: give another folder")
    small = Shape.read(options.model)
    layers = options.layers or small.layers
    if not small.layers <= layers <= 2 * small.layers:
        sys.exit(f"error: from {small.layers} layers it can grow to {2 * small.layers}")
    shape = replace(small, dim=2 * small.dim, heads=2 * small.heads, kv_heads=2 * small.kv_heads,
                    hidden=2 * small.hidden, layers=layers)
    weights = load_file(options.model / "model.safetensors")
    generator = torch.Generator().manual_seed(options.seed)
    # The classifier is the embedding, which reads the stream twice: the last norm makes up for it.
    grown = {
        "model.embed_tokens.weight": torch.cat([weights["model.embed_tokens.weight"]] * 2, 1),
        "model.norm.weight": torch.cat([weights["model.norm.weight"]] * 2) / 2,
    }
    for place, (layer, is_new) in enumerate(grown_layers(small.layers, layers)):
        for name, weight in weights.items():
            if not name.startswith(f"model.layers.{layer}."):
                continue
            new_name = name.replace(f"layers.{layer}.", f"layers.{place}.", 1)
            if weight.dim() == 1:
                grown[new_name] = torch.cat((weight, weight))
                continue
            grown[new_name] = twice(weight, True, True, generator)
            if is_new and ("o_proj" in name or "down_proj" in name):
                grown[new_name].zero_()

    # Before anything is written: it says the same.
    before, after = Llama(small).eval(), Llama(shape).eval()
    before.load_state_dict(weights, strict=False)
    missing = after.load_state_dict(grown, strict=False).missing_keys
    assert all("rotary" in name or "cos" in name or "sin" in name for name in missing), missing
    tokens = torch.randint(small.vocabulary, (2, min(64, small.context)), generator=generator)
    with torch.no_grad():
        difference = (before(tokens) - after(tokens)).abs().max().item()
    if difference > 1e-3:
        sys.exit(f"error: the grown model says something else, by {difference:.4f}")
    options.output.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "wisp.json"):
        shutil.copy(options.model / name, options.output / name)
    config = json.dumps(shape.config(), indent=1) + "\n"
    write(options.output / "config.json", lambda part: part.write_text(config))
    contiguous = {name: weight.contiguous() for name, weight in grown.items()}
    write(options.output / "model.safetensors", lambda part: save_file(contiguous, part, {"format": "pt"}))
    count = sum(weight.numel() for weight in grown.values())
    print(f"{count} weights, logits within {difference:.1e} of those of the small one")


if __name__ == "__main__":
    main()
