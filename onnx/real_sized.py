"""Writes a folder with the shapes of Stable Diffusion 1.5 and random weights, for measurements of time and memory.

    python onnx/real_sized.py OUT [--f16]

The text encoder has 123 million parameters, the U-Net 860 and the autoencoder 84: 4.3 GB in f32, half of it in f16.
Twice as much memory and three times as much on the disk are needed meanwhile. Its pictures are noise.
"""

import argparse
import pathlib
import tempfile

import pipelines
import tiny_pipelines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--f16", action="store_true")
    arguments = parser.parse_args()

    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
    levels = (128, 256, 512, 512)
    vae = AutoencoderKL(
        block_out_channels=levels, layers_per_block=2, latent_channels=4, sample_size=512,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    )
    text = CLIPTextModel(CLIPTextConfig(
        vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
        eos_token_id=2,
    ))
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        pndm = tiny_pipelines.pndm()
        tiny_pipelines.stable_diffusion("StableDiffusionPipeline", folder, unet, text, vae, pndm)
        del unet, vae, text
        pipelines.export(folder, arguments.out, half=arguments.f16)


if __name__ == "__main__":
    main()
