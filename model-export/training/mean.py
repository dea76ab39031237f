#!/usr/bin/env python3
"""The mean of models that began with the same one: often better than each, and costs nothing to run.

    python3 mean.py first=0.3 second=0.7 -o mean

Tensor by tensor, with the shares given, which are made to add up to one (Wortsman et al.: Model soups, 2022).
It is a model as any other, to go on from or to import. The first model's notes on data and rhythm are kept:
give the one that has seen the most first.
"""
import argparse
import json
import math
import shutil
import sys
from pathlib import Path

from safetensors.torch import load_file, save_file

from files import same_tokenizer, write
from llama import Shape


def part(argument):
    """FOLDER=SHARE."""
    folder, _, share = argument.rpartition("=")
    if not folder or not 0 < float(share) < math.inf:
        raise ValueError(argument)
    return Path(folder), float(share)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", type=part, nargs="+", help="FOLDER=SHARE, a Hugging Face folder and a number above 0")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    if (options.output / "model.safetensors").exists():
        sys.exit(f"error: {options.output} is already used: give another folder")
    first = options.part[0][0]
    total = sum(share for _, share in options.part)
    mean, licences = {}, []
    for folder, share in options.part:
        weights = load_file(folder / "model.safetensors")
        # Weights of the same sizes may mean other heads.
        if Shape.read(folder) != Shape.read(first) or (mean and set(weights) != set(mean)):
            sys.exit(f"error: {folder} has another shape than {first}")
        if not same_tokenizer(first, folder):
            sys.exit(f"error: {folder} has another tokenizer than {first}")
        for name, weight in weights.items():
            mean[name] = mean.get(name, 0) + share / total * weight.double()
        about = json.loads((folder / "wisp.json").read_text())
        paragraphs = [paragraph.strip() for paragraph in about.get("licences", "").split("\n\n")]
        licences += [paragraph for paragraph in paragraphs if paragraph not in licences]
    about = json.loads((first / "wisp.json").read_text())
    about.pop("training_run", None)
    shares = ", ".join(f"{share / total:.2f}" for _, share in options.part)
    about["training"] = f"the mean of {len(options.part)} models ({shares}); the first: {about.get('training', '')}"
    about["licences"] = "\n\n".join(filter(None, licences))
    options.output.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json"):
        shutil.copy(first / name, options.output / name)
    write(options.output / "wisp.json", lambda part: part.write_text(json.dumps(about, indent=1) + "\n"))
    single = {name: weight.float() for name, weight in mean.items()}
    write(options.output / "model.safetensors", lambda part: save_file(single, part, {"format": "pt"}))
    print(f"the mean of {len(options.part)} models, in {options.output}")


if __name__ == "__main__":
    main()
