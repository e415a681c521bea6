//! Whole pipelines beside diffusers': the folders of onnx/pipelines, which are tiny and of random weights, drawn with
//! the seeds and arguments of `onnx/goldens/pipelines/cases.json`, which `onnx/goldens_pipelines.py` wrote.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use diffuse::model::SchedulerConfig;
use diffuse::run::{Run, Work};
use diffuse::stage::pixels::{Layout, from_rgba8, rgba8};
use diffuse::tensor::Tensor;
use diffuse::{Model, ModelOptions, Request, Runtime};
use ndarray::{Array3, ArrayD, Axis, IxDyn};
use serde_json::Value;

use crate::support::{Goldens, repository};

/// How far latents may be apart, where they are of the order of 1 to 10.
const LATENTS: f32 = 1e-4;

/// How far 8-bit values may be apart.
const PIXELS: i32 = 1;

/// The same of pictures that were scaled before, at most and on average: Pillow rounds otherwise in a few pixels.
const SCALED: [f32; 2] = [8.0, 1.0];

const GOLDENS: &str = "onnx/goldens/pipelines";

fn open(folder: &str) -> Arc<Model> {
    let runtime = Runtime::open(None).unwrap();
    let path = repository("onnx/pipelines").join(folder);
    Arc::new(Model::open(&runtime, &path, &ModelOptions::default()).unwrap_or_else(|error| panic!("{folder}: {error}")))
}

/// A .png as RGBA.
fn pixels(path: &Path) -> Array3<u8> {
    let mut decoder = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(path).unwrap()));
    decoder.set_transformations(png::Transformations::normalize_to_color8() | png::Transformations::ALPHA);
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    let (height, width) = (info.height as usize, info.width as usize);
    let rgba = match info.color_type {
        png::ColorType::Rgba => bytes[..height * width * 4].to_vec(),
        png::ColorType::GrayscaleAlpha => {
            bytes[..height * width * 2].chunks(2).flat_map(|pixel| [pixel[0], pixel[0], pixel[0], pixel[1]]).collect()
        }
        other => panic!("{other:?}"),
    };
    Array3::from_shape_vec((height, width, 4), rgba).unwrap()
}

/// A picture as values from −1 to 1.
fn image(path: &Path) -> ArrayD<f32> {
    let pixels = pixels(path);
    let (height, width, _) = pixels.dim();
    let mut image = Array3::zeros((3, height, width));
    let layout = Layout { stride: 4 * width, bottom_up: false, bgra: false };
    from_rgba8(pixels.as_slice().unwrap(), layout, [-1.0, 1.0], image.view_mut()).unwrap();
    image.into_dyn()
}

/// A mask: 1 where it is white.
fn mask(path: &Path) -> ArrayD<f32> {
    let pixels = pixels(path);
    let plane = pixels.index_axis(Axis(2), 0).mapv(|value| f32::from(value) / 255.0);
    plane.into_dyn()
}

/// A run of diffusers: its name, its folder, its arguments.
struct Case(Value);

impl Case {
    fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap()
    }

    fn argument(&self, key: &str) -> Option<&Value> {
        self.0["arguments"].get(key).filter(|value| !value.is_null())
    }

    /// Texts, each as often as there are images of it.
    fn texts(&self, key: &str) -> Option<Vec<String>> {
        let times = self.argument("images").and_then(Value::as_u64).unwrap_or(1) as usize;
        let texts: Vec<String> = serde_json::from_value(self.argument(key)?.clone()).unwrap();
        Some(texts.into_iter().flat_map(|text| std::iter::repeat_n(text, times)).collect())
    }

    fn request(&self, folder: &str) -> Request {
        let mut request = Request::default();
        request.set("compat", "diffusers").unwrap();
        if let Some(config) = self.argument("scheduler") {
            request.set_scheduler_config(&SchedulerConfig::parse(&config.to_string()).unwrap()).unwrap();
        }
        request.prompts = self.texts("prompts").unwrap_or_default();
        request.negative_prompts = self.texts("negative");
        request.classes = self.argument("classes").map(|classes| serde_json::from_value(classes.clone()).unwrap());
        let classes = request.classes.as_ref().map(Vec::len);
        let counted = self.argument("count").and_then(Value::as_u64).map(|count| count as usize);
        request.count = counted.or(classes).unwrap_or(request.prompts.len());
        match self.argument("seeds").unwrap() {
            Value::Array(seeds) => {
                request.seed = seeds[0].as_u64().unwrap();
                request.set("noise", "torch-per-item").unwrap();
                let listed: Vec<String> = seeds.iter().map(ToString::to_string).collect();
                request.set("seeds", listed.join(",")).unwrap();
            }
            seed => {
                request.seed = seed.as_u64().unwrap();
                request.set("noise", "torch").unwrap();
            }
        }
        let takes_eta = self.argument("scheduler").map_or_else(
            || {
                let path = repository("onnx/pipelines").join(folder).join("scheduler/scheduler_config.json");
                std::fs::read_to_string(path).unwrap()
            },
            ToString::to_string,
        );
        for (key, value) in self.0["arguments"].as_object().unwrap() {
            match (key.as_str(), value) {
                (_, Value::Null) => {}
                ("eta", eta) if !takes_eta.contains("DDIM") || eta == 0.0 => {}
                ("guidance_rescale", rescale) if rescale == 0.0 => {}
                ("guidance_scale" | "guidance_rescale" | "steps" | "strength" | "width" | "height" | "eta", _)
                | ("image_guidance_scale", _) => request.set(key, value).unwrap(),
                _ => {}
            }
        }
        if let Some(size) = self.argument("original_size") {
            let of = |key: &str| serde_json::from_value::<Vec<f32>>(self.argument(key).unwrap().clone()).unwrap();
            let original: Vec<f32> = serde_json::from_value(size.clone()).unwrap();
            let sizes = ndarray::Array1::from([original, of("crop"), of("target_size")].concat()).into_dyn();
            request.conditions.insert("time_ids".into(), Arc::new(Tensor::F32(sizes)));
        }
        let file = |name: &Value| repository(GOLDENS).join(name.as_str().unwrap());
        request.image = self.argument("image").map(|name| Arc::new(image(&file(name))));
        request.mask = self.argument("mask").map(|name| Arc::new(mask(&file(name))));
        request
    }

    /// Whether its pictures are not of the size that is drawn: what scales pictures is not the library's.
    fn is_scaled(&self, picture: &[usize]) -> bool {
        let size = |key: &str| {
            let name = self.argument(key)?.as_str()?;
            Some(pixels(&repository(GOLDENS).join(name)).dim())
        };
        ["image", "mask"].iter().filter_map(|key| size(key)).any(|(height, width, _)| [height, width] != picture[1..3])
    }
}

fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(repository(GOLDENS).join("cases.json")).unwrap();
    // Python writes a number that is none.
    let file: Value = serde_json::from_str(&text.replace("-Infinity", "\"-Infinity\"")).unwrap();
    file["cases"].as_array().unwrap().iter().cloned().map(Case).collect()
}

/// What a run draws: its latents, and its pictures in 8 bits, [count, height, width, 3].
fn drawn(model: &Arc<Model>, request: &Request) -> diffuse::Result<(ArrayD<f32>, ArrayD<u8>)> {
    let mut run = Run::new(model, request)?;
    while !run.is_finished() {
        run.step()?;
    }
    let pictures = run.sample()?;
    let shape = [pictures.shape()[0], pictures.shape()[2], pictures.shape()[3], 3];
    let mut bytes = Vec::new();
    for picture in pictures.outer_iter() {
        let pixels = rgba8(picture.into_dimensionality().unwrap(), [-1.0, 1.0])?;
        bytes.extend(pixels.as_slice().unwrap().chunks(4).flat_map(|pixel| pixel[..3].to_vec()));
    }
    Ok((run.latents()?.to_owned(), ArrayD::from_shape_vec(IxDyn(&shape), bytes).unwrap()))
}

#[test]
fn pipelines_draw_what_those_of_diffusers_draw() {
    let only = std::env::var("DIFFUSE_PIPELINE").unwrap_or_default();
    let (mut wrong, mut report) = (String::new(), String::new());
    let mut models = std::collections::BTreeMap::new();
    for case in cases() {
        let (name, folder) = (case.text("name"), case.text("folder"));
        let goldens = Goldens::open(&format!("{GOLDENS}/{}", case.text("data")));
        let picture = goldens.tensor(&format!("{name}.picture"));
        if !format!("{folder}/{name}").contains(&only) || case.is_scaled(picture.shape()) {
            continue;
        }
        let model = models.entry(folder.to_owned()).or_insert_with(|| open(folder));
        let (latents, own) = match drawn(model, &case.request(folder)) {
            Ok(drawn) => drawn,
            Err(error) => {
                let _ = writeln!(wrong, "{folder}/{name}: {error}");
                continue;
            }
        };
        let expected = goldens.tensor(&format!("{name}.latents"));
        let apart = |a: &ArrayD<f32>, b: &ArrayD<f32>| {
            if a.shape() == b.shape() {
                a.iter().zip(b).fold(0f32, |most, (a, b)| most.max((a - b).abs()))
            } else {
                f32::INFINITY
            }
        };
        let of_latents = apart(&latents, expected);
        let of_pixels = apart(&own.mapv(f32::from), picture);
        let line = format!("{folder}/{name}: latents {of_latents:.1e}, pictures {of_pixels}");
        let _ = writeln!(report, "{line}");
        if of_latents > LATENTS || of_pixels > PIXELS as f32 {
            let _ = writeln!(wrong, "{line}");
        }
    }
    println!("{report}");
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// The command line scales pictures to the size that is drawn, by the filter of Pillow, which diffusers scales with.
#[test]
fn the_command_line_scales_pictures_and_draws_what_diffusers_draws() {
    let mut compared = 0;
    for case in cases() {
        let (name, folder) = (case.text("name"), case.text("folder"));
        let goldens = Goldens::open(&format!("{GOLDENS}/{}", case.text("data")));
        let expected = goldens.tensor(&format!("{name}.picture"));
        if !case.is_scaled(expected.shape()) {
            continue;
        }
        let output = tempfile::tempdir().unwrap();
        let mut arguments =
            vec!["generate".to_owned(), repository("onnx/pipelines").join(folder).display().to_string()];
        let mut say = |flag: &str, value: String| arguments.extend([format!("--{flag}"), value]);
        case.texts("prompts").unwrap().into_iter().for_each(|prompt| say("prompt", prompt));
        case.texts("negative").unwrap_or_default().into_iter().for_each(|negative| say("negative", negative));
        for key in ["image", "mask"] {
            let file = case.argument(key).map(|name| repository(GOLDENS).join(name.as_str().unwrap()));
            file.into_iter().for_each(|file| say(key, file.display().to_string()));
        }
        for key in ["steps", "strength", "guidance_scale", "image_guidance_scale", "width", "height"] {
            case.argument(key).into_iter().for_each(|value| say(&key.replace('_', "-"), value.to_string()));
        }
        let eta = case.argument("eta").filter(|eta| **eta != 0.0);
        eta.into_iter().for_each(|eta| say("eta", eta.to_string()));
        if let Some(config) = case.argument("scheduler") {
            let file = output.path().join("scheduler_config.json");
            std::fs::write(&file, config.to_string()).unwrap();
            say("scheduler-config", file.display().to_string());
        }
        match case.argument("seeds").unwrap() {
            Value::Array(seeds) => {
                let seeds: Vec<String> = seeds.iter().map(ToString::to_string).collect();
                say("noise", "torch-per-item".into());
                say("seeds", seeds.join(","));
            }
            seed => {
                say("noise", "torch".into());
                say("seed", seed.to_string());
            }
        }
        say("compat", "diffusers".into());
        say("columns", "1".into());
        say("output", output.path().join("out.png").display().to_string());
        let done = crate::support::cli::diffuse(&output).args(&arguments).output().unwrap();
        assert!(done.status.success(), "{folder}/{name}: {}", String::from_utf8_lossy(&done.stderr));
        let sheet = pixels(&output.path().join("out.png"));
        let found = sheet.slice(ndarray::s![.., .., ..3]).iter().copied().collect::<Vec<u8>>();
        assert_eq!(found.len(), expected.len(), "{folder}/{name}");
        let apart: Vec<f32> = found.iter().zip(expected).map(|(a, b)| (f32::from(*a) - b).abs()).collect();
        let most = apart.iter().fold(0f32, |most, apart| most.max(*apart));
        let mean = apart.iter().sum::<f32>() / apart.len() as f32;
        println!("{folder}/{name}: at most {most}, on average {mean:.4}");
        assert!(most <= SCALED[0] && mean <= SCALED[1], "{folder}/{name}: {most}, {mean}");
        compared += 1;
    }
    assert!(compared >= 8, "{compared}");
}

/// What is compared, as a page.
#[test]
fn the_page_of_pipelines_is_fresh() {
    let mut page = String::from(
        "# Pipelines beside diffusers

This page lists the runs of whole pipelines that are compared with diffusers, from prompt to pixels. The folders are
those of [onnx/pipelines](../onnx/pipelines), tiny and with random weights. Weights, seeds and arguments are the same on
both sides.

Latents are within 1e-4, and pixels in 8 bits within 1. The command line scales a given picture whose size is not that
of the result. Such runs are within 8, on average within 1. `tests/all/pipelines.rs` generates this page, and
`cargo test pipelines:: -- --nocapture` prints the differences.

| folder | runs | of them |
|---|---|---|
",
    );
    let mut folders: std::collections::BTreeMap<String, Vec<String>> = std::collections::BTreeMap::new();
    for case in cases() {
        folders.entry(case.text("folder").to_owned()).or_default().push(case.text("name").replace('_', " "));
    }
    for (folder, names) in folders {
        let _ = writeln!(page, "| {folder} | {} | {} |", names.len(), names.join("; "));
    }
    crate::support::agree("tests/PIPELINES.md", &page);
}
