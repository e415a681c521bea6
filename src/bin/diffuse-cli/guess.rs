//! `diffuse-cli inspect --samples`: finds from clean samples what a graph does not state.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use diffuse::denoiser::Condition;
use diffuse::network::{Element, Network, Signature};
use diffuse::text::escaped;
use diffuse::{Error, Model, Request};
use serde_json::{Value, json};

use crate::calibration::{Calibration, LEVELS, Ranked, Score};
use crate::conditions::{self, HELP};
use crate::failure::Failure;
use crate::hypotheses::{Hypothesis, Told};
use crate::input::ModelInput;
use crate::samples::Samples;
use crate::shared::{classes_of, print, print_json};
use crate::suggest;

/// How far a hypothesis may be behind another one and count as equal. A trained network is not quite the best denoiser,
/// so an error of a hundredth is no evidence.
const TOLERANCE: f64 = 0.02;

/// This many standard errors of the samples are no evidence either.
const ERRORS: f64 = 2.0;

/// The greatest score. Above it the network predicts something else.
const MOST_SCORE: f64 = 0.5;

/// The least gain. Below it scaling x is as good.
const LEAST_GAIN: f64 = 0.02;

/// The number of hypotheses outside of the first group that are printed.
const MOST_GROUPS: usize = 4;
const MOST_LINES: usize = 6;

#[derive(Debug, Args)]
#[command(next_help_heading = "Clean samples")]
pub(crate) struct SampleArguments {
    /// Clean samples of the training data: a .npy with the batch first, or a folder of .png and .npy files. They
    /// determine the schedule, prediction, time and input scaling that the manifest lacks or has as "?". A whole
    /// manifest is checked. The first 2,000 points or 64 pictures of 32x32 are used.
    #[arg(long, value_name = "PATH")]
    pub(crate) samples: Option<PathBuf>,
    /// The class of every sample or of all, by name or number, separated by commas. May be given more than once.
    #[arg(long, value_name = "NAME", requires = "samples")]
    class: Vec<String>,
    #[arg(long, value_name = "NAME=X", requires = "samples", help = HELP)]
    condition: Vec<String>,
}

/// The findings.
struct Findings {
    file: String,
    /// The number of samples that were used, and of all samples.
    samples: [usize; 2],
    lambdas: Vec<f64>,
    tried: usize,
    /// The hypotheses that the samples cannot tell apart, the best first. A whole manifest is in one of the groups.
    groups: Vec<Vec<Ranked>>,
    is_whole: bool,
    own: Option<Own>,
}

/// The manifest's own place.
#[derive(Clone, Copy)]
struct Own {
    group: usize,
    place: usize,
}

pub(crate) fn run(
    input: &ModelInput,
    network: Network,
    path: &Path,
    arguments: &SampleArguments,
    as_json: bool,
) -> Result<(), Failure> {
    let findings = find(input, network, path, arguments)?;
    if as_json { print_json(&findings.json()) } else { print(&findings.text()) }
}

/// The manifest that a graph suggests, with "?" where it states nothing.
fn suggested(signature: &Signature) -> Result<String, String> {
    let mut manifest = suggest::manifest(signature)
        .map_err(|reason| format!("there is no manifest, and none can be suggested: {reason}"))?;
    // Whole numbers are steps, counted from 0 or from 1, in either direction.
    manifest["time"] = json!("?");
    Ok(manifest.to_string())
}

fn find(input: &ModelInput, network: Network, path: &Path, arguments: &SampleArguments) -> Result<Findings, Failure> {
    let file = network.name();
    let refused = |reason: String| Failure::from(Error::Model { model: file.clone(), reason });
    let (said, place) = match network.manifest() {
        Some((said, place)) => (said.to_owned(), format!("{place}: ")),
        None => (suggested(network.signature()).map_err(refused)?, String::new()),
    };
    let placed = |reason: String| refused(format!("{place}{reason}"));
    let told = Told::read(&said).map_err(placed)?;
    let carrier = told.carrier().map_err(placed)?;
    let model = Arc::new(Model::under(Arc::new(network), carrier).map_err(|error| input.named(error))?);
    let samples = Samples::read(path, &model)?;
    let used = samples.values.shape()[0];
    let condition = condition(arguments, &model, &samples)?;
    let Samples { values, total, same } = samples;
    let mut calibration = Calibration::new(&model, values, condition, same)?;
    let element = model.time_element().unwrap_or(Element::F32);
    let hypotheses = told.hypotheses(element, calibration.deviation()).map_err(placed)?;
    let (tried, own) = (hypotheses.len(), told.own());
    let ranked = calibration.rank(hypotheses, own.as_ref())?;
    let lambdas = (0..LEVELS.len()).map(|index| calibration.lambda(index)).collect();
    check(&ranked, tried).map_err(refused)?;
    let groups = grouped(ranked);
    let place_of = |group: &Vec<Ranked>| group.iter().position(|one| own.as_ref() == Some(&one.hypothesis));
    let mut places = groups.iter().enumerate();
    let is_whole = own.is_some();
    let own = places.find_map(|(group, ranked)| place_of(ranked).map(|place| Own { group, place }));
    Ok(Findings { file, samples: [used, total], lambdas, tried, groups, is_whole, own })
}

/// The condition of the samples.
fn condition(arguments: &SampleArguments, model: &Model, samples: &Samples) -> Result<Condition, Failure> {
    let (used, total) = (samples.values.shape()[0], samples.total);
    let given = classes_of(model, &arguments.class)?;
    let classes = match given.len() {
        0 => None,
        1 => Some(vec![given[0]; used]),
        count if count == total => Some(given[..used].to_vec()),
        count => {
            return Err(Failure::Usage(format!("--class: {count} classes for {total} samples; give 1 or as many")));
        }
    };
    let conditions = conditions::read("--condition", &arguments.condition)?.decode(model, &mut BTreeMap::new())?;
    conditions.check("--condition", total)?;
    let request = Request { classes, conditions: conditions.part(0, used, total), ..Request::default() };
    request.told(model, samples.values.shape()).map_err(|error| match error {
        Error::Argument { name: "shape", reason } => Failure::Usage(format!("--samples: {reason}")),
        Error::Argument { name: "classes", reason } => Failure::Usage(format!("--class: {reason}")),
        error => error.into(),
    })
}

/// Checks that any hypothesis fits at all.
fn check(ranked: &[Ranked], tried: usize) -> Result<(), String> {
    let found = match ranked.first() {
        None => "the network can be evaluated under none of them at enough noise levels".into(),
        Some(Ranked { hypothesis, score: Score { score, gain, .. }, .. }) => {
            let best = fields(hypothesis);
            if *score > MOST_SCORE {
                format!("the best, {best}, has a score of {score:.3}; a denoiser has 0, and {MOST_SCORE} is the limit")
            } else if *gain < LEAST_GAIN {
                format!("under the best, {best}, the network removes no more noise than scaling the noisy sample does")
            } else {
                return Ok(());
            }
        }
    };
    Err(format!(
        "none of {tried} hypotheses fits: {found}. The model may not start from noise, or the samples are not its training data in its range of values"
    ))
}

/// Groups hypotheses that cannot be told apart. A group has the first one that is left, and those within the tolerance
/// and the chance of the samples.
fn grouped(mut ranked: Vec<Ranked>) -> Vec<Vec<Ranked>> {
    let mut groups = Vec::new();
    while !ranked.is_empty() {
        let leader = ranked.remove(0);
        let is_tied = |one: &Ranked| {
            let (distance, error) = one.behind(&leader);
            distance <= TOLERANCE + ERRORS * error
        };
        let (tied, others) = ranked.into_iter().partition(is_tied);
        groups.push(std::iter::once(leader).chain::<Vec<Ranked>>(tied).collect());
        ranked = others;
    }
    groups
}

/// The fields of a manifest, as they stand in one.
fn fields(hypothesis: &Hypothesis) -> String {
    let fields = hypothesis.fields().into_iter().map(|(field, value)| format!("\"{field}\": {value}"));
    fields.collect::<Vec<_>>().join(", ")
}

impl Findings {
    fn json(&self) -> Value {
        let of_one = |group: usize, place: usize, one: &Ranked| {
            let manifest: BTreeMap<&str, Value> = one
                .hypothesis
                .fields()
                .into_iter()
                .map(|(field, value)| (field, serde_json::from_str(&value).unwrap_or_default()))
                .collect();
            let is_own = self.own.is_some_and(|own| (own.group, own.place) == (group, place));
            json!({"score": one.score, "manifest": manifest, "is_the_manifests": is_own})
        };
        let of_group = |(group, ranked): (usize, &Vec<Ranked>)| -> Vec<Value> {
            ranked.iter().enumerate().map(|(place, one)| of_one(group, place, one)).collect()
        };
        json!({
            "file": self.file,
            "samples": {"used": self.samples[0], "of": self.samples[1]},
            "lambda": self.lambdas,
            "hypotheses": self.tried,
            "groups": self.groups.iter().enumerate().map(of_group).collect::<Vec<_>>(),
            "group_of_the_manifest": self.own.map(|own| own.group + 1),
        })
    }

    fn text(&self) -> String {
        let Self { file, samples: [used, total], lambdas, tried, groups, is_whole, own } = self;
        let mut text = format!("{}\n", escaped(file));
        let of = if used == total { String::new() } else { format!(" of {total}") };
        let ends = [lambdas.first(), lambdas.last()].map(|end| end.copied().unwrap_or_default());
        let _ = writeln!(text, "samples  {used}{of}, with noise at ln(α/σ) from {:.1} to {:.1}", ends[0], ends[1]);
        let compared: usize = groups.iter().map(Vec::len).sum();
        let _ = writeln!(text, "tried    {tried} hypotheses; {compared} of them at enough levels to be compared");
        for (number, group) in groups.iter().enumerate() {
            let own = own.filter(|own| own.group == number).map(|own| own.place);
            if number < MOST_GROUPS || own.is_some() {
                text.push_str(&describe(number, group, own));
            }
        }
        if groups.len() > MOST_GROUPS {
            let _ = writeln!(text, "There are {} groups.", groups.len());
        }
        text.push_str(
            "The samples cannot tell the hypotheses of one group apart. The best denoiser has the score 0.\n",
        );
        text.push_str(match own {
            Some(Own { group: 0, .. }) => "The manifest is in the first group: the samples agree with it.\n",
            Some(_) => "The manifest is not in the first group: the samples speak for another one.\n",
            None if *is_whole => {
                "The manifest is not among them: its schedule has too few of these levels, or the network fails.\n"
            }
            None => "",
        });
        text
    }
}

/// A group, with the place of the manifest if it is in the group.
fn describe(number: usize, group: &[Ranked], own: Option<usize>) -> String {
    let mut text = format!("group {}\n", number + 1);
    let most = if number == 0 { group.len() } else { MOST_LINES };
    for (place, Ranked { hypothesis, score, .. }) in group.iter().enumerate() {
        if place < most || own == Some(place) {
            let mark = if own == Some(place) { "  <- the manifest" } else { "" };
            let _ = writeln!(text, "  {:<8.4} {}{mark}", score.score, fields(hypothesis));
        }
    }
    if group.len() > most {
        let _ = writeln!(text, "  and {} more", group.len() - most);
    }
    text
}
