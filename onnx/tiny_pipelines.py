"""Makes tiny pipelines with random weights, for the tests of text to image, and exports them to `pipelines/`.

    python onnx/tiny_pipelines.py            # all of them
    python onnx/tiny_pipelines.py sd sdxl    # some. sd_legacy is made of sd, without torch

No network is trained. The weights are scaled so that an output depends on the sample, on the time and on the text. The
decoder's pictures are neither flat nor of black and white alone. The pictures of diffusers' pipelines with the same
weights are in `goldens/pipelines/`, by `goldens_pipelines.py`. Names of nodes and of their tensors are shortened, since
they are most of so small a file.

    sd          Stable Diffusion 1.5: PNDM, epsilon, a factor of 8
    sd_legacy   the same weights in the layout of diffusers' old script: vae_encoder draws by itself, ids are i32,
                the time has an axis, the U-Net's weights are in `weights.pb`, no network has a config.json
    sd2         2.1: DDIM, v, gelu, padded with "!"; the tokenizer as one tokenizer.json
    sdxl        XL: Euler, two text encoders of different sizes, the second padded with "!", a factor of 4
    lcm         a latent consistency model, whose condition is the guidance scale. It too has one tokenizer.json
    inpaint     nine channels: the mask and the masked picture behind the latents
    ip2p        InstructPix2Pix: eight channels, the picture behind the latents
    ddpm        pixels, no text
    ldm         latents of a VQModel, no text
    dit         a transformer with a class, which predicts a variance too
"""

import argparse
import json
import math
import os
import pathlib
import shutil
import tempfile

import onnx
from onnx import TensorProto, helper

HERE = pathlib.Path(__file__).parent
PIPELINES = HERE / "pipelines"

# What the tests say in their prompts, so that most words are one token, as in CLIP.
WORDS = (
    "a an the of in on and with at by photo picture painting drawing red green blue yellow black white gold small big "
    "old cat dog bird fish horse astronaut castle tree forest river mountain sea city moon star night day sunset "
    "sky snow riding flying sitting standing under above beside portrait oil watercolor sketch detailed blurry ugly low "
    "quality high make it turn into winter style robot dragon king queen flower garden house boat"
).split()

LATENT = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
IMAGENET = {
    0: "tench, Tinca tinca", 1: "goldfish, Carassius auratus", 2: "great white shark, white shark, man-eater",
    7: "cock", 207: "golden retriever", 281: "tabby, tabby cat", 360: "otter", 387: "lesser panda, red panda",
    717: "pickup, pickup truck", 879: "umbrella", 999: "toilet tissue, toilet paper, bathroom tissue",
}


def store(value, path):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


# The tokenizer

START, END = "<|startoftext|>", "<|endoftext|>"


def vocabulary():
    """CLIP's form: {token: id} and the merges. Bytes, bytes that end a word, the results of the merges, the two
    specials.
    """
    # As GPT-2 writes bytes: those that can be printed as they are, then the others.
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printed]
    symbols = [chr(byte) for byte in printed] + [chr(256 + place) for place in range(len(others))]
    merges = []
    for word in WORDS:
        parts = [*word[:-1], word[-1] + "</w>"]
        # What is known already goes first, by its rank, as the tokenizer does it; then from the left.
        while len(parts) > 1:
            pairs = list(zip(parts, parts[1:]))
            known = [merges.index(pair) for pair in pairs if pair in merges]
            pair = merges[min(known)] if known else pairs[0]
            if not known:
                merges.append(pair)
            place = pairs.index(pair)
            parts[place:place + 2] = ["".join(pair)]
    tokens = [*symbols, *(symbol + "</w>" for symbol in symbols), *("".join(pair) for pair in merges), START, END]
    assert len(set(tokens)) == len(tokens)
    return {token: number for number, token in enumerate(tokens)}, merges


def write_tokenizer(folder, pad=END, form="files"):
    """form: `files`, as transformers 4 writes it, `json`, as transformers 5 writes it, or `both`."""
    from transformers import CLIPTokenizer

    tokens, merges = vocabulary()
    folder.mkdir(parents=True)
    if form != "files":
        tokenizer = CLIPTokenizer(vocab=tokens, merges=merges, pad_token=pad, model_max_length=77)
        tokenizer.save_pretrained(folder)
    if form == "json":
        return
    (folder / "vocab.json").write_text(json.dumps(tokens, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges), ""]
    (folder / "merges.txt").write_text("\n".join(lines), encoding="utf-8")

    def special(text, normalized=True):
        return {"content": text, "lstrip": False, "normalized": normalized, "rstrip": False, "single_word": False}

    roles = {"bos_token": special(START), "eos_token": special(END), "pad_token": pad, "unk_token": special(END)}
    store(roles, folder / "special_tokens_map.json")
    if form == "files":
        added = {tokens[text]: special(text, text in (START, END)) | {"special": True} for text in {START, END, pad}}
        store(
            {
                "add_prefix_space": False,
                "added_tokens_decoder": {str(number): added[number] for number in sorted(added)},
                "bos_token": START, "clean_up_tokenization_spaces": True, "do_lower_case": True, "eos_token": END,
                "errors": "replace", "model_max_length": 77, "pad_token": pad, "tokenizer_class": "CLIPTokenizer",
                "unk_token": END,
            },
            folder / "tokenizer_config.json",
        )


# The networks

def liven(module, seed):
    """Random weights under which a signal neither dies nor grows, and no layer is zero."""
    import torch

    generator = torch.Generator().manual_seed(seed)

    def normal(weight, mean, deviation):
        with torch.no_grad():
            weight.copy_(mean + deviation * torch.randn(weight.shape, generator=generator))

    for name, weight in module.named_parameters():
        if weight.ndim == 1 and name.endswith("weight"):
            # Of a normalization.
            normal(weight, 1.0, 0.2)
        elif weight.ndim == 1:
            normal(weight, 0.0, 0.1)
        elif "embedding" in name and "linear" not in name and "proj" not in name:
            # A table: a row is of the size of a signal.
            normal(weight, 0.0, 1.0)
        else:
            # What is added to what goes past it: if that were as large, differences of rounding would grow by orders.
            added = name.endswith(("conv2.weight", "to_out.0.weight", "net.2.weight", "proj_out.weight"))
            # The text and the time come from outside, and may be loud.
            told = name.endswith(("attn2.to_out.0.weight", "time_emb_proj.weight"))
            normal(weight, 0.0, (2.0 if told else 0.5 if added else 1.0) / math.sqrt(weight[0].numel()))
    return module.eval().requires_grad_(False)


def let_through(model, channels):
    """Passes a part of a U-Net's input through to its output, as a good guess of the noise is at first. So the pictures
    stay of the size of latents. Each channel goes beside the layers twice, once negated, since silu(x) - silu(-x) = x.
    """
    import torch

    last = model.up_blocks[-1].resnets[-1].conv_shortcut
    width = last.out_channels
    with torch.no_grad():
        for layer, share in ((model.conv_in, 0.2), (model.conv_out, 0.2), (last, 0.4)):
            layer.weight.mul_(share)
        for channel in range(channels):
            for place, sign in ((channel, 1.0), (channels + channel, -1.0)):
                model.conv_in.weight[place, channel, 1, 1] += sign
                model.conv_out.weight[channel, place, 1, 1] += sign
                last.weight[place, last.in_channels - width + place, 0, 0] += 1.0


def scale_output(layer, said, deviation):
    """Scales the last layer so that the output `said` has a mean of 0 and this deviation, in each channel."""
    import torch

    axes = [axis for axis in range(said.ndim) if axis != 1]
    factor, mean = deviation / said.std(dim=axes), said.mean(dim=axes)
    with torch.no_grad():
        layer.bias.sub_(mean).mul_(factor)
        layer.weight.mul_(factor.reshape([-1] + [1] * (layer.weight.ndim - 1)))


def text_encoder(seed, hidden=32, layers=2, heads=2, act="quick_gelu", projection=None, old_end=True, pad=None):
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    tokens, _ = vocabulary()
    # Old configurations say 2 for the end: then the largest id is taken for it.
    ends = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1} if old_end else {
        "bos_token_id": tokens[START], "eos_token_id": tokens[END], "pad_token_id": tokens[pad or END],
    }
    config = CLIPTextConfig(
        vocab_size=len(tokens), hidden_size=hidden, intermediate_size=2 * hidden, num_hidden_layers=layers,
        num_attention_heads=heads, max_position_embeddings=77, hidden_act=act, projection_dim=projection or hidden,
        **ends,
    )
    return liven((CLIPTextModelWithProjection if projection else CLIPTextModel)(config), seed)


def unet(seed, channels=4, size=8, time=None, **config):
    """A U-Net with a condition, of two sizes. Its output is calibrated at random inputs."""
    import torch
    from diffusers import UNet2DConditionModel

    config = {
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"), "block_out_channels": (8, 16), "layers_per_block": 1,
        "cross_attention_dim": 32, "attention_head_dim": 2,
        "norm_num_groups": 4, "sample_size": size, "in_channels": channels, "out_channels": 4,
    } | config
    model = liven(UNet2DConditionModel(**config), seed)
    let_through(model, 4)
    generator = torch.Generator().manual_seed(seed)
    told = {}
    if config.get("addition_embed_type"):
        pooled = config["projection_class_embeddings_input_dim"] - 6 * config["addition_time_embed_dim"]
        sizes = torch.tensor([[64.0, 64, 0, 0, 64, 64]]).repeat(8, 1)
        told["added_cond_kwargs"] = {"text_embeds": torch.randn(8, pooled, generator=generator), "time_ids": sizes}
    if config.get("time_cond_proj_dim"):
        told["timestep_cond"] = torch.randn(8, config["time_cond_proj_dim"], generator=generator)
    said = model(
        torch.randn(8, channels, size, size, generator=generator), torch.linspace(1, 999, 8),
        torch.randn(8, 77, config["cross_attention_dim"], generator=generator), **told,
    ).sample
    scale_output(model.conv_out, said, 0.8)
    return model


def pixel_unet(seed, channels, size, **config):
    import torch
    from diffusers import UNet2DModel

    model = liven(UNet2DModel(
        sample_size=size, in_channels=channels, out_channels=channels, layers_per_block=1, block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=8, norm_num_groups=4, **config,
    ), seed)
    let_through(model, channels)
    generator = torch.Generator().manual_seed(seed)
    said = model(torch.randn(8, channels, size, size, generator=generator), torch.linspace(1, 999, 8)).sample
    scale_output(model.conv_out, said, 0.8)
    return model


def autoencoder(seed, channels, scaling, quantized=False):
    """An AutoencoderKL or a VQModel whose latents, times the scaling, have a variance of about one."""
    import torch
    from diffusers import AutoencoderKL, VQModel

    blocks = len(channels)
    config = {
        "down_block_types": ("DownEncoderBlock2D",) * blocks, "up_block_types": ("UpDecoderBlock2D",) * blocks,
        "block_out_channels": channels, "layers_per_block": 1, "norm_num_groups": 4, "scaling_factor": scaling,
    }
    factor = 2 ** (blocks - 1)
    if quantized:
        model = VQModel(**config, latent_channels=3, num_vq_embeddings=64, vq_embed_dim=3, sample_size=8 * factor)
    else:
        model = AutoencoderKL(**config, latent_channels=4, sample_size=8 * factor)
    liven(model, seed)
    generator = torch.Generator().manual_seed(seed)
    pictures = torch.randn(8, 3, 8, 8, generator=generator)
    pictures = torch.nn.functional.interpolate(pictures, size=(8 * factor, 8 * factor), mode="bilinear").clamp(-1, 1)
    latent_channels = model.config.latent_channels
    latents = torch.randn(8, latent_channels, 8, 8, generator=generator) / scaling
    if quantized:
        scale_output(model.quant_conv, model.encode(pictures).latents, 1 / scaling)
        # The codes are latents.
        model.quantize.embedding.weight.data.copy_(latents.permute(0, 2, 3, 1).reshape(-1, latent_channels)[:64])
    else:
        said = model.encode(pictures).latent_dist.parameters
        # Of the logarithm of the variance too: the noise is to be seen.
        scale_output(model.quant_conv, said, torch.tensor([0.8 / scaling] * latent_channels + [0.5] * latent_channels))
        model.quant_conv.bias.data[latent_channels:] += math.log(0.3 / scaling)
    scale_output(model.decoder.conv_out, model.decode(latents).sample, 0.5)
    return model


# The pipelines

def pndm():
    from diffusers import PNDMScheduler

    return PNDMScheduler(**LATENT, skip_prk_steps=True, set_alpha_to_one=False, steps_offset=1)


def stable_diffusion(kind, folder, unet, text_encoder, vae, scheduler, **tokenizer):
    """Stores a pipeline of one text encoder."""
    import diffusers
    from transformers import CLIPTokenizer

    write_tokenizer(folder / "tokenizer", **tokenizer)
    pipeline = getattr(diffusers, kind)(
        vae=vae, text_encoder=text_encoder, tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"), unet=unet,
        scheduler=scheduler, safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )
    save(pipeline, folder)


def save(pipeline, folder):
    """Like save_pretrained, but leaves the tokenizers that are there as they are, and writes no paths."""
    kept = {path: path.read_bytes() for path in folder.glob("tokenizer*/*")}
    pipeline.save_pretrained(folder)
    for name in folder.glob("tokenizer*/*"):
        name.unlink()
    for path, content in kept.items():
        path.write_bytes(content)
    for path in [folder / "model_index.json", *folder.glob("*/config.json")]:
        config = json.loads(path.read_text(encoding="utf-8"))
        if config.pop("_name_or_path", None) is not None:
            store(config, path)


def make_sd(folder):
    stable_diffusion(
        "StableDiffusionPipeline", folder, unet(11), text_encoder(12), autoencoder(13, (8, 8, 8, 8), 0.18215), pndm(),
    )


def make_sd2(folder):
    from diffusers import DDIMScheduler

    net = unet(21, use_linear_projection=True, attention_head_dim=(1, 2))
    scheduler = DDIMScheduler(
        **LATENT, clip_sample=False, set_alpha_to_one=False, steps_offset=1, prediction_type="v_prediction",
    )
    encoder = text_encoder(22, act="gelu", layers=3, old_end=False, pad="!")
    vae = autoencoder(23, (4, 8, 8), 0.18215)
    stable_diffusion("StableDiffusionPipeline", folder, net, encoder, vae, scheduler, pad="!", form="json")


def make_sdxl(folder):
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline
    from transformers import CLIPTokenizer

    write_tokenizer(folder / "tokenizer", form="both")
    write_tokenizer(folder / "tokenizer_2", pad="!")
    net = unet(
        31, size=16, use_linear_projection=True, cross_attention_dim=32 + 24,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        addition_embed_type="text_time", addition_time_embed_dim=8, projection_class_embeddings_input_dim=20 + 6 * 8,
    )
    pipeline = StableDiffusionXLPipeline(
        vae=autoencoder(34, (4, 8, 8), 0.13025), text_encoder=text_encoder(32),
        text_encoder_2=text_encoder(33, hidden=24, layers=3, act="gelu", projection=20),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        tokenizer_2=CLIPTokenizer.from_pretrained(folder / "tokenizer_2"), unet=net,
        scheduler=EulerDiscreteScheduler(**LATENT, timestep_spacing="leading", steps_offset=1),
        force_zeros_for_empty_prompt=True, add_watermarker=False,
    )
    save(pipeline, folder)


def make_lcm(folder):
    from diffusers import LatentConsistencyModelPipeline, LCMScheduler
    from transformers import CLIPTokenizer

    write_tokenizer(folder / "tokenizer", form="json")
    scheduler = LCMScheduler(
        **LATENT, steps_offset=1, clip_sample=False, set_alpha_to_one=True, original_inference_steps=50,
    )
    pipeline = LatentConsistencyModelPipeline(
        vae=autoencoder(43, (4, 8, 8), 0.18215), text_encoder=text_encoder(42),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer"), unet=unet(41, time_cond_proj_dim=32),
        scheduler=scheduler, safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )
    save(pipeline, folder)


def make_inpaint(folder):
    stable_diffusion(
        "StableDiffusionInpaintPipeline", folder, unet(51, channels=9), text_encoder(52),
        autoencoder(53, (4, 4, 8, 8), 0.18215), pndm(),
    )


def make_ip2p(folder):
    from diffusers import EulerAncestralDiscreteScheduler

    scheduler = EulerAncestralDiscreteScheduler(**LATENT, timestep_spacing="leading", steps_offset=1)
    stable_diffusion(
        "StableDiffusionInstructPix2PixPipeline", folder, unet(61, channels=8), text_encoder(62),
        autoencoder(63, (4, 8, 8), 0.18215), scheduler,
    )


def make_ddpm(folder):
    from diffusers import DDPMPipeline, DDPMScheduler

    save(DDPMPipeline(unet=pixel_unet(71, 3, 16), scheduler=DDPMScheduler(variance_type="fixed_large")), folder)


def make_ldm(folder):
    from diffusers import DDIMScheduler, LDMPipeline

    scheduler = DDIMScheduler(
        beta_schedule="scaled_linear", beta_start=0.0015, beta_end=0.0195, clip_sample=False,
    )
    vqvae = autoencoder(82, (4, 8, 8), 0.18215, quantized=True)
    save(LDMPipeline(vqvae=vqvae, unet=pixel_unet(81, 3, 8), scheduler=scheduler), folder)


def make_dit(folder):
    import torch
    from diffusers import DDIMScheduler, DiTPipeline, DiTTransformer2DModel

    # The pipeline has 1000 for no class, whatever the network has.
    net = liven(DiTTransformer2DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, out_channels=8, num_layers=2, sample_size=8,
        num_embeds_ada_norm=1000,
    ), 91)
    with torch.no_grad():
        # Here too a part of what it says is its input, and the class does not turn it around.
        net.proj_out_1.weight.mul_(0.2)
        turned = torch.linalg.qr(net.pos_embed.proj.weight.reshape(16, 16))[0]
        net.pos_embed.proj.weight.copy_(4 * turned.reshape(16, 4, 2, 2))
        back = net.proj_out_2.weight.mul_(0.2).reshape(2, 2, 8, 16)
        back[:, :, :4] += turned.reshape(16, 4, 2, 2).permute(2, 3, 1, 0)
    generator = torch.Generator().manual_seed(91)
    x = torch.randn(8, 4, 8, 8, generator=generator)
    said = net(x, torch.linspace(1, 999, 8), torch.randint(0, 1001, (8,), generator=generator)).sample
    with torch.no_grad():
        net.proj_out_2.weight.mul_(0.8 / said.std())
        net.proj_out_2.bias.mul_(0.8 / said.std())
    scheduler = DDIMScheduler(clip_sample=False)
    save(DiTPipeline(transformer=net, vae=autoencoder(93, (4, 8, 8), 0.18215), scheduler=scheduler), folder)
    # As the published ones have it; save_pretrained leaves it out.
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    store(index | {"id2label": {str(number): name for number, name in IMAGENET.items()}}, folder / "model_index.json")


MAKERS = {
    "sd": make_sd, "sd2": make_sd2, "sdxl": make_sdxl, "lcm": make_lcm, "inpaint": make_inpaint, "ip2p": make_ip2p,
    "ddpm": make_ddpm, "ldm": make_ldm, "dit": make_dit,
}


def make(name, folder):
    """Stores the pipeline of that name in diffusers' form."""
    MAKERS[name](pathlib.Path(folder))


# What is written

def shorten(model):
    """Takes the names of nodes and of what lies between them for numbers, and leaves those of weights."""
    graph = model.graph
    kept = {value.name for value in [*graph.input, *graph.output, *graph.initializer]} | {""}
    numbers = {}

    def short(name):
        return name if name in kept else numbers.setdefault(name, f"{len(numbers):x}")

    for node in graph.node:
        node.ClearField("name")
        node.input[:] = [short(name) for name in node.input]
        node.output[:] = [short(name) for name in node.output]
    del graph.value_info[:]


def legacy(source, target):
    """Changes a folder of optimum's layout to that of diffusers' old script."""
    shutil.copytree(source / "scheduler", target / "scheduler")
    shutil.copytree(source / "tokenizer", target / "tokenizer")
    index = json.loads((source / "model_index.json").read_text(encoding="utf-8"))
    model = ["diffusers", "OnnxRuntimeModel"]
    store(
        {
            "_class_name": "OnnxStableDiffusionPipeline", "_diffusers_version": "0.10.0.dev0",
            "feature_extractor": [None, None], "requires_safety_checker": False, "safety_checker": [None, None],
            "scheduler": index["scheduler"], "text_encoder": model, "tokenizer": index["tokenizer"], "unet": model,
            "vae_decoder": model, "vae_encoder": model,
        },
        target / "model_index.json",
    )

    def graph_input(model, name):
        return next(value for value in model.graph.input if value.name == name)

    def behind_input(model, name, node):
        """Connects everything that read the input to the node's output."""
        for reader in model.graph.node:
            reader.input[:] = [f"{name}_inside" if one == name else one for one in reader.input]
        node.output[:] = [f"{name}_inside"]
        model.graph.node.insert(0, node)

    def text_encoder(model):
        graph_input(model, "input_ids").type.tensor_type.elem_type = TensorProto.INT32
        behind_input(model, "input_ids", helper.make_node("Cast", ["input_ids"], [""], to=TensorProto.INT64))

    def unet(model):
        timestep = graph_input(model, "timestep")
        timestep.CopyFrom(helper.make_tensor_value_info("timestep", TensorProto.FLOAT, ["batch"]))
        # All are the same.
        model.graph.initializer.append(helper.make_tensor("first", TensorProto.INT64, [], [0]))
        behind_input(model, "timestep", helper.make_node("Gather", ["timestep", "first"], [""], axis=0))

    def vae_encoder(model):
        axes = ["batch", "channels", "height", "width"]
        model.graph.output[0].CopyFrom(helper.make_tensor_value_info("latent_sample", TensorProto.FLOAT, axes))
        for name, value in (("half", 0.5), ("least", -30.0), ("most", 20.0)):
            model.graph.initializer.append(helper.make_tensor(name, TensorProto.FLOAT, [], [value]))
        model.graph.node.extend([
            helper.make_node("Split", ["latent_parameters"], ["mean", "logarithm"], axis=1),
            helper.make_node("Clip", ["logarithm", "least", "most"], ["clipped"]),
            helper.make_node("Mul", ["clipped", "half"], ["halved"]),
            helper.make_node("Exp", ["halved"], ["deviation"]),
            helper.make_node("RandomNormalLike", ["mean"], ["noise"]),
            helper.make_node("Mul", ["deviation", "noise"], ["spread"]),
            helper.make_node("Add", ["mean", "spread"], ["latent_sample"]),
        ])

    changes = {"text_encoder": text_encoder, "unet": unet, "vae_encoder": vae_encoder, "vae_decoder": None}
    for name, change in changes.items():
        model = onnx.load(source / name / "model.onnx")
        if change:
            change(model)
        (target / name).mkdir()
        path = target / name / "model.onnx"
        if name == "unet":
            onnx.save(model, path, save_as_external_data=True, location="weights.pb", size_threshold=256)
        else:
            onnx.save(model, path)
        onnx.checker.check_model(path)


def quiet():
    """No progress of what takes no time, and no advice."""
    import diffusers
    import transformers

    # Everything is made here.
    os.environ["HF_HUB_OFFLINE"] = "1"
    diffusers.utils.logging.set_verbosity_error()
    transformers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()


def main():
    names = [*MAKERS, "sd_legacy"]
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    chosen = parser.parse_args().names or names
    if set(chosen) - set(names):
        parser.error(f"expected some of {', '.join(names)}, found {', '.join(chosen)}")
    PIPELINES.mkdir(exist_ok=True)
    for name in chosen:
        with tempfile.TemporaryDirectory(dir=PIPELINES, prefix=".made-") as folder:
            made, exported = pathlib.Path(folder, "made"), pathlib.Path(folder, name)
            if name == "sd_legacy":
                exported.mkdir()
                legacy(PIPELINES / "sd", exported)
            else:
                import pipelines

                quiet()
                make(name, made)
                pipelines.export(made, exported, rewrite=shorten)
            shutil.rmtree(PIPELINES / name, ignore_errors=True)
            exported.replace(PIPELINES / name)
        size = sum(file.stat().st_size for file in (PIPELINES / name).rglob("*") if file.is_file())
        print(f"{name}: {size:,} bytes")


if __name__ == "__main__":
    main()
