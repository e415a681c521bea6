//! `diffuse-cli plot`: draws a run's schedule, its grid and its solver's coefficients as an SVG.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use diffuse::schedule::NoiseLevel;

use crate::failure::Failure;
use crate::output::{Outputs, Stem, Target};
use crate::plan::{Plan, PlanArguments};
use crate::shared::{print, shown};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The output file, an SVG. `-` is standard output. Default: plan.svg, or plan-2.svg and so on.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    plan: PlanArguments,
}

/// The size of a panel's area, and the space around it.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 150.0;
const ABOVE: f64 = 40.0;

/// Colours that can be told apart without red and green (Okabe & Ito).
const COLOURS: &[&str] = &["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#000000", "#f0e442"];

/// A curve: its name, and its points.
struct Curve {
    name: String,
    points: Vec<(f64, f64)>,
    looks: Looks,
}

/// How a curve is drawn.
#[derive(Clone, Copy, PartialEq)]
enum Looks {
    Line,
    Points,
    Both,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let stem = Stem { start: "plan".into(), end: String::new() };
    let outputs = match &arguments.output {
        Some(path) => {
            let target = Target::new(path);
            if target != Target::Stdout && path.extension().is_none_or(|ending| ending != "svg") {
                return Err(Failure::Usage(format!(
                    "-o {}: the drawing is an SVG; expected a name that ends in .svg",
                    path.display()
                )));
            }
            Outputs::named(stem, vec![(target, (), "svg")])
        }
        None => Outputs::usual(stem, vec![((), "svg")]),
    };
    let plan = arguments.plan.plan()?;
    outputs.check(|()| false, &arguments.plan.sources())?;
    let written = outputs.write(|()| Ok(draw(&plan).into_bytes()))?;
    if outputs.is_usual() {
        written.files.iter().try_for_each(|path| print(&shown(path)))?;
    }
    written.end()
}

fn draw(plan: &Plan) -> String {
    let schedule = plan.grid.schedule();
    let [least, most] = schedule.bounds();
    let all: Vec<NoiseLevel> =
        (0..=200).map(|k| schedule.level(least + (most - least) * f64::from(k) / 200.0)).collect();
    let of_time = |name: &str, levels: &[NoiseLevel], value: fn(&NoiseLevel) -> f64, looks: Looks| Curve {
        name: name.to_owned(),
        points: levels.iter().map(|level| (level.t, value(level))).collect(),
        looks,
    };
    let alpha: fn(&NoiseLevel) -> f64 = |level| level.alpha;
    let sigma: fn(&NoiseLevel) -> f64 = |level| level.sigma;
    let levels = plan.grid.levels();
    let noise = Curve {
        name: "σ/α".into(),
        points: levels
            .iter()
            .enumerate()
            .map(|(step, level)| (step as f64, level.noise_to_signal().log10()))
            .filter(|point| point.1.is_finite())
            .collect(),
        looks: Looks::Both,
    };
    let coefficients = plan.columns().into_iter().map(|(name, of)| Curve {
        name,
        points: plan.rows.iter().enumerate().map(|(move_, row)| (move_ as f64, of(&row.update))).collect(),
        looks: Looks::Both,
    });
    let panels = [
        (
            "The schedule over t, and the levels that the run visits",
            vec![
                of_time("α", &all, alpha, Looks::Line),
                of_time("σ", &all, sigma, Looks::Line),
                of_time("visited", levels, sigma, Looks::Points),
            ],
        ),
        ("The noise of the levels, step by step: the logarithm of σ/α to base 10", vec![noise]),
        ("What x, x̂₀ and the others count in each move", coefficients.collect()),
    ];
    let height = panels.len() as f64 * (HEIGHT + 2.0 * ABOVE) + ABOVE;
    let width = LEFT + WIDTH + RIGHT;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{LEFT}\" y=\"24\" font-size=\"15\">{}</text>\n",
        escaped(&plan.solver.to_string())
    );
    for (place, (title, curves)) in panels.iter().enumerate() {
        panel(&mut svg, title, curves, ABOVE + place as f64 * (HEIGHT + 2.0 * ABOVE));
    }
    svg + "</svg>\n"
}

// Long: it is one drawing, from the frame to the last label, in the order in which it is
// painted.
fn panel(svg: &mut String, title: &str, curves: &[Curve], top: f64) {
    let top = top + ABOVE;
    let range = |of: fn(&(f64, f64)) -> f64| {
        let values = || curves.iter().flat_map(|curve| &curve.points).map(of).filter(|value| value.is_finite());
        let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        if low < high {
            (low, high)
        } else if low.is_finite() {
            (low - 1.0, low + 1.0)
        } else {
            (0.0, 1.0)
        }
    };
    let (x_range, y_range) = (range(|point| point.0), range(|point| point.1));
    let x = |value: f64| LEFT + WIDTH * (value - x_range.0) / (x_range.1 - x_range.0);
    let y = |value: f64| top + HEIGHT * (y_range.1 - value) / (y_range.1 - y_range.0);
    let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\">{}</text>", top - 10.0, escaped(title));
    let _ = writeln!(
        svg,
        "<rect x=\"{LEFT}\" y=\"{top}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"none\" stroke=\"#999\"/>"
    );
    for k in 0..=4 {
        let share = f64::from(k) / 4.0;
        let (at_x, at_y) = (x_range.0 + share * (x_range.1 - x_range.0), y_range.0 + share * (y_range.1 - y_range.0));
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            x(at_x),
            top + HEIGHT + 16.0,
            short(at_x),
            LEFT - 6.0,
            y(at_y) + 4.0,
            short(at_y)
        );
    }
    for (place, curve) in curves.iter().enumerate() {
        let colour = COLOURS[place % COLOURS.len()];
        let points: Vec<String> = curve
            .points
            .iter()
            .filter(|point| point.1.is_finite())
            .map(|point| format!("{:.2},{:.2}", x(point.0), y(point.1)))
            .collect();
        if curve.looks != Looks::Line {
            for point in &points {
                let (cx, cy) = point.split_once(',').unwrap_or_default();
                let _ = writeln!(svg, "<circle cx=\"{cx}\" cy=\"{cy}\" r=\"2.5\" fill=\"{colour}\"/>");
            }
        }
        if curve.looks != Looks::Points {
            let _ = writeln!(svg, "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\"/>", points.join(" "));
        }
        let line = top + 12.0 + 18.0 * place as f64;
        let at = LEFT + WIDTH + 14.0;
        let _ = writeln!(
            svg,
            "<circle cx=\"{at}\" cy=\"{}\" r=\"4\" fill=\"{colour}\"/>\n<text x=\"{}\" y=\"{line}\">{}</text>",
            line - 4.0,
            at + 10.0,
            escaped(&curve.name)
        );
    }
}

fn short(value: f64) -> String {
    let text = if value != 0.0 && !(0.01..1e5).contains(&value.abs()) {
        format!("{value:.1e}")
    } else {
        format!("{value:.3}")
    };
    match text.contains('e') {
        true => text,
        false => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
