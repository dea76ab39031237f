#!/usr/bin/env python3
"""Trains a persona in PyTorch: the recipe of `wisp-model train`, for CUDA GPUs (docs/training.md).

    python3 torch_train.py DATASET -o MODEL --preset 15M --minutes 25
    torchrun --nproc-per-node 4 torch_train.py DATASET -o MODEL --preset 42M

DATASET is a folder made by `wisp-model prepare`; MODEL becomes a Hugging Face Llama folder that
`wisp-model import hf` reads. Needs torch, numpy and safetensors.
"""
import argparse
import contextlib
import hashlib
import math
import os
import signal
import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from files import same_tokenizer, write, write_curve, write_model
from llama import IGNORED, Llama, Shape, load
from packed import FILES, Dataset, Mixture, batch_of, is_chats
from rounding import Rounding
from torch import nn

# dim, layers, heads, hidden; rows in a step, peak learning rate, millions of tokens to see
PRESETS = {"tiny": (128, 4, 4, 352, 16, 3e-3, 30), "3M": (192, 6, 6, 512, 32, 2e-3, 100),
           "15M": (384, 8, 8, 1024, 64, 1.5e-3, 250), "42M": (576, 10, 9, 1600, 64, 1e-3, 250)}

def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("dataset", type=Path)
    add("-o", "--output", type=Path, required=True)
    add("--preset", choices=PRESETS, default="15M")
    add("--minutes", type=float, help="fit the whole run, over all --resume, into this time")
    add("--tokens", type=float, help="millions of tokens to see instead: exactly repeatable")
    add("--seed", type=int, default=1)
    add("--resume", action="store_true", help="go on from the checkpoint in the output folder")
    add("--from", dest="start", type=Path, help="begin with the weights in this Hugging Face folder")
    add("--teacher", type=Path, action="append", default=[], help="learn from this model too; several are averaged")
    add("--teacher-share", type=float, default=0.7, help="the teachers' part of the loss")
    add("--batch", type=int, help="rows in a step: the preset's, or 16 with --from")
    add("--micro", type=int, help="rows at a time, where memory is short")
    add("--lr", type=float, help="peak learning rate")
    add("--finetune-lr", type=float, help="peak learning rate of fine-tuning; otherwise a third of the other")
    add("--warmup", type=int, default=200, help="steps, in each phase")
    add("--finetune-part", type=float, help="last part of the run, on the chats: 0.2, or 1 with --from")
    add("--chats-share", type=float, default=0.1, help="the chats' part of a batch before that")
    add("--finetune-chats-share", type=float, default=0.5, help="the chats' part of a batch then")
    add("--dropout", type=float, default=0.1)
    add("--finetune-dropout", type=float, default=0.1)
    add("--optimiser", choices=("adamw", "muon"), default="adamw", help="muon: orthogonal steps for the layers' matrices")
    add("--weight-decay", type=float, default=0.1)
    add("--clip", type=float, default=1.0, help="longest gradient, over all tensors together")
    add("--rounded", choices=("int4",), help="learn with weights rounded as `quantise --format int4` rounds them: "
        "what is written loses nothing by it")
    add("--patience", type=int, default=12, help="measurements without a better one before fine-tuning stops")
    add("--evaluations", type=int, default=60, help="measurements in a run")
    add("--checkpoint-minutes", type=float, default=3)
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--no-compile", action="store_true")
    add("--f32", action="store_true", help="no bf16 on CUDA")
    add("--bf16", action="store_true", help="bf16 on a processor: twice as fast where it has AVX-512 BF16 or AMX")
    options = parser.parse_args()
    _, _, _, _, batch, lr, tokens = PRESETS[options.preset]
    options.batch, options.lr = options.batch or (16 if options.start else batch), options.lr or lr
    options.tokens = options.tokens or tokens
    options.micro = options.micro or (options.batch if options.device.startswith("cuda") else 4)
    options.finetune_lr = options.finetune_lr or options.lr / 3
    if options.finetune_part is None:
        options.finetune_part = 1.0 if options.start else 0.2
    return options


def schedule(step, total, options):
    """(phase, learning rate): pretraining ends at a tenth of its peak, fine-tuning at nothing."""
    border = round(total * (1 - options.finetune_part))
    if step < border:
        phase, at, length, peak, floor = 0, step, border, options.lr, 0.1
    else:
        phase, at, length, peak, floor = 1, step - border, total - border, options.finetune_lr, 0.0
    warm = min(1.0, (at + 1) / max(1, min(options.warmup, length // 4)))
    return phase, peak * warm * (floor + (1 - floor) * (1 + math.cos(math.pi * at / length)) / 2)


def optimisers_of(model, kind, decay):
    """Matrices decay, norms do not. Muon (Jordan et al., 2024) takes the layers' matrices, with steps as long
    as AdamW's would be (Liu et al.: Muon is scalable, 2025), so that one rate serves both."""
    if kind == "muon" and not hasattr(torch.optim, "Muon"):
        sys.exit(f"error: PyTorch {torch.__version__} has no Muon: pip install --upgrade torch")
    matrices = [w for name, w in model.named_parameters() if w.dim() > 1 and "layers" in name]
    others = [w for name, w in model.named_parameters() if w.dim() > 1 and "layers" not in name]
    norms = [w for w in model.parameters() if w.dim() == 1]
    by_muon = [torch.optim.Muon(matrices, weight_decay=decay, adjust_lr_fn="match_rms_adamw")] if kind == "muon" else []
    groups = [{"params": others + matrices * (not by_muon), "weight_decay": decay},
              {"params": norms, "weight_decay": 0.0}]
    return by_muon + [torch.optim.AdamW(groups, betas=(0.9, 0.95), eps=1e-8, fused=True)]


@torch.no_grad()
def evaluate(model, data, autocast=contextlib.nullcontext, most=32):
    """Nats per token of each source held back, and bits per byte of text of `chats`."""
    training, nats = model.training, {}
    model.eval()
    for name, (rows, lengths) in data.valid.items():
        loss, tokens, size = 0.0, 0, 0.0
        for i in range(0, len(rows) if is_chats(name) else min(len(rows), most), 32):
            inputs, targets = batch_of(rows[i:i + 32], lengths[i:i + 32])
            with autocast():
                loss += model(inputs, targets)[1].item()
            counted = targets != IGNORED
            tokens += counted.sum().item()
            size += data.text_bytes(inputs[counted], targets[counted])
        nats[name] = loss / max(1, tokens)
        if name == "chats":
            bits = loss / math.log(2) / max(1.0, size)
    model.train(training)
    return nats, bits


def recipe_of(options, shape):
    """All that decides what comes of a run, as texts: a run that is resumed must have the same."""
    free = ("dataset", "output", "start", "teacher", "resume", "device", "no_compile")
    recipe = {"--" + name.replace("_", "-"): str(value) for name, value in vars(options).items() if name not in free}
    data = hashlib.sha256(b"".join((options.dataset / name).read_bytes() for name in FILES)).hexdigest()
    return recipe | {"shape": str(shape), "dataset": data}


def main():
    options, began, stop = arguments(), time.monotonic(), []

    def interrupt(*_):
        if stop:
            sys.exit("error: stopped at once; the last checkpoint is kept")
        stop.append(True)

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    world, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    cuda = options.device.startswith("cuda")
    if cuda:
        options.device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
        torch.cuda.set_device(options.device)
        torch.set_float32_matmul_precision("high")
    if world > 1:
        dist.init_process_group("nccl" if cuda else "gloo")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    half = not options.f32 if cuda else options.bf16
    autocast = lambda: torch.autocast("cuda" if cuda else "cpu", torch.bfloat16) if half else contextlib.nullcontext()
    say = lambda text: rank == 0 and print(text, flush=True)

    checkpoint = options.output / "checkpoint.pt"
    options.output.mkdir(parents=True, exist_ok=True)
    if options.resume and not checkpoint.exists():
        sys.exit(f"error: {options.output} has no checkpoint to go on from: leave out --resume")
    if not options.resume and (checkpoint.exists() or (options.output / "model.safetensors").exists()):
        sys.exit(f"error: {options.output} is already used: give another folder, or --resume an unfinished run")
    if world > 1:
        dist.barrier()  # nobody writes before all have looked

    data = Dataset(options.dataset, options.device)
    torch.manual_seed(options.seed)
    if options.start:
        model = load(options.start, options.device)
    else:
        dim, layers, heads, hidden = PRESETS[options.preset][:4]
        model = Llama(Shape(dim, layers, heads, heads, hidden, data.vocabulary, data.context)).to(options.device)
    teachers = [load(folder, options.device).eval().requires_grad_(False) for folder in options.teacher]
    for shape in [model.shape] + [teacher.shape for teacher in teachers]:
        if shape.vocabulary != data.vocabulary or shape.context < data.context:
            sys.exit(f"error: a model with {shape.vocabulary} tokens and context {shape.context} does not fit "
                     f"the dataset's {data.vocabulary} and {data.context}")
    for folder in [options.start] * bool(options.start) + options.teacher:
        if not same_tokenizer(folder, options.dataset):
            sys.exit(f"error: the model in {folder} has another tokenizer than the data: prepare the data with it "
                     "(wisp-model prepare --like FOLDER)")
    optimisers = optimisers_of(model, options.optimiser, options.weight_decay)
    rounding = Rounding(model) if options.rounded else None
    rounded = rounding or (lambda *_: contextlib.nullcontext())
    mixture = Mixture(data.counts, options.seed)
    per_step = options.batch * data.context
    run = {"step": 0, "total": max(4, round(options.tokens * 1e6 / per_step)), "seconds": 0.0,
           "best": math.inf, "best_step": 0, "worse": 0, "records": []}
    recipe = recipe_of(options, model.shape)
    if options.resume:
        saved = torch.load(checkpoint, map_location=options.device, weights_only=True)
        for name, value in recipe.items():
            if saved.get("recipe", {}).get(name) != value:
                sys.exit(f"error: {checkpoint} is of a run with another {name}: {saved.get('recipe', {}).get(name)}, "
                         f"not {value}")
        model.load_state_dict(saved["model"])
        for optimiser, state in zip(optimisers, saved["optimisers"]):
            optimiser.load_state_dict(state)
        run, mixture.state = saved["run"], saved["mixture"]
        if rounding:
            rounding.trials = saved["trials"]
    if (cuda or half) and not options.no_compile:
        torch._dynamo.config.cache_size_limit = 64
        for block in model.model["layers"]:
            block.compile(dynamic=False)  # one block's code serves all: a deep model takes no longer
    learner = model
    learner = nn.parallel.DistributedDataParallel(learner) if world > 1 else learner
    shares = [data.shares(options.chats_share), data.shares(options.finetune_chats_share)]
    before = run["seconds"]
    say(f"{sum(w.numel() for w in model.parameters())} parameters, {data.tokens} tokens in "
        f"{len(data.names)} sources, {world} x {options.device}")

    def train_step(step, phase, rate):
        """One step; returns its loss and the length of its gradient, still on the device."""
        torch.manual_seed((options.seed * 1_000_003 + step) * world + rank)  # --resume drops out the same
        model.drop.p = options.finetune_dropout if phase else options.dropout
        for group in (group for optimiser in optimisers for group in optimiser.param_groups):
            group["lr"] = rate
        rows = mixture.draw(shares[phase], options.batch).to(options.device)
        rows = rows[data.lengths[rows].argsort(descending=True, stable=True)]  # little to fill up beside a row
        inputs, targets = batch_of(data.rows[rows], data.lengths[rows])
        counted, loss = (targets != IGNORED).sum() / world, 0.0  # gradients are averaged over the processes
        model.zero_grad(set_to_none=True)
        with rounded(step):
            for x, y in zip(inputs[rank::world].split(options.micro), targets[rank::world].split(options.micro)):
                if not cuda:  # what nobody counts is not computed; few lengths, because each is compiled for itself
                    longest = -(-int((y != IGNORED).any(0).sum()) // 64) * 64
                    x, y = x[:, :longest], y[:, :longest]
                with autocast():
                    with torch.no_grad():
                        taught = sum(F.softmax(t(x), -1) for t in teachers) / len(teachers) if teachers else None
                    goal, nll = learner(x, y, taught, options.teacher_share)
                (goal / counted).backward()
                loss += nll / counted
        norm = nn.utils.clip_grad_norm_(model.parameters(), options.clip)
        for optimiser in optimisers:
            optimiser.step()
        return torch.stack((loss, norm))

    def measure(phase, elapsed):
        """Loss of the held-back chats; the best model so far is what stands in the output folder."""
        with rounded(0):
            nats, bits = evaluate(model, data, autocast)
            run["worse"] = run["worse"] + 1 if phase else 0
            if nats["chats"] < run["best"]:
                run.update(best=nats["chats"], best_step=run["step"], worse=0)
                if rank == 0:
                    given = {name: str(value) for name, value in vars(options).items()
                             if value is not None and not isinstance(value, (Path, list))}
                    write_model(options.output, model, options.dataset, {
                        "trainer": f"torch_train.py, PyTorch {torch.__version__}, {world} x {options.device}",
                        "options": given, "steps": run["step"], "tokens": run["step"] * per_step, "seconds": elapsed,
                        "chats_nats_per_token": nats["chats"], "chats_bits_per_byte": bits})
        others = [value for name, value in nats.items() if not is_chats(name)]
        say(f"    held back: chats {nats['chats']:.4f} nats/token, {bits:.4f} bits/byte"
            + (f", other sources {sum(others) / len(others):.4f} nats/token" if others else "")
            + ("" if run["worse"] else " (the best so far)"))
        return nats["chats"]

    def save():
        state = {"model": model.state_dict(), "optimisers": [optimiser.state_dict() for optimiser in optimisers], "mixture": mixture.state, "run": run,
                 "recipe": recipe, "trials": rounding and rounding.trials}
        write(checkpoint, lambda part: torch.save(state, part))

    if rank == 0 and not options.resume:
        save()  # there is a checkpoint from the beginning to the end: a folder without is that of a finished run
    losses, told, saved_at, steady, ended = [], began, began, None, "all steps done"
    while run["step"] < run["total"]:
        phase, rate = schedule(run["step"], run["total"], options)
        losses.append(train_step(run["step"], phase, rate))
        run["step"] += 1
        step = run["step"]
        if cuda and step % 10 and step < run["total"]:
            continue  # looking at numbers makes the GPU wait
        clock = [time.monotonic(), bool(stop)]
        if world > 1:
            dist.broadcast_object_list(clock)  # all processes decide alike
        now, stopping = clock
        steady = steady or (step, now)  # compiling is over
        rate_now = (step - steady[0]) / (now - steady[1]) if step > steady[0] else None
        every = max(10, run["total"] // options.evaluations // 10 * 10)
        if options.minutes and rate_now and (step % every == 0 or step - steady[0] in (1, 10, 50)):
            left = options.minutes * 58 - before - (now - began)  # two seconds of each minute in reserve
            run["total"] = max(step + 1, round(step + left * rate_now))
        measuring = step % every == 0 or step == run["total"]
        saving = now - saved_at > options.checkpoint_minutes * 60
        if measuring or saving or stopping or now - told > 10:
            loss, norm = torch.stack(losses).mean(0).tolist()
            if not math.isfinite(loss + norm):
                sys.exit(f"error: the loss is not a number at step {step}; the best model and the last checkpoint "
                         "are kept: begin again in another folder with a lower --lr")
            say(f"step {step}/{run['total']} {'fine-tuning' if phase else 'pretraining'} loss {loss:.4f} "
                f"gradient {norm:.2f} rate {rate:.1e}"
                + (f", {rate_now * per_step:,.0f} tokens/s, {(run['total'] - step) / rate_now / 60:.1f} minutes left"
                   if rate_now else ""))
            run["seconds"], losses, told = before + now - began, [], now
            run["records"].append([step, loss, measure(phase, run["seconds"]) if measuring else None])
            if rank == 0:
                write_curve(options.output, run["records"])
        if rank == 0 and (saving or stopping):
            save()
        saved_at = now if saving else saved_at
        if stopping:
            say(f"stopped after step {step}: --resume goes on from there")
            sys.exit(130)
        if phase and run["worse"] >= options.patience:
            ended = f"stopped early, {options.patience} measurements without a better one"
            break
    if rank == 0:
        checkpoint.unlink(missing_ok=True)
    say(f"{ended}; best at step {run['best_step']}: {run['best']:.4f} nats/token of held-back chats; in {options.output}")
    if world > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"error: {error}: nothing half-written is left; the last checkpoint is kept")
