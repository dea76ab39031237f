"""The Llama architecture in PyTorch, read from and written to Hugging Face folders.

RMSNorm, RoPE on the pairs (i, i + head / 2), grouped queries, SwiGLU, and an embedding that is also
the classifier. Modules are named so that the weights have Hugging Face's names.
"""
import json
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

IGNORED = -100  # a target that does not count


@dataclass
class Shape:
    dim: int
    layers: int
    heads: int
    kv_heads: int
    hidden: int
    vocabulary: int
    context: int
    theta: float = 10_000.0
    epsilon: float = 1e-5

    def config(self):
        return {
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
            "hidden_size": self.dim, "intermediate_size": self.hidden,
            "head_dim": self.dim // self.heads, "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads, "num_key_value_heads": self.kv_heads,
            "vocab_size": self.vocabulary, "max_position_embeddings": self.context,
            "rope_theta": self.theta, "rms_norm_eps": self.epsilon, "tie_word_embeddings": True,
            "attention_bias": False, "mlp_bias": False, "bos_token_id": 0, "eos_token_id": 1,
            "dtype": "float32",
        }

    @staticmethod
    def read(folder):
        config = json.loads((folder / "config.json").read_text())
        heads = config["num_attention_heads"]
        return Shape(
            config["hidden_size"], config["num_hidden_layers"], heads,
            config.get("num_key_value_heads") or heads, config["intermediate_size"],
            config["vocab_size"], config["max_position_embeddings"],
            config.get("rope_theta", 10_000.0), config["rms_norm_eps"])


class Norm(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.weight, self.epsilon = nn.Parameter(torch.ones(shape.dim)), shape.epsilon

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.epsilon))


def attend(q, k, v, block=64):
    """Causal attention for compiled code on a processor: `block` queries at a time, which leaves out most of
    what they may not see. Faster there than PyTorch's own, whose gradient takes a quarter of a step."""
    length, mixed = q.shape[2], []
    q = q * q.shape[-1] ** -0.5
    for begin in range(0, length, block):
        end = min(begin + block, length)
        hidden = torch.full((end - begin, end), -math.inf, dtype=q.dtype).triu(begin + 1)
        scores = q[:, :, begin:end] @ k[:, :, :end].transpose(-1, -2) + hidden
        mixed.append(F.softmax(scores, -1).to(v.dtype) @ v[:, :, :end])
    return torch.cat(mixed, 2)


class Attention(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.head, self.repeat = shape.dim // shape.heads, shape.heads // shape.kv_heads
        self.q_proj = nn.Linear(shape.dim, shape.dim, bias=False)
        self.k_proj = nn.Linear(shape.dim, shape.kv_heads * self.head, bias=False)
        self.v_proj = nn.Linear(shape.dim, shape.kv_heads * self.head, bias=False)
        self.o_proj = nn.Linear(shape.dim, shape.dim, bias=False)

    def forward(self, x, cos, sin):
        batch, length, dim = x.shape
        q, k, v = (project(x).view(batch, length, -1, self.head).transpose(1, 2)
                   for project in (self.q_proj, self.k_proj, self.v_proj))

        def rotate(t):
            left, right = t.chunk(2, -1)
            return (t * cos + torch.cat((-right, left), -1) * sin).to(v.dtype)

        q, k = rotate(q), rotate(k)
        if self.repeat > 1:
            k, v = (t.repeat_interleave(self.repeat, 1) for t in (k, v))
        if torch.compiler.is_compiling() and q.device.type == "cpu":
            mixed = attend(q, k, v)
        else:
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, length, dim))


class FeedForward(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.gate_proj = nn.Linear(shape.dim, shape.hidden, bias=False)
        self.up_proj = nn.Linear(shape.dim, shape.hidden, bias=False)
        self.down_proj = nn.Linear(shape.hidden, shape.dim, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    def __init__(self, shape, drop):
        super().__init__()
        self.drop = drop
        self.input_layernorm, self.self_attn = Norm(shape), Attention(shape)
        self.post_attention_layernorm, self.mlp = Norm(shape), FeedForward(shape)

    def forward(self, x, cos, sin):
        x = x + self.drop(self.self_attn(self.input_layernorm(x), cos, sin))
        return x + self.drop(self.mlp(self.post_attention_layernorm(x)))


class Llama(nn.Module):
    def __init__(self, shape, dropout=0.0):
        super().__init__()
        self.shape, self.drop = shape, nn.Dropout(dropout)
        self.model = nn.ModuleDict({
            "embed_tokens": nn.Embedding(shape.vocabulary, shape.dim),
            "layers": nn.ModuleList(Block(shape, self.drop) for _ in range(shape.layers)),
            "norm": Norm(shape)})
        head = shape.dim // shape.heads
        speeds = shape.theta ** -(torch.arange(0, head, 2) / head)
        angles = (torch.arange(shape.context)[:, None] * speeds).repeat(1, 2)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        for name, weight in self.named_parameters():
            if weight.dim() > 1:  # what is added to the residual stream keeps the sum of all layers in size
                adds = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * shape.layers) if adds else 0.02)

    def forward(self, tokens, targets=None, taught=None, share=0.0):
        """The logits; or, given targets, sums over all of them that count: what training minimises,
        and the negative log likelihood. `taught` are a teacher's probabilities, `share` their part."""
        length = tokens.shape[1]
        x = self.drop(self.model["embed_tokens"](tokens))
        for block in self.model["layers"]:
            x = block(x, self.cos[:length], self.sin[:length])
        logits = F.linear(self.model["norm"](x), self.model["embed_tokens"].weight).float()
        if targets is None:
            return logits
        nll = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum")
        if taught is None:
            return nll, nll.detach()
        apart = -(taught * F.log_softmax(logits, -1)).sum(-1) * (targets != IGNORED)
        return (1 - share) * nll + share * apart.sum(), nll.detach()


def load(folder, device, dropout=0.0):
    """The model in a Hugging Face folder."""
    model = Llama(Shape.read(folder), dropout)
    weights = load_file(folder / "model.safetensors")
    if "lm_head.weight" in weights:
        raise SystemExit(f"error: {folder} has a classifier of its own; only tied ones are trained here")
    model.load_state_dict({name: weight.float() for name, weight in weights.items()})
    return model.to(device)
