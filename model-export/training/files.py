"""What training writes: files that are there whole or not at all."""
import json
import os

from safetensors import SafetensorError
from safetensors.torch import save_file

KEPT = ("special_tokens", "sampler", "statistics", "source", "licences")  # of dataset.json, in wisp.json


def same_tokenizer(model, dataset):
    """Whether two folders mean the same by a token."""
    words = [json.loads((folder / "tokenizer.json").read_text())["model"] for folder in (model, dataset)]
    return all(words[0][part] == words[1][part] for part in ("vocab", "merges"))


def write(path, save):
    """A file that is there whole or not at all."""
    write_together({path: save})


def write_together(files):
    """Files, none of which gets its name before all are complete; the last one's name comes last."""
    parts = {path: path.with_name(path.name + ".part") for path in files}
    try:
        for path, save in files.items():
            try:
                save(parts[path])
            except (RuntimeError, SafetensorError) as error:  # so they call a full disk
                raise OSError(f"{path} cannot be written: {error}") from error
            os.chmod(parts[path], 0o644)
            with open(parts[path], "rb") as file:
                os.fsync(file.fileno())
        for path, part in parts.items():
            os.replace(part, path)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)


def write_model(folder, model, dataset, run):
    """What `wisp-model import hf` reads; the weights come last: a folder with them is complete."""
    weights = {name: w.detach().float().contiguous().cpu() for name, w in model.state_dict().items()}
    about = json.loads((dataset / "dataset.json").read_text())
    wisp = {"name": about.get("persona", ""), "training_run": run} | {key: about[key] for key in KEPT if key in about}
    wisp["training"] = (f"{sum(w.numel() for w in weights.values())} weights, trained for {run['steps']} steps "
                        f"({run['tokens'] / 1e6:.1f} million tokens), seed {run['options']['seed']}: "
                        f"{run['chats_bits_per_byte']:.4f} bits per byte of the chats held back")
    page = lambda value: lambda part: part.write_text(json.dumps(value, indent=1) + "\n")
    write_together({
        folder / "config.json": page(model.shape.config()),
        folder / "wisp.json": page(wisp),
        folder / "tokenizer.json": lambda part: part.write_bytes((dataset / "tokenizer.json").read_bytes()),
        folder / "model.safetensors": lambda part: save_file(weights, part, {"format": "pt"})})


def write_curve(folder, records):
    """loss.csv and its picture loss.svg. A record: step, loss of training, loss of the chats held back."""
    table = "".join(f"{s},{t:.5f},{'' if c is None else f'{c:.5f}'}\n" for s, t, c in records)
    write(folder / "loss.csv", lambda part: part.write_text("step,training,chats\n" + table))
    values = [v for record in records for v in record[1:] if v is not None]
    low, high, last = min(values), max(values) + 1e-9, records[-1][0]
    body = f'<text x="5" y="35">{high:.2f}</text><text x="5" y="365">{low:.2f}</text>'
    for column, colour, name in ((1, "#4477aa", "training"), (2, "#cc6677", "chats held back")):
        points = " ".join(f"{60 + 720 * r[0] / last:.1f},{360 - 330 * (r[column] - low) / (high - low):.1f}"
                          for r in records if r[column] is not None)
        body += f'<polyline fill="none" stroke="{colour}" points="{points}"/>'
        body += f'<text x="{60 * column ** 2}" y="390" fill="{colour}">{name}</text>'
    write(folder / "loss.svg", lambda part: part.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 400" font-family="sans-serif" '
        f'font-size="14">{body}<text x="560" y="390">{last} steps, nats per token</text></svg>\n'))
