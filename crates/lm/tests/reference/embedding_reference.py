"""Makes what tests/embeddings.rs compares with: vectors and scores by sentence-transformers.

usage: embedding_reference.py real OUT_DIR MODEL_FOLDER...          existing models
       embedding_reference.py random OUT_DIR SEED WORDPIECE BYTES   tiny random models; the last two
                                     are folders with a WordPiece (BERT) and a byte-level (Qwen) tokenizer
needs: torch, transformers, sentence-transformers, safetensors

Each model gets a folder OUT_DIR/NAME with reference.json ("model", "kind", texts) and
reference.safetensors. Run the test with ALLOD_EMBEDDING_REFERENCE=OUT_DIR.
"""
import json, os, random, shutil, sys

import torch
import transformers as T
from safetensors.torch import save_file
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.sentence_transformer import modules

PHRASES = [
    "The council met on Tuesday to discuss the budget.", "A cat sat on the mat.",
    "How do I renew my passport?", "Der Hund läuft über die Straße.", "Wie beantrage ich Wohngeld?",
    "Le chat dort sur le canapé.", "Où se trouve la bibliothèque ?", "Il gatto dorme sul divano.",
    "¿Cuándo abre el ayuntamiento?", "O rato roeu a roupa do rei de Roma.", "Kde je nádraží?",
    "Zażółć gęślą jaźń.", "Кошка спит на диване.", "Де знаходиться лікарня?", "Η γάτα κοιμάται.",
    "Kedi kanepede uyuyor.", "القطة تنام على الأريكة.", "החתול ישן על הספה.", "गेंद मैदान में है।",
    "বিড়ালটি ঘুমাচ্ছে।", "แมวกำลังนอนหลับ", "猫がソファで寝ています。", "猫在沙发上睡觉。", "고양이가 소파에서 자고 있다.",
    "Mèo đang ngủ trên ghế.", "Paka amelala kwenye kochi.", "Kissa nukkuu sohvalla.", "Kötturinn sefur.",
    "Kass magab diivanil.", "Macska alszik a kanapén.",
]
ODDITIES = [
    "", " ", "a", "?", "...", "\n\n\n", "\t tabs \t and \r\n lines ", "ÀÉÎÕÜ àéîõü", "e\u0301 combining",
    "ﬁ ligature ½ ² ™", "😀 👩‍👩‍👧‍👦 🇨🇭", "A" * 300, "http://example.org/a?b=c&d=%20#e", "x = y**2 + 3*z;",
    "3.14159 2,718 1'000'000 1e-12", "snake_case camelCase kebab-case", "don't can't it's", "“quotes” ‘single’ «guillemets»",
    "\u200bzero\u200bwidth\ufeff", "null\u0000byte", "MIXED case TeXt", "ß ẞ ŉ ǰ İ ı", "𝕱𝖗𝖆𝖐𝖙𝖚𝖗 𝒮𝒸𝓇𝒾𝓅𝓉", "ﷺ", "𠜎𠜱𠝹𠱓",
    "repeat " * 400, "§ 12 Abs. 3 Satz 2 BauGB", "E = mc²", "a\u0308 vs ä", "\u202eright to left\u202c",
]


def texts(count, seed):
    """Phrases, oddities, and phrases put together to various lengths."""
    pick = random.Random(seed)
    found = PHRASES + ODDITIES
    while len(found) < count:
        found = found + [" ".join(pick.choices(PHRASES, k=pick.choice([2, 3, 5, 9, 20, 60])))]
    return found[:count]


def write(folder, reference, tensors):
    os.makedirs(folder, exist_ok=True)
    save_file({name: tensor.float().contiguous() for name, tensor in tensors.items()},
              os.path.join(folder, "reference.safetensors"))
    with open(os.path.join(folder, "reference.json"), "w", encoding="utf-8") as file:
        json.dump(reference, file, ensure_ascii=True)
    print(folder, {name: list(tensor.shape) for name, tensor in tensors.items()})


def embed(out, name, model, count, seed=0):
    st = SentenceTransformer(model, device="cpu")
    all = texts(count, seed)
    encode = lambda f: torch.tensor(f(all, batch_size=8, convert_to_numpy=True))
    write(os.path.join(out, name), {"kind": "embed", "model": os.path.abspath(model), "texts": all},
          {"any": encode(st.encode), "query": encode(st.encode_query), "document": encode(st.encode_document)})


def score(out, name, model, count, seed=0):
    ce = CrossEncoder(model, device="cpu")
    all = [text for text in texts(count, seed) if text.strip()]
    pairs = [(query, text) for query in (all[2], all[5], " ".join(all[:40])) for text in all]
    identity = torch.nn.Identity()
    raw = torch.tensor(ce.predict(pairs, batch_size=8, activation_fn=identity)).reshape(len(pairs), -1)
    own = torch.tensor(ce.predict(pairs, batch_size=8)).reshape(len(pairs), -1)
    write(os.path.join(out, name), {"kind": "score", "model": os.path.abspath(model), "texts": all,
          "pairs": pairs}, {"logits": raw, "scores": own})


def stir(model, seed):
    """Random weights that matter: norms and biases off their start, matrices larger."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _, p in model.named_parameters():
            if p.ndim == 1: p.add_(0.2 * torch.randn(p.shape, generator=g))
            else: p.mul_(3.0)
    return model.float().eval()


def unigram(folder):
    """A small vocabulary of XLM-RoBERTa's kind."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    tok = Tokenizer(models.Unigram())
    tok.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(),
                                           normalizers.Replace(" {2,}", " ")])
    tok.pre_tokenizer = pre_tokenizers.Metaspace()
    tok.decoder = decoders.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tok.train_from_iterator(PHRASES * 3 + ODDITIES, trainers.UnigramTrainer(
        vocab_size=700, special_tokens=special, unk_token="<unk>"))
    tok.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", tok.token_to_id("<s>")), ("</s>", tok.token_to_id("</s>"))])
    fast = T.PreTrainedTokenizerFast(
        tokenizer_object=tok, bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>",
        unk_token="<unk>", pad_token="<pad>", mask_token="<mask>", model_max_length=120,
        model_input_names=["input_ids", "attention_mask"])
    fast.save_pretrained(folder)
    return fast


def save(out, name, config, kind, tokenizer, seed):
    torch.manual_seed(seed)
    folder = os.path.join(out, "models", name)
    shutil.rmtree(folder, ignore_errors=True)
    config._attn_implementation = "eager"
    stir(getattr(T, kind)(config), seed + 7).save_pretrained(folder)
    if isinstance(tokenizer, str):
        for file in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
            if os.path.isfile(os.path.join(tokenizer, file)):
                shutil.copyfile(os.path.join(tokenizer, file), os.path.join(folder, file))
    else:
        tokenizer.save_pretrained(folder)
    return folder


def wrap(out, name, folder, pooling, normalise, most, prompts=None):
    """The folder as sentence-transformers saves it."""
    first = modules.Transformer(folder, max_seq_length=most)
    parts = [first, modules.Pooling(first.get_word_embedding_dimension(), pooling_mode=pooling)]
    parts += [modules.Normalize()] if normalise else []
    st = SentenceTransformer(modules=parts, device="cpu", prompts=prompts)
    wrapped = folder + "-st"
    shutil.rmtree(wrapped, ignore_errors=True)
    st.save(wrapped)
    return wrapped


def make_random(out, seed, wordpiece, byte_level):
    H, heads, L, ff = [(48, 4, 2, 96), (40, 5, 3, 112), (72, 6, 4, 64)][seed % 3]
    shape = dict(hidden_size=H, num_hidden_layers=L, num_attention_heads=heads, intermediate_size=ff)
    words = len(json.load(open(os.path.join(wordpiece, "tokenizer.json")))["model"]["vocab"])
    bert = dict(shape, vocab_size=words, max_position_embeddings=200, pad_token_id=0)
    modern = dict(shape, num_hidden_layers=L + 3, vocab_size=words, max_position_embeddings=300,
                  local_attention=[16, 22, 9][seed % 3], pad_token_id=0, bos_token_id=101,
                  eos_token_id=102, cls_token_id=101, sep_token_id=102, norm_bias=seed % 2 == 0,
                  attention_bias=seed % 3 == 0, mlp_bias=seed % 3 == 1, classifier_bias=seed % 2 == 1)
    os.makedirs(os.path.join(out, "models"), exist_ok=True)
    pieces = unigram(os.path.join(out, "models", "unigram"))
    roberta = dict(shape, vocab_size=len(pieces), max_position_embeddings=130, pad_token_id=1,
                   type_vocab_size=1)
    put = lambda name, config, kind, tokenizer: save(out, name, config, kind, tokenizer, seed)
    folder = put("bert", T.BertConfig(**bert), "BertModel", wordpiece)
    embed(out, "bert-plain", folder, 90, seed)
    embed(out, "bert-cls", wrap(out, "bert", folder, "cls", True, 60,
          {"query": "query: ", "document": "passage: "}), 90, seed)
    folder = put("modernbert", T.ModernBertConfig(**modern), "ModernBertModel", wordpiece)
    embed(out, "modernbert-mean", wrap(out, "modernbert", folder, "mean", False, 250), 90, seed)
    folder = put("xlm-roberta", T.XLMRobertaConfig(**roberta), "XLMRobertaModel", pieces)
    embed(out, "xlm-roberta-mean", wrap(out, "xlm-roberta", folder, "mean", True, 100), 90, seed)
    one = dict(num_labels=1)
    score(out, "bert-score", put("bert-score", T.BertConfig(**bert, **one),
          "BertForSequenceClassification", wordpiece), 60, seed)
    score(out, "bert-score-3", put("bert-score-3", T.BertConfig(**bert, num_labels=3),
          "BertForSequenceClassification", wordpiece), 60, seed)
    score(out, "xlm-roberta-score", put("xlm-roberta-score", T.XLMRobertaConfig(**roberta, **one),
          "XLMRobertaForSequenceClassification", pieces), 60, seed)
    for pooling in ("cls", "mean"):
        score(out, "modernbert-score-" + pooling, put("modernbert-score-" + pooling,
              T.ModernBertConfig(**modern, **one, classifier_pooling=pooling),
              "ModernBertForSequenceClassification", wordpiece), 60, seed)
    # Qwen3-Embedding: texts end with a token, and its vector counts. Given a chat template,
    # sentence-transformers would render texts through it.
    tokenizer = T.AutoTokenizer.from_pretrained(byte_level)
    tokenizer.chat_template = None
    end = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    from tokenizers import processors
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <|endoftext|>", pair="$A $B <|endoftext|>", special_tokens=[("<|endoftext|>", end)])
    qwen = T.Qwen3Config(**shape, vocab_size=len(tokenizer), num_key_value_heads=heads // 2 or 1 if heads % 2 == 0 else 1,
                         head_dim=16, max_position_embeddings=400, tie_word_embeddings=seed % 2 == 0)
    folder = put("qwen3", qwen, "Qwen3Model", tokenizer)
    embed(out, "qwen3-last", wrap(out, "qwen3", folder, "lasttoken", True, 120,
          {"query": "Instruct: find it\nQuery:", "document": ""}), 90, seed)


if __name__ == "__main__":
    if sys.argv[1] == "real":
        for model in sys.argv[3:]:
            embed(sys.argv[2], os.path.basename(os.path.abspath(model)), model, 200)
    else:
        make_random(sys.argv[2], int(sys.argv[3]), *sys.argv[4:6])
