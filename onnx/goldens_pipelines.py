"""Writes the pictures of diffusers' pipelines with the tiny networks of `tiny_pipelines.py` into `goldens/pipelines/`.

    python onnx/goldens_pipelines.py            # all of them
    python onnx/goldens_pipelines.py sd sdxl    # some folders. The cases of others stay as they are
    python onnx/goldens_pipelines.py --check    # compares with the same pipelines, run on the graphs of `pipelines/`

The same weights are made anew and run by torch in f32 on the CPU. `cases.json` has a list of cases: the folder in
`pipelines/`, diffusers' class, and all arguments, also those that have a default. `FOLDER.safetensors` has of each case

    CASE.latents    f32, before they are decoded, and before they are divided by the autoencoder's factor; of a pipeline
                    of pixels the last sample, before it is clamped
    CASE.picture    u8 [batch, height, width, 3]
    CASE.steps      of some: the latents after each step
    CASE.context    of some: the denoiser's conditions from the prompts, and `CASE.pooled`, of XL

The arguments, by the names that they have here:

    prompts, negative       texts. `negative` is null where none was given. `images` of each prompt lie side by side
    ids, ids_2              of each prompt: its tokens by the tokenizers, whole length
    seeds                   a number: one generator for the whole batch. A list: one for each item of it
    scheduler               null: the folder's. Else the configuration in its place
    image, mask             pictures in this folder. A mask is white where it is drawn anew
    height, width           null: the folder's, or what the image has
    original_size, crop, target_size    XL's conditions, each as [height, width] or [top, left]; null: its defaults
    classes                 the numbers of classes
"""

import argparse
import importlib.metadata
import json
import os
import pathlib
import tempfile

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file

import tiny_pipelines

GOLDENS = pathlib.Path(__file__).parent / "goldens" / "pipelines"

# What a case's arguments are where it does not say. Each mode has those of `TAKEN`.
DEFAULTS = {
    "prompts": ["a photo of a red cat"], "negative": None, "images": 1, "steps": 4, "guidance_scale": 5.0,
    "guidance_rescale": 0.0, "image_guidance_scale": 1.5, "strength": 0.6, "eta": 0.0, "height": None, "width": None,
    "seeds": 7, "scheduler": None, "image": "picture_64.png", "mask": "mask_64.png", "original_size": None,
    "crop": None, "target_size": None, "classes": [207], "count": 1,
}
TEXT = ("prompts", "negative", "images", "steps", "guidance_scale", "eta", "seeds", "scheduler")
SIZES = ("original_size", "crop", "target_size")
# mode: the arguments of diffusers' pipelines of Stable Diffusion.
TAKEN = {
    "text": (*TEXT, "guidance_rescale", "height", "width"),
    "image": (*TEXT, "strength", "image"),
    "inpaint": (*TEXT, "strength", "image", "mask", "height", "width"),
    "edit": (*TEXT, "image_guidance_scale", "image"),
    "unconditional": ("count", "steps", "eta", "seeds", "scheduler"),
    "class": ("classes", "steps", "guidance_scale", "seeds", "scheduler"),
}
# By diffusers' names, where they are others.
NAMES = {
    "prompts": "prompt", "negative": "negative_prompt", "images": "num_images_per_prompt",
    "steps": "num_inference_steps", "mask": "mask_image", "crop": "crops_coords_top_left", "count": "batch_size",
    "classes": "class_labels",
}

EDITS = ["make it winter", "turn the cat into a dog"]
TWO = ["a photo of a red cat", "an astronaut riding a horse, oil painting"]
ODD = "Ein Bild: “déjà vu” 日本 \U0001f468\u200d\U0001f680 <b>x</b> & 42's don't!"
LONG = " ".join(["a castle on a mountain in the forest by the sea at night, photo of a robot and a dragon;"] * 8)
# Schedulers in the place of the folder's, as `from_config` makes them of it.
ANCESTRAL = ("EulerAncestralDiscreteScheduler", {})
KARRAS = ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True})
MULTISTEP = ("DPMSolverMultistepScheduler", {})
DDIM = ("DDIMScheduler", {})
USUAL = ["steps", "strength", "guidance_scale", "image_guidance_scale", "eta"]
# What is different in a case, by folder, mode and name.
CASES = {
    "sd": {
        "text": {
            "text": {"steps": 6, "guidance_scale": 7.5, "more": ["steps", "context"]},
            "text_two": {"prompts": TWO, "negative": ["", ""], "seeds": 3},
            "text_two_generators": {"prompts": TWO, "negative": ["blurry", "low quality"], "seeds": [3, 4]},
            "text_rescale": {"guidance_rescale": 0.7, "negative": ["ugly"], "guidance_scale": 7.5, "seeds": 11},
            "text_no_guidance": {"guidance_scale": 1.0, "negative": ["ugly"], "steps": 5, "seeds": 12},
            "text_ancestral": {"scheduler": ANCESTRAL, "prompts": TWO, "seeds": 13},
            "text_ancestral_generators": {"scheduler": ANCESTRAL, "prompts": TWO, "seeds": [13, 2**40 + 5]},
            "text_karras": {"scheduler": KARRAS, "steps": 6, "seeds": 14},
            "text_size": {"height": 40, "width": 72, "prompts": [ODD], "negative": [LONG], "seeds": 15},
            "text_long": {"prompts": [LONG], "seeds": 16},
            "text_usual": {"usual": USUAL, "seeds": 17},
        },
        "image": {
            "image": {"steps": 6, "more": ["steps"]},
            "image_two": {"prompts": TWO, "strength": 0.8, "steps": 5, "seeds": 21},
            "image_two_generators": {"prompts": TWO, "negative": ["", ""], "seeds": [21, 22]},
            "image_resized": {"image": "picture_50_67.png", "steps": 5, "seeds": 23},
            "image_ancestral": {"scheduler": ANCESTRAL, "steps": 5, "seeds": 24},
            "image_whole": {"strength": 1.0, "seeds": 25},
            "image_usual": {"usual": USUAL, "seeds": 26},
        },
        "inpaint": {
            "inpaint": {"strength": 1.0, "seeds": 31},
            "inpaint_strength": {"strength": 0.7, "steps": 5, "scheduler": DDIM, "seeds": 32},
            "inpaint_two": {"prompts": TWO, "strength": 0.8, "seeds": 33},
            # One picture for both: its noise is the first generator's alone, unlike that of an image to start from.
            "inpaint_two_generators": {"prompts": TWO, "strength": 0.8, "height": 32, "width": 32, "seeds": [35, 36]},
            "inpaint_resized": {
                "image": "picture_50_67.png", "mask": "mask_48_40.png", "height": 48, "width": 64, "seeds": [34],
            },
            "inpaint_usual": {"usual": USUAL, "seeds": 37},
        },
    },
    "sd2": {
        "text": {
            "text": {"steps": 5, "guidance_scale": 7.5},
            "text_negative": {"prompts": ["!cat! " + ODD], "negative": ["blurry"], "seeds": 3},
            "text_images": {"prompts": TWO, "images": 2, "seeds": 4},
            "text_images_generators": {"prompts": TWO, "images": 2, "negative": ["ugly", ""], "seeds": [5, 6, 7, 8]},
            "text_eta": {"prompts": TWO, "eta": 0.5, "seeds": 9},
            "text_eta_generators": {"prompts": TWO, "eta": 1.0, "seeds": [9, 10]},
            "text_rescale": {"guidance_rescale": 0.7, "seeds": 11},
            "text_size": {"height": 24, "width": 56, "seeds": 12},
            "text_karras": {"scheduler": KARRAS, "steps": 6, "seeds": 14},
        },
        "image": {
            "image": {"image": "picture_32.png", "steps": 5, "seeds": 21},
            "image_eta": {"image": "picture_50_67.png", "eta": 0.5, "steps": 5, "seeds": 22},
        },
        "inpaint": {
            "inpaint": {"image": "picture_32.png", "mask": "mask_48_40.png", "strength": 0.8, "steps": 5, "seeds": 31},
        },
    },
    "sdxl": {
        "text": {
            "text": {"steps": 5, "more": ["steps", "context"]},
            "text_empty_negative": {"steps": 5, "negative": [""], "more": ["context"]},
            "text_two": {"prompts": TWO, "seeds": 3},
            "text_two_generators": {"prompts": TWO, "negative": ["blurry", "low quality!"], "seeds": [3, 4]},
            "text_rescale": {"guidance_rescale": 0.7, "negative": ["ugly"], "seeds": 11},
            "text_no_guidance": {"guidance_scale": 1.0, "seeds": 12},
            "text_ancestral": {"scheduler": ANCESTRAL, "seeds": 13},
            "text_karras": {"scheduler": KARRAS, "steps": 6, "seeds": 14},
            "text_size": {
                "height": 40, "width": 72, "prompts": ["!cat! " + ODD], "original_size": [96, 80], "crop": [8, 4],
                "target_size": [48, 64], "seeds": 15,
            },
            "text_usual": {"usual": USUAL, "seeds": 16},
        },
        "image": {
            "image": {"steps": 5, "seeds": 21},
            "image_two": {"prompts": TWO, "negative": ["", "ugly"], "image": "picture_50_67.png", "seeds": 22},
            "image_two_generators": {"prompts": TWO, "seeds": [22, 23]},
            "image_usual": {"usual": USUAL, "seeds": 24},
        },
        "inpaint": {
            "inpaint": {"strength": 0.9999, "seeds": 31},
            "inpaint_strength": {"strength": 0.6, "steps": 5, "mask": "mask_48_40.png", "seeds": 32},
            "inpaint_whole": {"strength": 1.0, "prompts": TWO, "seeds": 33},
            "inpaint_usual": {"usual": USUAL, "seeds": 34},
        },
    },
    "lcm": {
        "text": {
            "text": {"guidance_scale": 8.5},
            "text_two": {"prompts": TWO, "guidance_scale": 1.5, "seeds": 3},
            "text_two_generators": {"prompts": TWO, "seeds": [3, 4]},
            "text_no_guidance": {"guidance_scale": 1.0, "steps": 2, "seeds": 5},
            "text_one_step": {"steps": 1, "seeds": 6},
            "text_size": {"height": 24, "width": 40, "seeds": 7},
            "text_usual": {"usual": USUAL, "seeds": 8},
        },
        "image": {
            "image": {"image": "picture_32.png", "strength": 0.5, "seeds": 21},
            "image_two": {"image": "picture_50_67.png", "prompts": TWO, "strength": 0.8, "seeds": 22},
            "image_usual": {"usual": USUAL, "image": "picture_32.png", "seeds": 23},
        },
    },
    "inpaint": {
        "inpaint": {
            "inpaint": {"strength": 1.0, "guidance_scale": 7.5, "seeds": 31},
            "inpaint_strength": {"strength": 0.7, "steps": 5, "negative": ["blurry"], "seeds": 32},
            "inpaint_two": {"prompts": TWO, "strength": 1.0, "negative": ["", "ugly"], "seeds": 33},
            "inpaint_two_generators": {"prompts": TWO, "strength": 0.8, "seeds": [33, 34]},
            "inpaint_no_guidance": {"strength": 1.0, "guidance_scale": 1.0, "seeds": 35},
            "inpaint_ancestral": {"strength": 0.8, "scheduler": ANCESTRAL, "seeds": 36},
            "inpaint_resized": {
                "strength": 1.0, "image": "picture_50_67.png", "mask": "mask_48_40.png", "height": 40, "width": 72,
                "seeds": 37,
            },
            "inpaint_usual": {"usual": USUAL, "seeds": 38},
        },
    },
    "ip2p": {
        "edit": {
            "edit": {"prompts": ["make it winter"], "image": "picture_32.png", "guidance_scale": 7.5},
            "edit_two": {"prompts": EDITS, "image": "picture_32.png", "seeds": 3},
            "edit_two_generators": {
                "prompts": EDITS, "negative": ["blurry", ""], "image": "picture_32.png", "seeds": [3, 4],
            },
            "edit_no_guidance": {"image": "picture_32.png", "guidance_scale": 1.0, "seeds": 5},
            "edit_image_guidance_below_one": {"image": "picture_32.png", "image_guidance_scale": 0.9, "seeds": 6},
            "edit_resized": {"image": "picture_50_67.png", "image_guidance_scale": 1.0, "seeds": 7},
            "edit_karras": {"image": "picture_32.png", "scheduler": KARRAS, "steps": 6, "seeds": 8},
            "edit_usual": {"usual": USUAL, "image": "picture_32.png", "seeds": 9},
        },
    },
    "ddpm": {
        "unconditional": {
            "ddpm": {"steps": 6},
            "ddpm_two": {"count": 2, "seeds": 3},
            "ddpm_two_generators": {"count": 2, "seeds": [3, 4]},
            "ddim": {"scheduler": DDIM, "count": 2, "seeds": 5, "class": "DDIMPipeline"},
            "ddim_eta": {"scheduler": DDIM, "eta": 0.5, "count": 2, "seeds": [6, 7], "class": "DDIMPipeline"},
            "ddpm_usual": {"usual": USUAL, "seeds": 8},
        },
    },
    # These two give their schedulers no generator, so nothing is drawn on the way.
    "ldm": {
        "unconditional": {
            "ldm": {"steps": 6},
            "ldm_two": {"count": 2, "seeds": 3},
            "ldm_two_generators": {"count": 2, "seeds": [3, 4]},
            "ldm_multistep": {"scheduler": MULTISTEP, "seeds": 5},
            "ldm_usual": {"usual": USUAL, "seeds": 6},
        },
    },
    "dit": {
        "class": {
            "dit": {"steps": 6, "guidance_scale": 4.0},
            "dit_two": {"classes": [1, 360], "guidance_scale": 4.0, "seeds": 3},
            "dit_two_generators": {"classes": [0, 999], "guidance_scale": 2.0, "seeds": [3, 4]},
            "dit_no_guidance": {"classes": [7, 1000], "guidance_scale": 1.0, "seeds": 5},
            "dit_multistep": {"scheduler": MULTISTEP, "guidance_scale": 4.0, "seeds": 6},
            "dit_usual": {"usual": ["guidance_scale"], "seeds": 7},
        },
    },
}
# The class of diffusers that runs a mode with the folder's components, where it is not the folder's own.
OTHERS = {
    ("sd", "image"): "StableDiffusionImg2ImgPipeline", ("sd", "inpaint"): "StableDiffusionInpaintPipeline",
    ("sd2", "image"): "StableDiffusionImg2ImgPipeline", ("sd2", "inpaint"): "StableDiffusionInpaintPipeline",
    ("sdxl", "image"): "StableDiffusionXLImg2ImgPipeline", ("sdxl", "inpaint"): "StableDiffusionXLInpaintPipeline",
    ("lcm", "image"): "LatentConsistencyModelImg2ImgPipeline",
}


# Where a disc is, and its colour.
DISCS = {(0.35, 0.3): (0.95, 0.2, 0.1), (0.6, 0.7): (0.1, 0.7, 0.2), (0.75, 0.35): (0.05, 0.05, 0.3)}


def draw_pictures():
    """Coloured discs on a slope, and masks with soft edges, of which a half is inside."""
    for name, height, width in (("32", 32, 32), ("64", 64, 64), ("50_67", 50, 67)):
        row, column = np.mgrid[0:height, 0:width] / np.array([height, width]).reshape(2, 1, 1)
        picture = np.stack([0.2 + 0.6 * column, 0.3 + 0.5 * row, 0.8 - 0.6 * row * column], axis=-1)
        for place, colour in DISCS.items():
            picture[np.hypot(row - place[0], column - place[1]) < 0.18] = colour
        Image.fromarray((picture * 255).round().astype(np.uint8)).save(GOLDENS / f"picture_{name}.png", optimize=True)
    for name, height, width in (("64", 64, 64), ("48_40", 48, 40)):
        row, column = np.mgrid[0:height, 0:width] / np.array([height, width]).reshape(2, 1, 1)
        distance = np.hypot(row - 0.55, column - 0.4) + 0.06 * np.sin(9 * column)
        mask = np.clip(0.5 + (0.33 - distance) * 8, 0, 1)
        Image.fromarray((mask * 255).round().astype(np.uint8)).save(GOLDENS / f"mask_{name}.png", optimize=True)


def generators(seeds):
    made = [torch.Generator("cpu").manual_seed(seed) for seed in (seeds if isinstance(seeds, list) else [seeds])]
    return made if isinstance(seeds, list) else made[0]


def configured(scheduler):
    """Its configuration, as scheduler_config.json has it."""
    return json.loads(scheduler.to_json_string())


def run(pipeline, mode, arguments):
    """The last latents, those after each step, and the pictures."""
    ours = ("seeds", "scheduler", "ids", "ids_2")
    told = {NAMES.get(key, key): value for key, value in arguments.items() if key not in ours}
    if "image" in told:
        told["image"] = Image.open(GOLDENS / told["image"]).convert("RGB")
    if "mask_image" in told:
        told["mask_image"] = Image.open(GOLDENS / told["mask_image"]).convert("L")
    if told.get("crops_coords_top_left", ()) is None:
        del told["crops_coords_top_left"]
    seeds = arguments["seeds"]
    if mode in ("unconditional", "class"):
        # These return no latents: what the scheduler makes.
        steps, step = [], pipeline.scheduler.step

        def kept(*inputs, **options):
            said = step(*inputs, **options)
            steps.append(said.prev_sample)
            return said

        pipeline.scheduler.step = kept
        pictures = pipeline(**told, generator=generators(seeds)).images
        del pipeline.scheduler.step
        if mode == "class" and told.get("guidance_scale", 4.0) > 1:
            steps = [one.chunk(2)[0] for one in steps]
        return steps[-1], steps, pictures
    steps = []

    def step_end(pipeline, number, t, values):
        steps.append(values["latents"].clone())
        return values

    latents = pipeline(**told, generator=generators(seeds), output_type="latent", callback_on_step_end=step_end).images
    pictures = pipeline(**told, generator=generators(seeds)).images
    return latents, steps, pictures


def context(pipeline, arguments):
    """The denoiser's conditions: without guidance those of the prompts, else with the negative ones in front."""
    options = {"num_images_per_prompt": 1, "do_classifier_free_guidance": arguments["guidance_scale"] > 1}
    said = pipeline.encode_prompt(arguments["prompts"], device="cpu", negative_prompt=arguments["negative"], **options)
    assert options["do_classifier_free_guidance"]
    named = {"context": torch.cat([said[1], said[0]])}
    if len(said) == 4:
        named["pooled"] = torch.cat([said[3], said[2]])
    return named


def run_by_graphs(pipeline, folder):
    """Puts the graphs of a folder, in ONNX Runtime, in the place of a pipeline's networks."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime
    from diffusers.models.autoencoders.vae import DecoderOutput, DiagonalGaussianDistribution
    from diffusers.models.autoencoders.vq_model import VQEncoderOutput
    from diffusers.models.modeling_outputs import AutoencoderKLOutput, Transformer2DModelOutput
    from transformers.modeling_outputs import BaseModelOutputWithPooling
    from transformers.models.clip.modeling_clip import CLIPTextModelOutput

    def opened(part):
        session = onnxruntime.InferenceSession(str(folder / part / "model.onnx"), providers=["CPUExecutionProvider"])
        names = [one.name for one in session.get_inputs()]

        def say(**values):
            # What a pipeline has besides, such as the attention mask, is none of the graph's.
            said = session.run(None, {name: np.asarray(values[name]) for name in names})
            return {one.name: torch.from_numpy(value) for one, value in zip(session.get_outputs(), said)}

        return say

    def encoder(part):
        say = opened(part)

        def forward(input_ids, **_):
            said = say(input_ids=input_ids)
            # In their order.
            layers = tuple(value for name, value in said.items() if name.startswith("hidden_states."))
            said = {name: value for name, value in said.items() if not name.startswith("hidden_states.")}
            kind = CLIPTextModelOutput if "text_embeds" in said else BaseModelOutputWithPooling
            return kind(**said, hidden_states=layers)

        return forward

    def denoiser(part, first):
        say = opened(part)

        def forward(x, t=None, timestep=None, added_cond_kwargs=None, return_dict=True, **values):
            t = timestep if t is None else t
            values = {key: value for key, value in values.items() if value is not None} | (added_cond_kwargs or {})
            said = say(**{first: x, "timestep": t.to(torch.float32)}, **values)["out_sample"]
            return Transformer2DModelOutput(sample=said) if return_dict else (said,)

        return forward

    for part, module in pipeline.components.items():
        if part.startswith("text_encoder"):
            module.forward = encoder(part)
        elif part == "unet":
            module.forward = denoiser(part, "sample")
        elif part == "transformer":
            module.forward = denoiser(part, "hidden_states")
        elif part in ("vae", "vqvae"):
            encode, decode = opened("vae_encoder"), opened("vae_decoder")

            def distribution(x, encode=encode):
                said = encode(sample=x)
                if "latent_sample" in said:
                    return VQEncoderOutput(latents=said["latent_sample"])
                return AutoencoderKLOutput(latent_dist=DiagonalGaussianDistribution(said["latent_parameters"]))

            def pictures(z, return_dict=True, generator=None, decode=decode):
                said = decode(latent_sample=z)["sample"]
                return DecoderOutput(sample=said) if return_dict else (said,)

            module.encode, module.decode = distribution, pictures


def of_folder(name, by_graphs=False):
    """The cases of a folder, and their tensors."""
    import diffusers

    with tempfile.TemporaryDirectory() as folder:
        tiny_pipelines.make(name, folder)
        base = diffusers.DiffusionPipeline.from_pretrained(folder)
    if by_graphs:
        run_by_graphs(base, tiny_pipelines.PIPELINES / name)
    written, tensors = [], {}
    own = configured(base.scheduler)
    for mode, cases in CASES[name].items():
        for case, different in cases.items():
            different = dict(different)
            more = different.pop("more", [])
            # What is left to the pipeline's own defaults.
            usual = different.pop("usual", [])
            kind = different.pop("class", OTHERS.get((name, mode), type(base).__name__))
            taken = TAKEN[mode] + (SIZES if name == "sdxl" else ())
            if name == "sdxl" and mode != "text":
                taken += ("guidance_rescale",)
            if name == "lcm":
                # It is told of no negative prompt, no eta and no rescaling.
                taken = tuple(key for key in taken if key not in ("negative", "eta", "guidance_rescale"))
            if kind == "DDPMPipeline":
                taken = tuple(key for key in taken if key != "eta")
            assert set(different) <= set(taken), (name, case, set(different) - set(taken))
            arguments = {key: different.get(key, DEFAULTS[key]) for key in taken if key not in usual}
            replaced = arguments["scheduler"]
            if replaced:
                scheduler = getattr(diffusers, replaced[0]).from_config(own, **replaced[1])
                arguments["scheduler"] = configured(scheduler)
            else:
                scheduler = getattr(diffusers, own["_class_name"]).from_config(own)
            components = {key: value for key, value in base.components.items() if key != "scheduler"}
            options = {"requires_safety_checker": False} if "safety_checker" in components else {}
            if name == "sdxl":
                options = {"force_zeros_for_empty_prompt": True, "add_watermarker": False}
            pipeline = getattr(diffusers, kind)(**components, scheduler=scheduler, **options)
            pipeline.set_progress_bar_config(disable=True)
            for key in ("tokenizer", "tokenizer_2"):
                if key in components:
                    whole = {"padding": "max_length", "max_length": 77, "truncation": True}
                    ids = components[key](arguments["prompts"], **whole).input_ids
                    arguments[key.replace("tokenizer", "ids")] = ids
            latents, steps, pictures = run(pipeline, mode, arguments)
            assert torch.isfinite(latents).all(), (name, case)
            tensors[f"{case}.latents"] = latents.numpy()
            tensors[f"{case}.picture"] = np.stack([np.asarray(picture) for picture in pictures])
            if "steps" in more:
                tensors[f"{case}.steps"] = torch.stack(steps).numpy()
            if "context" in more:
                tensors |= {f"{case}.{key}": value.numpy() for key, value in context(pipeline, arguments).items()}
            # save_file writes an array that is not contiguous as it lies in memory.
            tensors = {key: np.ascontiguousarray(value) for key, value in tensors.items()}
            written.append({
                "name": case, "folder": name, "pipeline": kind, "mode": mode, "arguments": arguments,
                "data": f"{name}.safetensors",
            })
    return written, tensors


def check(name):
    """Prints the distance of the graphs' pictures from the stored ones."""
    stored = load_file(GOLDENS / f"{name}.safetensors")
    _, tensors = of_folder(name, by_graphs=True)
    if {key: value.shape for key, value in tensors.items()} != {key: value.shape for key, value in stored.items()}:
        raise SystemExit(f"{name}: expected the tensors of {name}.safetensors, found others")
    worst = {}
    for key, value in tensors.items():
        what = key.split(".")[-1]
        worst[what] = max(worst.get(what, 0.0), float(np.abs(value.astype(np.float32) - stored[key]).max()))
    said = ", ".join(f"{what} {difference:.1e}" for what, difference in worst.items() if what != "picture")
    print(f"{name}: largest differences: {said}, pictures {worst['picture']:.0f} of 255")
    if worst["latents"] > 1e-4 or worst["picture"] > 1:
        raise SystemExit(f"{name}: expected at most 1e-4 and 1")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CASES))
    parser.add_argument("--check", action="store_true", help="Compares with the pictures of the graphs, and writes nothing.")
    arguments = parser.parse_args()
    chosen = arguments.names or list(CASES)
    if set(chosen) - set(CASES):
        parser.error(f"expected some of {', '.join(CASES)}, found {', '.join(chosen)}")
    tiny_pipelines.quiet()
    torch.set_grad_enabled(False)
    if arguments.check:
        for name in chosen:
            check(name)
        return
    GOLDENS.mkdir(parents=True, exist_ok=True)
    draw_pictures()
    path = GOLDENS / "cases.json"
    written = json.loads(path.read_text(encoding="utf-8"))["cases"] if path.exists() else []
    for name in chosen:
        cases, tensors = of_folder(name)
        save_file(tensors, GOLDENS / f"{name}.safetensors")
        written = [case for case in written if case["folder"] != name] + cases
        latents = [np.abs(value).max() for key, value in tensors.items() if key.endswith(".latents")]
        print(f"{name}: {len(cases)} cases, latents up to {max(latents):.1f}")
    order = list(CASES)
    written.sort(key=lambda case: order.index(case["folder"]))
    packages = ("diffusers", "transformers", "tokenizers", "torch", "numpy", "pillow")
    versions = {package: importlib.metadata.version(package) for package in packages}
    lines = ",\n".join(json.dumps(case) for case in written)
    path.write_text(f'{{"versions": {json.dumps(versions)},\n"cases": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    main()
