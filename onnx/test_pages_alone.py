"""Runs the Python of `pages/*.md` without torch: networks are stand-ins, and `export` only checks the manifest that it
is given.

    python onnx/test_pages_alone.py

`test_pages.py` needs torch, and compares the exports with the networks. This one checks the pages' manifests by the
rules of manifests. It checks what the page of diffusers makes of a scheduler by `fixtures/scheduler_configs.json`,
which the library reads as well. Of a page whose model is downloaded it reads the manifest alone. `test_terrain.py` runs
that page.
"""

import contextlib
import json
import os
import pathlib
import pickle
import re
import sys
import tempfile
import types
from unittest.mock import MagicMock

import manifest

PAGES = pathlib.Path(__file__).parent / "pages"
CASES = pathlib.Path(__file__).parent / "fixtures" / "scheduler_configs.json"


class ExportError(Exception):
    pass


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", (PAGES / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@contextlib.contextmanager
def importable(**modules):
    """Makes `import name` work, with __ for the dots of a name."""
    before = dict(sys.modules)
    try:
        for name, module in modules.items():
            parts = name.split("__")
            for depth in range(1, len(parts)):
                sys.modules.setdefault(".".join(parts[:depth]), types.ModuleType(parts[depth - 1]))
            sys.modules[".".join(parts)] = module
        yield
    finally:
        for name in set(sys.modules) - set(before):
            del sys.modules[name]
        sys.modules.update(before)


def torch():
    stand_in = MagicMock()
    stand_in.nn.Module = type("Module", (), {})
    # What `load` of a checkpoint is read for, by its keys.
    stand_in.load = lambda path, **_: {"model": {}, "ema": {"shadow_params": []}, "model_ema": {}}
    return stand_in


def diffusers(scheduler):
    def unet(**config):
        loaded = MagicMock(config=types.SimpleNamespace(**config))
        loaded.half = lambda: loaded
        return types.SimpleNamespace(from_pretrained=lambda path, subfolder: loaded)

    return types.SimpleNamespace(
        DDPMScheduler=types.SimpleNamespace(from_pretrained=lambda path, subfolder: types.SimpleNamespace(config=scheduler)),
        UNet2DModel=unet(in_channels=3, sample_size=16, num_class_embeds=11),
        UNet2DConditionModel=unet(in_channels=3, cross_attention_dim=32),
    )


def network(*_):
    return MagicMock(state_dict=dict, parameters=list)


def score_sde(kind):
    config = types.SimpleNamespace(
        data=types.SimpleNamespace(num_channels=3, image_size=32, centered=kind != "ve"),
        model=types.SimpleNamespace(beta_min=0.1, beta_max=20.0, sigma_min=0.01, sigma_max=50),
    )
    return types.SimpleNamespace(get_config=lambda: config)


FLAGS = {
    "image_size": 64, "learn_sigma": False, "class_cond": False, "diffusion_steps": 1000,
    "noise_schedule": "linear", "predict_xstart": False, "rescale_timesteps": False,
}
K_DIFFUSION = {
    "model": {"input_channels": 3, "input_size": [16, 16], "sigma_data": 0.5, "sigma_min": 0.01, "sigma_max": 80},
    "dataset": {"num_classes": 10},
}
EDM = types.SimpleNamespace(img_channels=3, img_resolution=16, label_dim=10, sigma_data=0.5, model=None)

# What each page imports beside torch.
IMPORTS = {
    "diffusers.md": lambda: {"diffusers": diffusers(cases()[0]["config"])},
    "guided_diffusion.md": lambda: {
        "guided_diffusion__script_util": types.SimpleNamespace(
            model_and_diffusion_defaults=lambda: dict(FLAGS), create_model_and_diffusion=lambda **_: (network(), None),
        ),
    },
    "score_sde.md": lambda: {
        "configs__subvp": types.SimpleNamespace(cifar10_ddpm_continuous=score_sde("sub_vp")),
        "configs__vp__ddpm": types.SimpleNamespace(cifar10_continuous=score_sde("vp")),
        "configs__ve__cifar10_ncsnpp_continuous": score_sde("ve"),
        "models__ddpm": types.SimpleNamespace(DDPM=network),
        "models__ncsnpp": types.SimpleNamespace(NCSNpp=network),
    },
    "edm.md": dict,
    "k_diffusion.md": lambda: {
        "k_diffusion": types.SimpleNamespace(
            config=types.SimpleNamespace(load_config=lambda path: K_DIFFUSION, make_model=network),
        ),
    },
    "lucidrains.md": lambda: {
        "denoising_diffusion_pytorch": types.SimpleNamespace(
            Unet=lambda **_: types.SimpleNamespace(channels=3, self_condition=True),
            GaussianDiffusion=lambda unet, **_: MagicMock(),
        ),
        "denoising_diffusion_pytorch__classifier_free_guidance": types.SimpleNamespace(Unet=lambda **_: MagicMock()),
    },
    "plain_pytorch.md": lambda: {"unet": types.SimpleNamespace(UNet=network)},
}


# The pages whose models are downloaded.
DOWNLOADED = {"terrain.md"}


def run_page(page):
    """Runs all that the page has of Python, and returns the manifests that it exported and the names that it made."""
    exported = {}

    def export(module, stated, path, **_):
        manifest.validate(manifest.parsed(json.dumps(stated)))
        exported[path] = stated

    code = "\n".join(blocks(page, "python"))
    names = {"__name__": page}
    home = pathlib.Path.cwd()
    stand_ins = {"torch": torch(), "export": types.SimpleNamespace(export=export, ExportError=ExportError)}
    with tempfile.TemporaryDirectory() as folder, importable(**stand_ins, **IMPORTS[page]()):
        os.chdir(folder)
        try:
            # The pickle of a network is a stand-in as well.
            with open("edm.pkl", "wb") as file:
                pickle.dump({"ema": 0}, file)
            pickled, pickle.load = pickle.load, lambda file: {"ema": MagicMock(float=lambda: EDM)}
            exec(compile(code, page, "exec"), names)
        finally:
            pickle.load = pickled
            os.chdir(home)
    return exported, names


def test_every_page():
    assert {page.name for page in PAGES.glob("*.md")} == set(IMPORTS) | DOWNLOADED, "a page is not tested"
    for page in DOWNLOADED:
        (stated,) = blocks(page, "json")
        manifest.validate(manifest.parsed(stated))
    for page in IMPORTS:
        exported, _ = run_page(page)
        # The files that a page checks are those that it has exported.
        checked = re.findall(r"export\.py check (\S+)", "\n".join(blocks(page, "sh")))
        assert checked and set(checked) <= set(exported), f"{page}: {checked}, but {sorted(exported)} are exported"
        for block in blocks(page, "json"):
            manifest.validate(manifest.parsed(block))


def cases():
    return json.loads(CASES.read_text(encoding="utf-8"))


def test_every_scheduler():
    _, page = run_page("diffusers.md")
    words = set()
    for case in cases():
        try:
            found = page["from_scheduler"]("model", [3, 8, 8], case["config"])
        except ExportError as error:
            assert case.get("refused") and case["refused"] in str(error), f"{case['why']}: {error}"
            continue
        assert "refused" not in case, f"{case['why']}: is accepted"
        manifest.validate(found)
        assert found == case["manifest"], f"{case['why']}: {json.dumps(found)}"
        words |= {case["config"].get("beta_schedule"), case["config"].get("prediction_type")}
    missing = (set(page["SCHEDULES"]) | set(page["PREDICTIONS"])) - words
    assert not missing, f"no case has {missing}"


if __name__ == "__main__":
    test_every_page()
    test_every_scheduler()
    print(f"{len(IMPORTS) + len(DOWNLOADED)} pages and {len(cases())} schedulers hold")
