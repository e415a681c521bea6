//! What Python and the fuzzer know of manifests is what the code says. `tests/bless` writes it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use diffuse::model::{
    Classes, ConditionInput, Defaults, Encoding, GuidancePair, Inputs, Kind as SampleKind, LearnedVariance,
    MOST_CLASSES, MOST_NAME, Manifest, Outputs, Sample, Schedule, SchedulerConfig, Time, Toward,
};
use diffuse::option::{Kind, MOST_NUMBERS};
use diffuse::sample::MOST_VALUES;
use diffuse::schedule::{BetaKind, BetaSchedule, Ending, Spacing, Tables, Terminal, VariancePreserving};
use diffuse::settings::{OPTIONS, RENAMED, REWORDED};
use diffuse::solver::SOLVERS;
use diffuse::{InputScaling, Prediction};
use serde::de::value::MapDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde_json::{Map, Value, json};

use crate::support::{agree, repository};

/// What a type says when it is given what it does not know: the list of what it does. So no list stands here.
#[derive(Debug)]
enum Said {
    Known(&'static [&'static str]),
    Twice(&'static str),
    Other,
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Said {}

impl serde::de::Error for Said {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self::Other
    }

    fn unknown_variant(_: &str, known: &'static [&'static str]) -> Self {
        Self::Known(known)
    }

    fn unknown_field(_: &str, known: &'static [&'static str]) -> Self {
        Self::Known(known)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::Twice(field)
    }
}

/// The words of a type whose values have some.
fn words<T: DeserializeOwned>() -> &'static [&'static str] {
    match T::deserialize(IntoDeserializer::<Said>::into_deserializer("?")) {
        Err(Said::Known(words)) => words,
        _ => panic!("{} takes any word", std::any::type_name::<T>()),
    }
}

/// What a type knows as the last key of these.
fn keys<T: DeserializeOwned>(entries: &[(&str, &str)]) -> &'static [&'static str] {
    match T::deserialize(MapDeserializer::<_, Said>::new(entries.iter().copied())) {
        Err(Said::Known(keys)) => keys,
        _ => panic!("{} takes any key", std::any::type_name::<T>()),
    }
}

fn read<T: DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_value(value.clone()).ok()
}

/// `least` with another field.
fn with(least: &Value, field: &str, value: Value) -> Value {
    let mut fields = least.as_object().unwrap().clone();
    fields.insert(field.to_owned(), value);
    Value::Object(fields)
}

/// A section: its fields; those that it needs; those that may be null; and former names, with the present ones. `least`
/// has what is needed and nothing else.
fn section<T: DeserializeOwned>(least: &Value) -> Value {
    assert!(read::<T>(least).is_some(), "{least} is no {}", std::any::type_name::<T>());
    let known = keys::<T>(&[("?", "?")]);
    let required: Vec<&String> = least.as_object().unwrap().keys().collect();
    for field in &required {
        let mut less = least.as_object().unwrap().clone();
        less.remove(*field);
        assert!(read::<T>(&Value::Object(less)).is_none(), "{field} is not needed");
    }
    let nullable = |field: &str| read::<T>(&with(least, field, Value::Null)).is_some();
    let nullable: Vec<&str> = known.iter().copied().filter(|field| nullable(field)).collect();
    let mut former = Map::new();
    for (place, one) in nullable.iter().enumerate() {
        for other in &nullable[place + 1..] {
            let both = [(*one, ()), (*other, ())];
            if let Err(Said::Twice(now)) = T::deserialize(MapDeserializer::<_, Said>::new(both.into_iter())) {
                let then = if *one == now { other } else { one };
                former.insert((*then).to_owned(), now.into());
            }
        }
    }
    json!({"fields": known, "required": required, "nullable": nullable, "former": former})
}

/// The least that a schedule of this kind needs.
fn least_schedule(kind: &str) -> Value {
    match kind {
        "ve" => json!({"kind": kind, "sigma_min": 0.01, "sigma_max": 50}),
        "trained" => json!({"kind": kind, "betas": [0.01, 0.02]}),
        _ => json!({"kind": kind}),
    }
}

fn least_manifest(schedule: &Value) -> Value {
    json!({"diffuse": Manifest::VERSION, "sample": {"shape": [1]}, "schedule": schedule, "prediction": "v"})
}

/// Whether nothing of the clean sample is left at the end.
fn ends_in_noise(schedule: &Value) -> bool {
    let schedule = read::<Schedule>(schedule).unwrap().build(Tables::Exact).unwrap();
    schedule.level(schedule.bounds()[1]).alpha == 0.0
}

/// Whether as much of the clean sample is left at the end as at the beginning.
fn keeps_the_sample(schedule: &Value) -> bool {
    let schedule = read::<Schedule>(schedule).unwrap().build(Tables::Exact).unwrap();
    let [first, last] = schedule.bounds().map(|t| schedule.level(t).alpha);
    first == last
}

/// A kind of schedule: its fields, those that it needs, what the others are, and what manifests with it are.
fn schedule(kind: &str) -> Value {
    let least = least_schedule(kind);
    let read: Schedule = read(&least).unwrap();
    let Value::Object(mut usual) = serde_json::to_value(&read).unwrap() else { panic!("{kind}") };
    let required: Vec<&String> = least.as_object().unwrap().keys().filter(|field| *field != "kind").collect();
    for field in least.as_object().unwrap().keys() {
        usual.remove(field);
    }
    let manifest = Manifest::parse(&least_manifest(&least).to_string()).unwrap();
    json!({
        "fields": keys::<Schedule>(&[("kind", kind), ("?", "?")]),
        "required": required,
        "defaults": usual,
        "continuous": read.build(Tables::Exact).unwrap().train_steps().is_none(),
        "ends_in_noise": ends_in_noise(&least),
        "alpha_is_one": keeps_the_sample(&least),
        "time": manifest.time(),
        "solver": manifest.solver(),
    })
}

fn kind_of_option(kind: Kind) -> Value {
    match kind {
        Kind::Flag => json!({"kind": "flag"}),
        Kind::Whole(least, most) => json!({"kind": "whole", "least": least, "most": most}),
        // JSON has no infinity.
        Kind::Real(least, most) => json!({"kind": "real", "least": least, "most": most.is_finite().then_some(most)}),
        Kind::Choice(words, _) => json!({"kind": "choice", "words": words}),
        Kind::Numbers => json!({"kind": "numbers"}),
        other => panic!("no option of a manifest has the kind {other:?}"),
    }
}

fn facts() -> Value {
    let schedules = keys::<Schedule>(&[("kind", "?")]);
    let linear = least_schedule("linear");
    let terminals = words::<Terminal>().iter().copied();
    let predictions = words::<Prediction>().iter().copied();
    let solvers = SOLVERS.iter().map(|entry| {
        let keys: Vec<&str> = entry.options.iter().map(|option| option.key).collect();
        (entry.name.to_owned(), json!(keys))
    });
    let all = OPTIONS.iter().chain(SOLVERS.iter().flat_map(|entry| entry.options));
    let map = |pairs: &[(&str, &str)]| -> Map<String, Value> {
        pairs.iter().map(|(from, to)| ((*from).to_owned(), json!(to))).collect()
    };
    json!({
        "version": Manifest::VERSION,
        "limits": {
            "values": MOST_VALUES,
            "classes": MOST_CLASSES,
            "name": MOST_NAME,
            "train_steps": BetaSchedule::MOST_STEPS,
            "betas": VariancePreserving::MOST_BETAS,
            "argument": BetaKind::MOST_ARGUMENT,
            "numbers": MOST_NUMBERS,
        },
        "sections": {
            "": section::<Manifest>(&least_manifest(&linear)),
            "sample": section::<Sample>(&json!({"shape": [1]})),
            "time": section::<Time>(&json!({})),
            "classes": section::<Classes>(&json!({})),
            "conditions": section::<ConditionInput>(&json!({"shape": [1]})),
            "outputs": section::<Outputs>(&json!({})),
            "defaults": section::<Defaults>(&json!({})),
        },
        "words": {
            "prediction": words::<Prediction>(),
            "input_scaling": words::<InputScaling>(),
            "variance": words::<LearnedVariance>(),
            "guidance_pair": words::<GuidancePair>(),
            "sample.kind": words::<SampleKind>(),
            "schedule.kind": schedules,
            "schedule.terminal": words::<Terminal>(),
            "time.encoding": words::<Encoding>(),
            "time.direction": words::<Toward>(),
            "defaults.grid": words::<Spacing>(),
            "defaults.ending": words::<Ending>(),
        },
        "defaults": {
            "variance": LearnedVariance::default(),
            "schedule.terminal": Terminal::default(),
            "time": Time::default(),
        },
        "schedules": schedules.iter().map(|kind| ((*kind).to_owned(), schedule(kind))).collect::<Map<_, _>>(),
        "terminals_in_noise": terminals.filter(|word| ends_in_noise(&with(&linear, "terminal", json!(word)))).collect::<Vec<_>>(),
        "predictions_from_noise": predictions
            .filter(|word| read::<Prediction>(&json!(word)).unwrap().allows_pure_noise())
            .collect::<Vec<_>>(),
        "roles": Inputs::ROLES.iter().map(|(role, names)| ((*role).to_owned(), json!(names))).collect::<Map<_, _>>(),
        "solvers": solvers.collect::<Map<_, _>>(),
        "options": all.map(|option| (option.key.to_owned(), kind_of_option(option.kind))).collect::<Map<_, _>>(),
        "options_of_runs": OPTIONS.iter().map(|option| option.key).collect::<Vec<_>>(),
        "renamed": map(RENAMED),
        "reworded": REWORDED,
    })
}

/// The object with a line for each entry of its objects, so that a change shows as that.
fn by_lines(facts: &Value) -> String {
    let mut page = String::from("{");
    for (place, (name, fact)) in facts.as_object().unwrap().iter().enumerate() {
        write!(page, "{}\n{}: ", if place == 0 { "" } else { "," }, json!(name)).unwrap();
        match fact.as_object() {
            None => page += &fact.to_string(),
            Some(entries) => {
                let lines: Vec<_> = entries.iter().map(|(key, value)| format!("\n  {}: {value}", json!(key))).collect();
                write!(page, "{{{}\n}}", lines.join(",")).unwrap();
            }
        }
    }
    page + "\n}\n"
}

#[test]
fn the_facts_for_python_are_fresh() {
    agree("onnx/manifest_facts.json", &by_lines(&facts()));
}

/// Every key and every text of a value.
fn texts<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::String(text) => drop(found.insert(text)),
        Value::Array(list) => list.iter().for_each(|value| texts(value, found)),
        Value::Object(entries) => entries.iter().for_each(|(key, value)| {
            found.insert(key);
            texts(value, found);
        }),
        _ => {}
    }
}

/// What the fuzzer puts together manifests and configurations of diffusers from.
#[test]
fn the_words_for_the_fuzzer_are_fresh() {
    let facts = facts();
    let mut words = BTreeSet::new();
    texts(&facts, &mut words);
    // The classes of diffusers are named where one is not known.
    let refused = SchedulerConfig::parse(r#"{"_class_name": "?"}"#).unwrap_err().to_string();
    let classes = refused.rsplit_once("known are ").unwrap().1.split(", ");
    words.extend(classes);
    // Their fields, and the words of these, are in quotes on the pages that read them.
    let pages = ["classes", "config"]
        .map(|page| std::fs::read_to_string(repository(&format!("src/model/diffusers/{page}.rs"))).unwrap());
    let code: Vec<&str> = pages.iter().flat_map(|page| page.lines()).map(str::trim_start).collect();
    let code = code.iter().filter(|line| !line.starts_with("//")).flat_map(|line| line.split('"').skip(1).step_by(2));
    let is_word = |text: &&str| text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+'));
    words.extend(code.filter(is_word));
    words.retain(|word| !word.is_empty());
    assert!(words.len() > 250 && words.contains("FlowMatchLCMScheduler") && words.contains("dpmsolver++"));
    // An entry of a dictionary is in quotes, and so is a word of JSON.
    let lines: Vec<String> = words.iter().map(|word| format!("\"\\\"{word}\\\"\"\n")).collect();
    agree("tests/fuzz/words.dict", &lines.concat());
}
