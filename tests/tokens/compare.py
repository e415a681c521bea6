"""Makes the folders of tokenizers and compares diffuse's ids of prompts with those of transformers; see `run`.

Each comparison prints how many lists of ids are equal, and those that aren't. Fails if there is one, but for the kind
of T5: there two ways to cut a text may have the same score, and the last bit of a sum decides.
"""

import gzip
import json
import pathlib
import subprocess
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, CLIPTokenizer, PreTrainedTokenizerFast

WORK, PROMPTS, EXAMPLE = map(pathlib.Path, sys.argv[1:])
BEGIN, END = "<|startoftext|>", "<|endoftext|>"
# What the folders of Stable Diffusion 1 and of SDXL's second encoder have, beside plain ones.
OBJECTS = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": True}
QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def folder(name, **files):
    """A folder with these files, whose names have `_` for the point before `json`."""
    path = WORK / name
    path.mkdir(exist_ok=True)
    for file in path.iterdir():
        file.unlink()
    for file, value in files.items():
        if isinstance(value, Tokenizer):
            value.save(str(path / "tokenizer.json"))
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            (path / file.replace("_txt", ".txt").replace("_json", ".json")).write_text(text, encoding="utf-8")
    return path


def clip():
    """CLIP's vocab.json and merges.txt, as OpenAI's simple tokenizer makes them."""
    lines = gzip.open(WORK / "bpe_simple_vocab_16e6.txt.gz").read().decode("utf-8").split("\n")
    merges = lines[1 : 49152 - 256 - 2 + 1]
    printed = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    characters = printed[:] + [256 + place for place in range(256 - len(printed))]
    tokens = [chr(character) for character in characters]
    tokens += [token + "</w>" for token in tokens]
    tokens += ["".join(merge.split()) for merge in merges] + [BEGIN, END]
    assert len(tokens) == 49408
    return {token: number for number, token in enumerate(tokens)}, "#version: 0.2\n" + "\n".join(merges) + "\n"


def trained(tokenizer, trainer, prompts):
    tokenizer.train_from_iterator(prompts, trainer)
    return tokenizer


def qwen(prompts):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(vocab_size=4000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    trained(tokenizer, trainer, prompts).add_special_tokens([END, "<|im_start|>", "<|im_end|>"])
    # Settings of its own, which are not to count.
    tokenizer.enable_padding(length=16, pad_id=3, pad_token="x")
    tokenizer.enable_truncation(8)
    return tokenizer


def gemma(prompts):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    special = ["<pad>", "<eos>", "<bos>", "<unk>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    # Most of what the prompts have has no token, so that it falls back to bytes.
    trainer = trainers.BpeTrainer(vocab_size=3000, special_tokens=special, limit_alphabet=80, show_progress=False)
    text = json.loads(trained(tokenizer, trainer, prompts).to_str())
    text["added_tokens"] = [token for token in text["added_tokens"] if not token["content"].startswith("<0x")]
    tokenizer = Tokenizer.from_str(json.dumps(text))
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 2)])
    return tokenizer


def t5(prompts):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=2000, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    trained(tokenizer, trainer, prompts)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.add_special_tokens([AddedToken("<extra_id_0>", lstrip=True, rstrip=True)])
    return tokenizer


def compare(name, path, reference, prompts, allowed=0):
    """Compares the ids as they are, and cut and padded to 77."""
    failed = False
    for length in (None, 77):
        command = [EXAMPLE, path] + ([str(length)] if length else [])
        said = subprocess.run(
            command, input="\n".join(map(json.dumps, prompts)), capture_output=True, text=True, encoding="utf-8", check=True
        )
        ours = [json.loads(line) for line in said.stdout.splitlines()]
        padding = {"padding": "max_length", "truncation": True, "max_length": length} if length else {"truncation": False}
        theirs = [reference(prompt, **(padding if length else {"padding": False, **padding}))["input_ids"] for prompt in prompts]
        equal = [our == their for our, their in zip(ours, theirs, strict=True)]
        print(f"{name}, {f'{length} ids' if length else 'all ids'}: {sum(equal)} of {len(prompts)}")
        for prompt, our, their in zip(prompts, ours, theirs):
            if our != their:
                place = next((at for at, (one, other) in enumerate(zip(our, their)) if one != other), min(len(our), len(their)))
                print(f"  {prompt[:60]!r} from id {place} on: {our[place : place + 8]} instead of {their[place : place + 8]}")
        failed |= equal.count(False) > allowed
    return failed


def main():
    prompts = [json.loads(line) for line in open(PROMPTS, encoding="utf-8")]
    vocabulary, merges = clip()
    files = {"vocab_json": vocabulary, "merges_txt": merges}
    names = {"bos_token": BEGIN, "eos_token": END, "unk_token": END}
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, **names}
    flags = {key: {"content": value, **OBJECTS} for key, value in names.items()}
    decoder = {"49406": {"content": BEGIN, "special": True, **OBJECTS}, "49407": {"content": END, "special": True, **OBJECTS}}
    zero = {"0": {"content": "!", "special": True, **OBJECTS, "normalized": False}}
    kinds = {
        "CLIP": folder("clip", **files, tokenizer_config_json={**config, "pad_token": END}),
        "CLIP without a configuration": folder("clip-bare", **files),
        "CLIP of Stable Diffusion 1": folder(
            "clip-sd1", **files, tokenizer_config_json={**config, **flags, "pad_token": END},
            special_tokens_map_json={**flags, "pad_token": END},
        ),
        "CLIP of SDXL's second encoder": folder(
            "clip-sdxl2", **files, special_tokens_map_json={**flags, "pad_token": "!"},
            tokenizer_config_json={**config, "pad_token": "!", "added_tokens_decoder": {**zero, **decoder}},
        ),
        "CLIP of Stable Diffusion 2": folder(
            "clip-sd2", **files, tokenizer_config_json=config, special_tokens_map_json={**flags, "pad_token": "!"},
        ),
        "CLIP with added tokens": folder(
            "clip-added", **files, tokenizer_config_json={**config, "pad_token": END},
            added_tokens_json={"<cat-toy>": 49408, "portrait": 49409},
        ),
    }
    # Prompts that have what is special there.
    prompts += ["a cat! and <cat-toy>!", "!", "! !", "<|EndOfText|> portrait", f"a{END}b {BEGIN} c", "x" * 5000]
    failed = False
    for name, path in kinds.items():
        failed |= compare(name, path, CLIPTokenizer.from_pretrained(path), prompts)
    saved = WORK / "clip-json"
    CLIPTokenizer.from_pretrained(kinds["CLIP"]).save_pretrained(saved)
    for file in ("vocab.json", "merges.txt"):
        (saved / file).unlink(missing_ok=True)
    failed |= compare("CLIP of tokenizer.json", saved, CLIPTokenizer.from_pretrained(saved), prompts)
    for name, make, pad, allowed in [("Qwen's kind", qwen, END, 0), ("Gemma's kind", gemma, "<pad>", 0), ("T5's kind", t5, "<pad>", 1)]:
        config = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": pad}
        path = folder(name.split("'")[0].lower(), tokenizer=make(prompts), tokenizer_config_json=config)
        reference = PreTrainedTokenizerFast.from_pretrained(path)
        reference.padding_side = "right"
        failed |= compare(name, path, reference, prompts, allowed)
    sys.exit(failed)


if __name__ == "__main__":
    main()
