"""The folder that `wisp-model prepare` writes, in the device's memory, and the order of its rows.

`dataset.safetensors` has, per source and split, `train.NAME` (rows of context + 1 tokens) and
`train.NAME.lengths` (how many of them are real); `dataset.json` says what the sources are.
"""
import json
import math

import torch
from llama import IGNORED
from safetensors.torch import load_file

FILES = ("dataset.json", "dataset.safetensors", "tokenizer.json")


def is_chats(name):
    """Whether a source is the persona's own: `chats`, or more of them, like `chats_quick`."""
    return name == "chats" or name.startswith("chats_")


def batch_of(rows, lengths):
    """Inputs and targets [rows, context]; what lies past the end of a row does not count."""
    rows, place = rows.long(), torch.arange(1, rows.shape[1], device=rows.device)
    return rows[:, :-1], torch.where(place < lengths[:, None], rows[:, 1:], IGNORED)


class Dataset:
    def __init__(self, folder, device):
        for name in FILES:
            if not (folder / name).is_file():
                raise SystemExit(f"error: {folder} has no {name}: make the folder with `wisp-model prepare`")
        self.about = json.loads((folder / "dataset.json").read_text())
        self.context, self.vocabulary = self.about["context"], self.about["vocabulary"]
        tensors = load_file(folder / "dataset.safetensors")
        weights = {source["name"]: float(source.get("weight", 1.0)) for source in self.about["sources"]}

        def split(kind):
            found = {name: (tensors.get(f"{kind}.{name}"), tensors.get(f"{kind}.{name}.lengths")) for name in weights}
            return {name: (rows.int().to(device), lengths.int().to(device))
                    for name, (rows, lengths) in found.items() if rows is not None and len(rows)}

        train, self.valid = split("train"), split("valid")
        if "chats" not in train or "chats" not in self.valid:
            raise SystemExit(f"error: {folder} has no source `chats` to train on and to hold back")
        self.names = list(train)
        self.rows = torch.cat([rows for rows, _ in train.values()])
        self.lengths = torch.cat([lengths for _, lengths in train.values()])
        self.counts = [len(rows) for rows, _ in train.values()]
        self.tokens = int(self.lengths.sum())
        self.weighed = [weights[name] * int(lengths.sum()) for name, (_, lengths) in train.items()]
        # Byte-level BPE spells each byte of text as one character.
        words = json.loads((folder / "tokenizer.json").read_text())
        special = {token["id"] for token in words.get("added_tokens", [])}
        self.has_dummy_prefix = (words.get("normalizer") or {}).get("type") == "Prepend"
        self.bytes = torch.zeros(self.vocabulary, device=device)
        for word, token in words["model"]["vocab"].items():
            self.bytes[token] = 0 if token in special else len(word)

    def text_bytes(self, inputs, targets):
        """Bytes of text in targets; the blank in front of a text, after a special token, is none of it."""
        bytes = self.bytes[targets]
        if self.has_dummy_prefix:
            bytes = bytes - ((self.bytes[inputs] == 0) & (bytes > 0)).float()
        return bytes.double().sum().item()

    def shares(self, chats):
        """Each source's part of a batch: `chats` for the persona's own, the others by size and weight."""
        own = [is_chats(name) for name in self.names]
        part = {True: 1.0 if all(own) else chats, False: 1.0 - chats}
        total = {kind: sum(size for size, is_own in zip(self.weighed, own) if is_own == kind) for kind in part}
        return [part[is_own] * size / total[is_own] if size else 0.0 for size, is_own in zip(self.weighed, own)]


class Mixture:
    """Draws rows from all sources by share; a source is read through before it is shuffled again."""

    def __init__(self, counts, seed):
        self.counts, self.seed, self.orders = counts, seed, {}
        self.first = [sum(counts[:i]) for i in range(len(counts))]
        self.state = {"drawn": [0] * len(counts), "owed": [0.0] * len(counts)}

    def draw(self, shares, size):
        """Numbers of `size` rows."""
        owed = [before + share * size for before, share in zip(self.state["owed"], shares)]
        take = [max(0, math.floor(rows)) for rows in owed]
        most_owed = sorted(range(len(owed)), key=lambda source: take[source] - owed[source])
        for source in most_owed[:max(0, size - sum(take))]:
            take[source] += 1
        self.state["owed"] = [rows - taken for rows, taken in zip(owed, take)]
        return torch.cat([part for source, rows in enumerate(take) for part in self._next(source, rows)])[:size]

    def _next(self, source, rows):
        while rows:
            epoch, place = divmod(self.state["drawn"][source], self.counts[source])
            if self.orders.get(source, (None, None))[0] != epoch:
                dice = torch.Generator().manual_seed((self.seed * 1009 + source) * 100_003 + epoch)
                self.orders[source] = epoch, torch.randperm(self.counts[source], generator=dice)
            part = self.orders[source][1][place:place + rows]
            self.state["drawn"][source] += len(part)
            rows -= len(part)
            yield part + self.first[source]
