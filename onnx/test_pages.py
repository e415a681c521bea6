"""Runs the Python of `pages/*.md` as it stands, one page after the other, on small random weights.

    python onnx/test_pages.py [page ...]

Where the code that a page imports is not installed, a stand-in with the same signatures takes its place. The page of
the terrains exports nothing. `test_terrain.py` runs it.
"""

import json
import os
import pathlib
import pickle
import re
import sys
import tempfile
import types

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from torch import nn

from export import check_model

PAGES = pathlib.Path(__file__).parent / "pages"


class StandIn(nn.Module):
    """One convolution that depends on all of its inputs: the time, and a class as an index or one-hot."""

    def __init__(self, channels, outputs=None, classes=0):
        super().__init__()
        self.conv = nn.Conv2d(channels, outputs or channels, 3, padding=1)
        self.time = nn.Linear(1, channels)
        self.classes = nn.Embedding(classes, channels) if classes else None

    def forward(self, x, time, label=None):
        shift = self.time(time.float()[:, None].asinh())  # from an index to ln(sigma)/4, which may be negative
        if label is not None:
            shift = shift + (label @ self.classes.weight if label.ndim == 2 else self.classes(label))
        return self.conv(x + shift[:, :, None, None])


def importable(name, **members):
    """Makes `import name` work: as installed, else as a module of the given members."""
    try:
        __import__(name)
    except ImportError:
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            path = ".".join(parts[:depth])
            module = sys.modules.setdefault(path, types.ModuleType(path))
            if depth > 1:
                setattr(sys.modules[".".join(parts[: depth - 1])], parts[depth - 1], module)
        vars(sys.modules[name]).update(members)
        print(f"{name}: a stand-in")
    return sys.modules[name]


def diffusers():
    from diffusers import DDPMScheduler, UNet2DConditionModel, UNet2DModel

    common = {"sample_size": 16, "layers_per_block": 1, "block_out_channels": (32, 64), "norm_num_groups": 8}
    scheduler = DDPMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")
    UNet2DModel(
        in_channels=3, out_channels=3, num_class_embeds=11,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"), **common,
    ).save_pretrained("my-model/unet")
    scheduler.save_pretrained("my-model/scheduler")
    UNet2DConditionModel(
        in_channels=3, out_channels=3, cross_attention_dim=32, attention_head_dim=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), **common,
    ).save_pretrained("my-context-model/unet")
    torch.save(nn.Embedding(11, 32).state_dict(), "my-context-model/classes.pt")


class GuidedDiffusion(StandIn):
    def forward(self, x, timesteps, y=None):
        return super().forward(x, timesteps, y)


def guided_diffusion():
    defaults = {
        "image_size": 64, "learn_sigma": False, "class_cond": False, "diffusion_steps": 1000,
        "noise_schedule": "linear", "predict_xstart": False, "rescale_timesteps": False,
    }

    def create(learn_sigma, class_cond, **_):
        return GuidedDiffusion(3, 6 if learn_sigma else 3, 1000 if class_cond else 0), None

    script = importable(
        "guided_diffusion.script_util",
        model_and_diffusion_defaults=lambda: dict(defaults), create_model_and_diffusion=create,
    )
    flags = {"num_channels": 32, "num_res_blocks": 1, "attention_resolutions": "8", "class_cond": True, "learn_sigma": True}
    model, _ = script.create_model_and_diffusion(**script.model_and_diffusion_defaults() | flags)
    torch.save(randomise(model).state_dict(), "model.pt")


def score_sde():
    class Score(StandIn):
        def __init__(self, config):
            super().__init__(config.data.num_channels)

        def forward(self, x, labels):
            return super().forward(x, labels)

    space = types.SimpleNamespace
    for kind, settings, module, name in (
        ("vp", "configs.vp.ddpm.cifar10_continuous", "models.ddpm", "DDPM"),
        ("subvp", "configs.subvp.cifar10_ddpm_continuous", "models.ddpm", "DDPM"),
        ("ve", "configs.ve.cifar10_ncsnpp_continuous", "models.ncsnpp", "NCSNpp"),
    ):
        config = space(
            data=space(num_channels=3, image_size=32, centered=kind != "ve"), training=space(sde=f"{kind}sde"),
            model=space(beta_min=0.1, beta_max=20.0, sigma_min=0.01, sigma_max=50, num_scales=1000),
        )
        found = importable(settings, get_config=lambda config=config: config).get_config()
        model = randomise(getattr(importable(module, **{name: Score}), name)(found))
        state = {
            "model": {f"module.{name}": value for name, value in model.state_dict().items()},
            "ema": {"shadow_params": [parameter.data for parameter in model.parameters() if parameter.requires_grad]},
        }
        torch.save(state, f"score-sde-{kind}.pth")


class EDMPrecond(nn.Module):
    def __init__(self, img_resolution, img_channels, label_dim, sigma_data=0.5, **_):
        super().__init__()
        self.img_resolution, self.img_channels, self.label_dim = img_resolution, img_channels, label_dim
        self.sigma_data, self.model = sigma_data, StandIn(img_channels, classes=label_dim)


def edm():
    networks = importable("training.networks", EDMPrecond=EDMPrecond)
    model = networks.EDMPrecond(img_resolution=16, img_channels=3, label_dim=10, model_channels=32, num_blocks=1)
    with open("edm.pkl", "wb") as file:
        pickle.dump({"ema": randomise(model)}, file)


def k_diffusion():
    config = importable(
        "k_diffusion.config",
        load_config=lambda path: json.loads(pathlib.Path(path).read_text()),
        make_model=lambda config: StandIn(config["model"]["input_channels"]),
    )
    # As k-diffusion's own load_config reads it, with its defaults for what the page needs.
    settings = {
        "model": {
            "type": "image_v1", "input_channels": 3, "input_size": [16, 16], "mapping_out": 32, "depths": [1, 1],
            "channels": [16, 32], "self_attn_depths": [False, True], "sigma_data": 0.5, "sigma_min": 0.01, "sigma_max": 80,
        },
        "dataset": {"type": "imagefolder", "num_classes": 0},
    }
    pathlib.Path("config.json").write_text(json.dumps(settings))
    model = config.make_model(config.load_config("config.json"))
    torch.save({"model_ema": randomise(model).state_dict()}, "model_00100000.pth")


class LucidrainsUnet(StandIn):
    def __init__(self, dim, dim_mults, channels=3):
        super().__init__(channels)
        self.channels, self.self_condition = channels, False

    def forward(self, x, time, x_self_cond=None):
        return super().forward(x, time)


class LucidrainsDiffusion(nn.Module):
    def __init__(self, model, image_size, timesteps, beta_schedule, objective):
        super().__init__()
        self.model = model


class LucidrainsConditionalUnet(StandIn):
    def __init__(self, dim, dim_mults, num_classes):
        super().__init__(3, classes=num_classes)

    def forward(self, x, time, classes, cond_keep_mask=None):
        return super().forward(x, time, classes) * (1 + cond_keep_mask[:, None, None, None].float())


def lucidrains():
    package = importable("denoising_diffusion_pytorch", Unet=LucidrainsUnet, GaussianDiffusion=LucidrainsDiffusion)
    guided = importable("denoising_diffusion_pytorch.classifier_free_guidance", Unet=LucidrainsConditionalUnet)
    unet = randomise(package.Unet(dim=64, dim_mults=(1, 2, 4, 8)))
    training = {"image_size": 128, "timesteps": 1000, "beta_schedule": "sigmoid", "objective": "pred_v"}
    averages = package.GaussianDiffusion(unet, **training).state_dict()
    pathlib.Path("results").mkdir()
    torch.save({"ema": {f"ema_model.{name}": value for name, value in averages.items()}}, "results/model-100.pt")
    conditional = randomise(guided.Unet(dim=64, dim_mults=(1, 2, 4, 8), num_classes=10))
    torch.save(conditional.state_dict(), "conditional.pt")


def plain_pytorch():
    class UNet(StandIn):
        def __init__(self):
            super().__init__(3)

        def forward(self, x, t):
            return super().forward(x, t)

    torch.save(randomise(importable("unet", UNet=UNet).UNet()).state_dict(), "unet.pt")


def randomise(model):
    """Moves every weight off its start: fresh networks end in zeros, and zeros compare equal to anything."""
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data.add_(0.02 * torch.randn_like(parameter))
    return model


def run_page(prepare):
    text = (PAGES / f"{prepare.__name__}.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    assert code, "the page has no Python"
    home = pathlib.Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            torch.manual_seed(0)
            prepare()
            exec(compile(code, f"{prepare.__name__}.md", "exec"), {"__name__": prepare.__name__})
            models = sorted(pathlib.Path().glob("*.onnx"))
            assert models, "the page exported nothing"
            for model in models:
                check_model(model)
        finally:
            os.chdir(home)


# Pages that export nothing.
WITHOUT_TORCH = {"terrain"}
PREPARES = {
    prepare.__name__: prepare
    for prepare in (plain_pytorch, diffusers, guided_diffusion, score_sde, edm, k_diffusion, lucidrains)
}


def test_every_page():
    assert {page.stem for page in PAGES.glob("*.md")} == set(PREPARES) | WITHOUT_TORCH, "a page is not tested"
    for prepare in PREPARES.values():
        run_page(prepare)


def main():
    if not sys.argv[1:]:
        test_every_page()
    for name in sys.argv[1:]:
        run_page(PREPARES[name])


if __name__ == "__main__":
    main()
