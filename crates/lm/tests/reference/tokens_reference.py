"""Makes tokens.json: ids that the reference libraries give for a list of texts.

    python tokens_reference.py SHARED_FOLDER

needs PyPI `tokenizers`, `transformers` and `sentencepiece`. SHARED_FOLDER holds the published
vocabularies (`models/…`). The small SentencePiece models are trained here, on the text in
`data/tinyshakespeare`, and stand in the output as base64, with the ids of the same texts.
"""

import base64
import io
import json
import pathlib
import sys

import sentencepiece
import tokenizers
import transformers

TEXTS = [
    "",
    " ",
    "   ",
    "\n",
    "\t\n \r\n",
    "Hello world",
    " Hello  World! ",
    "Hello, y'all! How are you 😁 ?我想在apple工作1314151天~",
    "Art. 12 Abs. 3 des Bundesgesetzes vom 19. Juni 1992 über den Datenschutz (DSG)",
    "L’État, c’est moi ; « déjà-vu » – naïve œuvre, Ça va?",
    "Perché no? È così: città, virtù, l'università.",
    "La lescha federala davart la protecziun da datas – Annotaziuns",
    "don't DON'T I'll we've she's they'd I'M",
    "3 33 333 3333 33333 1,234.56 ½ ² ٣",
    "x = f(a, b)[0];  // comment\n\treturn x;\n\n\n}",
    "нещо на Български",
    "កាន់តែពិសេសអាចខលចេញ",
    "🚀 (normal) 😶‍🌫️ ✅ 🇨🇭",
    "日本語のテキスト、中文文本。한국어 텍스트",
    "שלום עולם مرحبا بالعالم",
    "Ａｂｃ ﬁ ① ™ e\u0301 \u00e9 \u1e9b\u0323",
    "zero\u200bwidth \u00a0nbsp \u00adsoft \ufeffbom \u0000nul \u0007bell",
    "<|endoftext|> <|im_start|>user [CLS] [SEP] [MASK] <s> </s> <unk> <extra>",
    "ÄÖÜ äöü ß İstanbul ĳ Σίσυφος",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "\u2581already \u2581marked",
    "tab\tbetween\twords   and    spaces     ",
    "mixedCASEWords HTTPServer iPhone15Pro",
    "\ufffd \U0001f999 \U00020000",
]


def trained(text, **options):
    """A small model and the ids it gives."""
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text), model_writer=out, minloglevel=2, num_threads=1, **options
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())
    # NUL ends a text for the Python wrapper's C strings in no version; it is kept.
    return {
        "model": base64.b64encode(out.getvalue()).decode(),
        "ids": [processor.encode(text) for text in TEXTS],
        "decoded": [processor.decode(processor.encode(text)) for text in TEXTS],
    }


def sentencepiece_models(shared):
    source = (shared / "data/tinyshakespeare/input.txt").read_text()[:200_000].splitlines()
    rules = pathlib.Path("rules.tsv")
    # Code points in hexadecimal: ß to ss, A with ring to aa, no-break space to space, soft hyphen
    # to nothing, e and acute accent to one letter.
    rules.write_text("DF\t73 73\nC5\t61 61\nA0\t20\nAD\t\n65 301\tE9\nFF21\t41\n9\t20\n")
    keep = {"normalization_rule_name": "identity", "remove_extra_whitespaces": False}
    small = {"vocab_size": 400, "character_coverage": 0.999}
    models = {
        "bpe_bytes": trained(
            source, model_type="bpe", byte_fallback=True, user_defined_symbols=["<extra>"],
            **keep, **small,
        ),
        "bpe_unknown": trained(
            source, model_type="bpe", normalization_rule_tsv=str(rules), **small,
        ),
        "unigram_unknown": trained(
            source, model_type="unigram", normalization_rule_tsv=str(rules),
            user_defined_symbols=["<extra>", "IPhone"], **small,
        ),
        "unigram_bytes": trained(
            source, model_type="unigram", byte_fallback=True, add_dummy_prefix=False,
            **keep, **{**small, "vocab_size": 600},
        ),
    }
    rules.unlink()
    return models


def library(path, special):
    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return [tokenizer.encode(text, add_special_tokens=special).ids for text in TEXTS]


def qwen(folder):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return [
        tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        for text in TEXTS
    ]


def main():
    shared = pathlib.Path(sys.argv[1])
    models = shared / "models"
    out = {
        "made_with": {m.__name__: m.__version__ for m in (tokenizers, transformers, sentencepiece)},
        "texts": TEXTS,
        "smollm2": library(models / "smollm2-tokenizer/tokenizer.json", False),
        "minilm": library(models / "minilm-l6-v2-tokenizer-only/tokenizer.json", True),
        "qwen2.5": qwen(models / "qwen2.5-tokenizer"),
        "sentencepiece": sentencepiece_models(shared),
    }
    pathlib.Path(__file__).with_name("tokens.json").write_text(
        json.dumps(out, ensure_ascii=True, separators=(",", ":")).replace('],[', '],\n[') + "\n"
    )


main()
