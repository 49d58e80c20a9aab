"""transformers, as it is and with the approximations of llama.cpp put in its place."""

import copy

import torch
import transformers
from transformers.activations import ACT2FN


ENCODERS = ("bert", "xlm-roberta", "modernbert")


class RoundedGelu(torch.nn.Module):
    """GELU as llama.cpp has it on a CPU: the tanh form, for every f16, rounded to f16 (`ggml_table_gelu_f16`)."""

    def forward(self, x):
        y = torch.nn.functional.gelu(x.half().float(), approximate="tanh").half().to(x.dtype)
        return torch.where(x >= 10, x, torch.where(x <= -10, torch.zeros_like(x), y))


def approximate(config):
    """What llama.cpp computes otherwise than `config` says: a changed config and the words for it."""
    own, words = copy.deepcopy(config), []
    if getattr(config, "hidden_activation", None) or getattr(config, "hidden_act", "") in ("gelu", "gelu_pytorch_tanh"):
        words.append("GELU from a table of f16")
        for key in ("hidden_act", "hidden_activation"):
            if getattr(own, key, None):
                setattr(own, key, "rounded_gelu")
    if config.model_type == "gpt_oss" and not config.rope_parameters.get("truncate", True):
        words.append("YaRN's bounds as whole pairs")
        own.rope_parameters["truncate"] = True
    if config.model_type in ("mistral", "phi3") and config.sliding_window:
        words.append("no window")
        own.sliding_window = None
    return own, words


def run(folder, rows, config=None, precision=torch.float32):
    """Logits, or an encoder's last hidden states, of the f32 weights with plain attention."""
    ACT2FN["rounded_gelu"] = RoundedGelu
    config = config or transformers.AutoConfig.from_pretrained(folder)
    encoder = config.model_type in ENCODERS
    kind = transformers.AutoModel if encoder else transformers.AutoModelForCausalLM
    model = kind.from_pretrained(folder, config=config, dtype=torch.float32, attn_implementation="eager").eval().to(precision)
    with torch.no_grad():
        out = model(input_ids=torch.tensor(rows).long())
    return (out.last_hidden_state if encoder else out.logits).numpy()
