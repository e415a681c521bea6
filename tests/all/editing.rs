//! Editing: from an image at a strength, within a mask, by inversion, between noises; conditions of the network; the
//! other class.

use std::collections::BTreeMap;
use std::sync::Arc;

use diffuse::request::ClassifierGuidance;
use diffuse::sample::Canceller;
use diffuse::{Error, Model, Request};
use ndarray::{ArrayD, Axis, Slice, s};

use crate::support::model;

fn sprites() -> Arc<Model> {
    model("onnx/models/sprites.onnx")
}

fn request(model: &Model, class: &str, steps: usize) -> Request {
    Request { classes: Some(vec![model.class(class).unwrap()]), steps: Some(steps), seed: 11, ..Request::default() }
}

fn drawn(model: &Arc<Model>, request: &Request) -> ArrayD<f32> {
    request.job(model).unwrap().run().unwrap()
}

/// An image of the data: a sprite as the model draws it, in 256 steps of values.
fn image(model: &Arc<Model>, class: &str) -> ArrayD<f32> {
    drawn(model, &request(model, class, 50)).mapv(|value| ((value + 1.0) * 127.5).round() / 127.5 - 1.0)
}

fn mean_square(a: &ArrayD<f32>, b: &ArrayD<f32>) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / a.len() as f64
}

/// In decibels, for values from −1 to 1.
fn psnr(a: &ArrayD<f32>, b: &ArrayD<f32>) -> f64 {
    10.0 * (4.0 / mean_square(a, b)).log10()
}

fn message<T>(result: Result<T, Error>) -> String {
    result.map(|_| ()).unwrap_err().to_string()
}

#[test]
fn the_more_strength_the_further_from_the_image() {
    let model = sprites();
    let image = Arc::new(image(&model, "heart"));
    let at = |strength: &str| {
        let request = Request { image: Some(Arc::clone(&image)), ..request(&model, "heart", 20) };
        let request = request.with("strength", strength).unwrap();
        assert_eq!(
            request.plan(model.manifest()).unwrap().grid.steps(),
            (20.0 * strength.parse::<f64>().unwrap()) as usize
        );
        mean_square(&drawn(&model, &request), &image)
    };
    let found = ["0.1", "0.3", "0.6", "0.9"].map(at);
    println!("mean squares from the image at 0.1, 0.3, 0.6, 0.9: {found:.4?}");
    assert!(found[0] < 0.01 && found.windows(2).all(|pair| pair[0] < pair[1]));
    // What is whole but for its rounding is whole.
    for (steps, strength, left) in [(100, 0.29, 29), (49, 1.0 / 49.0, 1), (10, 0.37, 3)] {
        let request = Request { image: Some(Arc::clone(&image)), ..request(&model, "heart", steps) };
        let request = request.with("strength", strength).unwrap();
        assert_eq!(request.plan(model.manifest()).unwrap().grid.steps(), left, "{strength} of {steps}");
    }
    // Unless it is said, 0.8, as in diffusers.
    let usual = Request { image: Some(image), ..request(&model, "heart", 20) };
    assert_eq!(usual.plan(model.manifest()).unwrap().grid.steps(), 16);
}

/// What is kept is bit by bit the image, with every solver; what is drawn fits it.
#[test]
fn a_mask_keeps_its_pixels() {
    let model = sprites();
    let image = Arc::new(image(&model, "heart"));
    let mask = ArrayD::from_shape_fn(vec![32, 32], |at| if at[1] < 16 { 0.0 } else { 1.0 });
    let of = |solver: &str| {
        let mut request = Request {
            image: Some(Arc::clone(&image)),
            mask: Some(Arc::new(mask.clone())),
            ..request(&model, "heart", 25)
        };
        request.set("solver", solver).unwrap();
        request
    };
    let classifier = crate::support::model("onnx/models/sprite_classifier.onnx");
    for solver in diffuse::solver::NAMES.iter().chain(&["ddpm, led by its mean"]) {
        let mut request = of(solver.split(',').next().unwrap());
        if solver.contains(',') {
            // A gradient that would tear the image apart if it reached it.
            request.classifier = Some(ClassifierGuidance { classifier: Arc::clone(&classifier), classes: vec![2] });
            request.set("classifier_scale", 20000).unwrap();
        }
        if *solver == "langevin" {
            request.steps = Some(3);
        }
        let mut job = request.job(&model).unwrap();
        // Annealing comes to a level with the noise of the one before, and has not settled after a few corrections.
        if !["rk45", "langevin"].contains(solver) {
            // On the way what is kept is the image with the noise of the level.
            while 2 * job.progress().step < job.progress().steps {
                job.step().unwrap();
            }
            let level = job.grid().levels()[job.progress().step];
            let noise: Vec<f64> = (job.sample().iter().zip(&*image).enumerate())
                .filter(|(i, _)| i % 32 < 16)
                .map(|(_, (x, x0))| (f64::from(*x) - level.alpha * f64::from(*x0)) / level.sigma)
                .collect();
            let deviation = (noise.iter().map(|z| z * z).sum::<f64>() / noise.len() as f64).sqrt();
            println!("{solver}: half way the noise of what is kept has the deviation {deviation:.3}");
            assert!((0.85..1.15).contains(&deviation), "{solver}: {deviation}");
        }
        let found = job.run().unwrap();
        let half = Slice::from(..16);
        let (kept, original) = (found.slice_axis(Axis(3), half), image.slice_axis(Axis(3), half));
        let same = kept.iter().zip(original).all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(same, "{solver} changes what the mask keeps");
        assert!(found.slice_axis(Axis(3), Slice::from(16..)) != image.slice_axis(Axis(3), Slice::from(16..)));
    }
    // The seam: no steeper than the neighbours beside it are.
    let found = drawn(&model, &of("ddim"));
    let step = |column: usize| {
        let of = |column: usize| found.slice(s![0, .., .., column]).to_owned();
        (of(column) - of(column - 1)).mapv(f32::abs).mean().unwrap()
    };
    let (seam, beside) = (step(16), (12..21).filter(|column| *column != 16).map(step).sum::<f32>() / 8.0);
    println!("a step of columns at the seam {seam:.3}, beside it {beside:.3}");
    assert!(seam < 2.5 * beside);
    // Between 0 and 1 the two are mixed.
    let soft = Request { mask: Some(Arc::new(mask.mapv(|value| 0.5 * value))), ..of("ddim") };
    let mixed = drawn(&model, &soft);
    assert!(mean_square(&mixed, &image) < mean_square(&found, &image));
}

/// A network that is told the mask itself gets it, and the image without what is to be drawn.
#[test]
fn a_network_that_fills_holes_is_told_them() {
    let model = model("onnx/fixtures/joined.onnx");
    let value = |at: &ndarray::IxDyn| ((at[0] * 31 + at[1] * 7 + at[2] * 3) % 17) as f32 / 8.0 - 1.0;
    let image = ArrayD::from_shape_fn(vec![3, 8, 8], |at| value(&at));
    let mask = ArrayD::from_shape_fn(vec![8, 8], |at| if at[0] < 3 { 1.0 } else { 0.0 });
    let masked = ArrayD::from_shape_fn(vec![3, 8, 8], |at| if at[1] < 3 { 0.0 } else { value(&at) });
    let plain = Request { count: 2, seed: 3, steps: Some(4), ..Request::default() };
    let by_mask = Request { image: Some(Arc::new(image)), mask: Some(Arc::new(mask.clone())), ..plain.clone() };
    let conditions = BTreeMap::from([
        ("mask".to_owned(), Arc::new(mask.insert_axis(Axis(0)).into())),
        ("masked_sample".to_owned(), Arc::new(masked.into())),
    ]);
    let by_hand = Request { conditions, ..plain.clone() };
    assert_eq!(drawn(&model, &by_mask), drawn(&model, &by_hand));
    assert!(message(plain.job(&model)).starts_with("condition: this model needs 'mask'"));
}

/// Both guidances at once: the network's own answers are led first, and what comes of them by the classifier.
#[test]
fn a_classifier_leads_what_is_guided_already() {
    let model = sprites();
    let classifier = crate::support::model("onnx/models/sprite_classifier.onnx");
    let star = model.class("star").unwrap();
    let led = |scale: f64, guidance: f64| {
        let guidance_of = ClassifierGuidance { classifier: Arc::clone(&classifier), classes: vec![star] };
        let request = Request { classifier: Some(guidance_of), ..request(&model, "star", 10) };
        let request = request.with("classifier_scale", scale).unwrap().with("guidance_scale", guidance).unwrap();
        drawn(&model, &request)
    };
    let both = led(0.1, 3.0);
    assert!(both != led(0.0, 3.0) && both != led(0.1, 1.0));
    assert_eq!(led(0.0, 3.0), drawn(&model, &request(&model, "star", 10).with("guidance_scale", 3.0).unwrap()));
}

#[test]
fn masks_and_images_that_do_not_fit_are_errors() {
    let model = sprites();
    let image = Arc::new(image(&model, "heart"));
    let with = |image: Option<ArrayD<f32>>, mask: Option<ArrayD<f32>>| {
        let request = Request { image: image.map(Arc::new), mask: mask.map(Arc::new), ..request(&model, "heart", 5) };
        message(request.job(&model))
    };
    let small = ArrayD::zeros(vec![4, 16, 16]);
    assert!(with(Some(small), None).starts_with("image: 'image' has a shape of [4, 16, 16]; expected [4, 32, 32]"));
    let said = with(Some((*image).clone()), Some(ArrayD::zeros(vec![16, 16])));
    assert!(said.starts_with("mask: a shape of [16, 16]"), "{said}");
    let said = with(Some((*image).clone()), Some(ArrayD::from_elem(vec![32, 32], 1.5)));
    assert!(said.starts_with("mask: a value is 1.5"), "{said}");
    assert!(with(None, Some(ArrayD::zeros(vec![32, 32]))).starts_with("mask: there is no image"));
    let mut broken = (*image).clone();
    broken[[0, 2, 3, 4]] = f32::NAN;
    assert!(with(Some(broken), None).starts_with("image: 'image' holds NaN"));
}

/// DDIM up and down again: Song et al. 2020, §5.4, whose reconstructions get better with the steps as well.
#[test]
fn an_inversion_drawn_again_is_the_image() {
    let model = sprites();
    let image = Arc::new(image(&model, "star"));
    let back = |steps: usize| {
        let request = Request { clipping: diffuse::settings::Clipping::Off, ..request(&model, "star", steps) };
        let invert = Request { image: Some(Arc::clone(&image)), invert: true, ..request.clone() };
        let noise = drawn(&model, &invert);
        let mut job = request.with("solver", "ddim").unwrap().job(&model).unwrap();
        job.start_from(noise.view()).unwrap();
        let found = psnr(&job.run().unwrap(), &image);
        println!("inverted and drawn again in {steps} steps: PSNR {found:.1} dB");
        found
    };
    let (few, many) = (back(50), back(200));
    assert!(few > 20.0 && many > few + 2.0 && many > 30.0);
    // A flow: what is taken to be the same from step to step is its velocity, also where nothing of the point is left.
    let flow = crate::support::model("onnx/models/flow_s_curve.onnx");
    let points = Arc::new(drawn(&flow, &Request { count: 64, seed: 2, ..Request::default() }));
    let apart = |steps: usize| {
        let plain = Request { count: 64, steps: Some(steps), ..Request::default() }.with("solver", "ddim").unwrap();
        let invert = Request { image: Some(Arc::clone(&points)), invert: true, ..plain.clone() };
        let noise = drawn(&flow, &invert);
        let mut job = plain.job(&flow).unwrap();
        job.start_from(noise.view()).unwrap();
        mean_square(&job.run().unwrap(), &points).sqrt()
    };
    // A single step, which ends where nothing of the point is left, moves.
    let once =
        Request { count: 64, steps: Some(1), image: Some(Arc::clone(&points)), invert: true, ..Request::default() };
    assert!(mean_square(&drawn(&flow, &once), &points) > 0.1);
    let found = [20, 80].map(apart);
    println!("points of a flow inverted and drawn again: {found:.4?} from themselves with 20 and 80 steps");
    assert!(found[1] < 0.6 * found[0] && found[1] < 0.05);
    // An edit: the noise of a star, drawn as a moon, is a moon of its colours and no star.
    let invert = Request { image: Some(Arc::clone(&image)), invert: true, ..request(&model, "star", 50) };
    let noise = drawn(&model, &invert);
    let mut job = request(&model, "moon", 50).job(&model).unwrap();
    job.start_from(noise.view()).unwrap();
    assert!(psnr(&job.run().unwrap(), &image) < 20.0);
    for (key, value) in [("solver", "heun"), ("eta", "0.5"), ("corrector_steps", "1")] {
        let said = message(invert.clone().with(key, value).unwrap().job(&model));
        assert!(said.starts_with("solver: ") || said.starts_with("eta: "), "{said}");
    }
}

#[test]
fn items_between_two_seeds_and_around_one() {
    let model = sprites();
    let heart = model.class("heart").unwrap();
    let base = Request { count: 5, classes: Some(vec![heart; 5]), ..request(&model, "heart", 10) };
    let way = drawn(&model, &base.clone().with("interpolate_to", 30).unwrap());
    let item = |of: &ArrayD<f32>, i: usize| of.slice_axis(Axis(0), Slice::from(i..i + 1)).to_owned();
    let alone = |seed: u64| drawn(&model, &Request { seed, ..request(&model, "heart", 10) });
    assert!(mean_square(&item(&way, 0), &alone(11)) < 1e-10 && mean_square(&item(&way, 4), &alone(30)) < 1e-10);
    let whole = mean_square(&item(&way, 0), &item(&way, 4));
    assert!((0..4).all(|i| mean_square(&item(&way, i), &item(&way, i + 1)) < whole));
    let near = |strength: &str| {
        let request = base.clone().with("variation_seed", 77).unwrap().with("variation_strength", strength).unwrap();
        let items = drawn(&model, &request);
        (0..5).map(|i| mean_square(&item(&items, i), &alone(11))).sum::<f64>() / 5.0
    };
    let found = ["0", "0.1", "0.4"].map(near);
    println!("variations at 0, 0.1, 0.4: mean squares from the sprite itself {found:.5?}");
    assert!(found[0] < 1e-10 && found[0] < found[1] && found[1] < found[2]);
    // Between two conditions: guidance from one to the other.
    let between = |scale: f64| {
        let mut request = request(&model, "star", 10);
        request.negative_classes = Some(vec![heart]);
        drawn(&model, &request.with("guidance_scale", scale).unwrap())
    };
    let ends = [alone(11), drawn(&model, &request(&model, "star", 10))];
    assert!(mean_square(&between(0.0), &ends[0]) < 1e-10 && mean_square(&between(1.0), &ends[1]) < 1e-10);
    assert!(mean_square(&between(0.1), &ends[0]) < mean_square(&between(0.1), &ends[1]));
}

#[test]
fn forward_noising_is_the_formula() {
    let model = sprites();
    let x0 = image(&model, "key");
    let noisy = model.add_noise(x0.view(), 400.0, 5).unwrap();
    let level = model.schedule().level(400.0);
    let start = Request { seed: 5, ..request(&model, "key", 2) }.job(&model).unwrap();
    for ((x, x0), z) in noisy.iter().zip(&x0).zip(start.sample()) {
        // The start of a run is √(α² + σ²) = 1 times its noise.
        assert!((f64::from(*x) - level.alpha * f64::from(*x0) - level.sigma * f64::from(*z)).abs() < 1e-6);
    }
    assert!(message(model.add_noise(x0.view(), 1e3, 5)).starts_with("time: "));
}

/// What a configuration says nothing of stays as it was set, whichever comes first.
#[test]
fn a_scheduler_config_leaves_editing_and_guidance_alone() {
    let model = sprites();
    let config = r#"{"_class_name": "DDIMScheduler", "beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction",
                     "num_train_timesteps": 1000, "timestep_spacing": "trailing"}"#;
    let config = diffuse::model::SchedulerConfig::parse(config).unwrap();
    let set = |request: &mut Request| {
        request.set("guidance_scale", 2).unwrap();
        request.set("strength", 0.5).unwrap();
    };
    let mut first = Request { image: Some(Arc::new(image(&model, "heart"))), ..request(&model, "heart", 10) };
    let mut then = first.clone();
    set(&mut first);
    first.set_scheduler_config(&config).unwrap();
    then.set_scheduler_config(&config).unwrap();
    set(&mut then);
    assert_eq!(drawn(&model, &first), drawn(&model, &then));
}

/// The cascade: a small sprite, and the same one larger.
#[test]
fn an_upsampler_draws_the_small_picture_again() {
    let (small, large) = (model("onnx/models/sprites_16.onnx"), model("onnx/models/sprites_upsampler.onnx"));
    let classes = Some((0..10).collect());
    let request = Request { classes, count: 10, seed: 4, ..Request::default() };
    let low = Arc::new(request.job(&small).unwrap().run().unwrap());
    let upsample = Request {
        conditions: BTreeMap::from([("low_resolution".to_owned(), Arc::new((*low).clone().into()))]),
        seed: 9,
        ..request.clone()
    };
    let high = upsample.job(&large).unwrap().run().unwrap();
    assert_eq!(high.shape(), [10, 4, 32, 32]);
    let again = ArrayD::from_shape_fn(low.shape(), |at| {
        let pixel = |y: usize, x: usize| high[[at[0], at[1], 2 * at[2] + y, 2 * at[3] + x]];
        (pixel(0, 0) + pixel(0, 1) + pixel(1, 0) + pixel(1, 1)) / 4.0
    });
    let found = psnr(&again, &low.mapv(|value| value.clamp(-1.0, 1.0)));
    println!("made small again: PSNR {found:.1} dB");
    assert!(found > 20.0);
    assert!(message(request.job(&large)).starts_with("condition: this model needs 'low_resolution'"));
    let wrong = BTreeMap::from([("low_resolution".to_owned(), Arc::new(ArrayD::<f32>::zeros(vec![4, 8, 8]).into()))]);
    assert!(message(Request { conditions: wrong, ..request }.job(&large)).starts_with("condition: "));
}

#[test]
fn a_classifier_of_other_samples_is_refused() {
    let model = sprites();
    let led = |classifier: &str, classes: Vec<i64>| {
        let guidance = ClassifierGuidance { classifier: crate::support::model(classifier), classes };
        Request { classifier: Some(guidance), ..request(&model, "star", 5) }
    };
    assert!(led("onnx/models/sprite_classifier.onnx", vec![5]).job(&model).is_ok());
    for (classifier, classes, part) in [
        ("onnx/models/sprite_classifier.onnx", vec![10], "toward: 10; this model has the classes 0 to 9"),
        ("onnx/models/sprite_classifier.onnx", vec![1, 2], "toward: 2 classes for 1 items"),
        ("onnx/fixtures/classifier.onnx", vec![1], "classifier: is for samples of [3, 8, 8]"),
        ("onnx/models/swiss_roll.onnx", vec![1], "classifier: "),
    ] {
        let said = message(led(classifier, classes).job(&model));
        assert!(said.starts_with(part), "{said}");
    }
    // Of the same samples on another schedule.
    let mut manifest = crate::support::model("onnx/models/sprite_classifier.onnx").manifest().clone();
    manifest.schedule = serde_json::from_str(r#"{"kind": "linear"}"#).unwrap();
    let options =
        diffuse::ModelOptions { manifest: Some(serde_json::to_string(&manifest).unwrap()), ..Default::default() };
    let classifier = crate::support::model_with("onnx/models/sprite_classifier.onnx", &options);
    let guidance = ClassifierGuidance { classifier, classes: vec![1] };
    let said = message(Request { classifier: Some(guidance), ..request(&model, "star", 5) }.job(&model));
    assert!(said.starts_with("classifier: is for another schedule"), "{said}");
    let mean = led("onnx/models/sprite_classifier.onnx", vec![5]).with("classifier_form", "mean").unwrap();
    assert!(message(mean.job(&model)).starts_with("classifier_form: "));
    assert!(mean.with("solver", "ddpm").unwrap().job(&model).is_ok());
}

/// A spot that does not belong there is found, and the rest left alone.
#[test]
fn the_counterfactual_shows_the_defect() {
    let model = model("onnx/models/sprite_defects.onnx");
    let sprite = image(&sprites(), "ghost").index_axis_move(Axis(0), 0);
    let mut planted = sprite.clone();
    let spot = |y: usize, x: usize| (12..17).contains(&y) && (17..21).contains(&x);
    for (channel, value) in [0.9, -0.2, -0.8, 1.0].into_iter().enumerate() {
        for y in 12..17 {
            planted.slice_mut(s![channel, y, 17..21]).fill(value);
        }
    }
    let classifier = crate::support::model("onnx/models/sprite_defects_classifier.onnx");
    let classes = vec![classifier.class("normal").unwrap()];
    let request = Request {
        image: Some(Arc::new(planted)),
        classifier: Some(ClassifierGuidance { classifier, classes }),
        ..Request::default()
    };
    let request = request.with("classifier_scale", 50).unwrap();
    let mut shares = Vec::new();
    let found = request
        .counterfactual(&model, &Canceller::default(), &mut |share| {
            shares.push(share);
            Ok(())
        })
        .unwrap();
    assert!(shares.windows(2).all(|pair| pair[0] < pair[1]) && shares[0] == 0.0 && *shares.last().unwrap() < 1.0);
    assert_eq!((found.images.shape(), found.map.shape()), (&[1, 4, 32, 32][..], &[1, 32, 32][..]));
    let mean = |inside: bool| {
        let values: Vec<f32> = (0..32 * 32)
            .map(|i| (i / 32, i % 32))
            .filter(|(y, x)| spot(*y, *x) == inside)
            .map(|(y, x)| found.map[[0, y, x]])
            .collect();
        values.iter().sum::<f32>() / values.len() as f32
    };
    println!("mean of the map in the spot {:.3}, elsewhere {:.3}", mean(true), mean(false));
    assert!(mean(true) > 8.0 * mean(false));
    let cancelled = request.counterfactual(&model, &Canceller::default(), &mut |share| {
        if share > 0.6 { Err(Error::Cancelled) } else { Ok(()) }
    });
    assert!(matches!(cancelled, Err(Error::Cancelled)));
    let plain = Request { classifier: None, options: Default::default(), ..request };
    assert!(message(plain.counterfactual(&model, &Canceller::default(), &mut |_| Ok(()))).starts_with("classifier: "));
}

/// A point of two moons.
fn moon(share: f32, lower: bool) -> [f32; 2] {
    let angle = std::f32::consts::PI * share;
    if lower { [1.0 - angle.cos(), 0.5 - angle.sin()] } else { [angle.cos(), angle.sin()] }
}

/// How far points are from the S-curve that the model was trained on, on average, and how far apart they reach.
fn from_s_curve(points: &[[f32; 2]]) -> (f32, f32) {
    let curve: Vec<[f32; 2]> = (0..2000)
        .map(|i| {
            let angle = 3.0 * std::f32::consts::PI * (i as f32 / 1999.0 - 0.5);
            let scale = [0.5f32, 1.5 + 4.0 / (3.0 * std::f32::consts::PI)].map(f32::sqrt);
            [angle.sin() / scale[0], angle.signum() * (angle.cos() - 1.0) / scale[1]]
        })
        .collect();
    let nearest = |p: &[f32; 2]| curve.iter().map(|c| (c[0] - p[0]).hypot(c[1] - p[1])).fold(f32::MAX, f32::min);
    let mean = points.iter().map(nearest).sum::<f32>() / points.len() as f32;
    let heights = points.iter().map(|p| p[1]);
    (mean, heights.clone().fold(f32::MIN, f32::max) - heights.fold(f32::MAX, f32::min))
}

/// From one set of points to another: a run that starts from any tensor. And the same network under a process of the
/// caller's own.
#[test]
fn a_run_starts_from_anything() {
    let model = model("onnx/models/moons_to_s_curve.onnx");
    let start: Vec<f32> = (0..1000).flat_map(|i| moon((i / 2) as f32 / 499.0, i % 2 == 1)).collect();
    let start = ArrayD::from_shape_vec(vec![1000, 2], start).unwrap();
    let mut job = Request { count: 1000, ..Request::default() }.job(&model).unwrap();
    job.start_from(start.view()).unwrap();
    let pairs = |values: &[f32]| values.chunks(2).map(|p| [p[0], p[1]]).collect::<Vec<_>>();
    let before = from_s_curve(&pairs(start.as_slice().unwrap()));
    let after = from_s_curve(&pairs(job.run().unwrap().as_slice().unwrap()));
    println!("mean distance from the S-curve and its height: moons {before:.3?}, led there {after:.3?}");
    assert!(before.0 > 0.2 && after.0 < 0.08 && (2.5..3.1).contains(&after.1));
    // Some of the way: from t = 0.7 to t = 0.2.
    let part = Request { count: 1000, ..Request::default() };
    let part = part.with("timesteps", "0.7,0.6,0.5,0.4,0.3,0.2").unwrap().with("ending", "level").unwrap();
    let job = part.with("solver", "euler").unwrap().job(&model).unwrap();
    let levels: Vec<f64> = job.grid().levels().iter().map(|level| level.sigma).collect();
    assert_eq!(levels, [0.7, 0.6, 0.5, 0.4, 0.3, 0.2]);

    let file = tempfile::tempdir().unwrap();
    let file = file.path().join("points.csv");
    let output = std::process::Command::new(crate::support::example("cold_diffusion"))
        .args([&crate::support::repository("onnx/models/moons_to_s_curve.onnx"), &file])
        .current_dir(crate::support::repository("."))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(file).unwrap();
    let values: Vec<f32> = text.lines().skip(1).flat_map(|line| line.split(',')).map(|v| v.parse().unwrap()).collect();
    let cold = from_s_curve(&pairs(&values));
    println!("by cold diffusion {cold:.3?}");
    assert!(cold.0 < 0.08 && (2.5..3.1).contains(&cold.1));
}
