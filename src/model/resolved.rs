//! Manifests with their defaults filled in, for hosts, which should not have to know the defaults.

use serde_json::{Value, json};

use super::manifest::{Manifest, Schedule};
use crate::settings;

impl Manifest {
    /// The manifest as it is written, with the first name of every field. Its hash identifies a model without a graph,
    /// also for snapshots that are older than a name.
    #[must_use]
    pub(crate) fn by_first_names(&self) -> String {
        let mut former = self.clone();
        let options = &mut former.defaults.options;
        for (key, first, word) in settings::REWORDED {
            let value = options.get_mut(*key).filter(|value| *value == word);
            value.into_iter().for_each(|value| *value = (*first).into());
        }
        for (first, key) in settings::RENAMED {
            options.remove(*key).into_iter().for_each(|value| drop(options.insert((*first).to_owned(), value)));
        }
        // Within a text the quotes would be escaped.
        serde_json::to_string(&former).unwrap_or_default().replace("\"sigma_data\":", "\"deviation\":")
    }

    /// The manifest as JSON, with every default filled in.
    ///
    /// `defaults` has the values of a run whose request names no solver. With another solver the grid and the number of
    /// steps may differ ([`Manifest::grid`], [`Manifest::steps`]). Some fields are there only if the manifest sets
    /// them. These are the names of inputs and outputs, which are found in the graph, and fields without a default:
    /// texts, the range of a tensor, η.
    #[must_use]
    pub fn resolved(&self) -> Value {
        let mut all = self.clone();
        all.sample.kind = Some(self.sample.kind());
        all.sample.range = self.sample.range();
        all.sample.clip = Some(self.sample.clip());
        all.sample.sigma_data = Some(self.sigma_data());
        all.time = Some(self.time());
        if let Some(classes) = &mut all.classes {
            classes.count = Some(classes.count());
        }
        for condition in all.conditions.values_mut() {
            condition.kind = Some(condition.kind());
            condition.range = Some(condition.range());
        }
        // A classifier is not sampled.
        if !self.is_classifier() {
            let solver = self.solver();
            all.defaults.solver = Some(solver.to_owned());
            all.defaults.grid = Some(self.grid(solver));
            all.defaults.steps = Some(self.steps(solver));
            if let Some(order) = self.order(solver) {
                all.defaults.options.entry("order".into()).or_insert(order.into());
            }
        }
        // Defaults are left out in any case, since the hash of what is written identifies a host's model.
        let mut written = serde_json::to_value(&all).unwrap_or_default();
        let mut fill = |section: &str, key: &str, usual: Value| {
            if let Some(object) = written.pointer_mut(section).and_then(Value::as_object_mut) {
                object.entry(key).or_insert(usual);
            }
        };
        fill("", "input_scaling", json!(self.input_scaling));
        fill("/sample", "clamp", json!(self.sample.clamp));
        fill("/sample", "channels_last", json!(self.sample.channels_last));
        fill("/defaults", "ending", json!(self.defaults.ending));
        match &self.schedule {
            Schedule::Linear(range) | Schedule::ScaledLinear(range) | Schedule::Sigmoid(range) => {
                fill("/schedule", "terminal", json!(range.terminal));
                fill("/schedule", "snr_shift", json!(range.snr_shift));
            }
            Schedule::SigmoidAlphaBar(range) => fill("/schedule", "terminal", json!(range.terminal)),
            Schedule::Cosine(steps) | Schedule::Exponential(steps) | Schedule::Laplace(steps) => {
                fill("/schedule", "terminal", json!(steps.terminal));
                fill("/schedule", "snr_shift", json!(steps.snr_shift));
            }
            Schedule::Trained { terminal, .. } => fill("/schedule", "terminal", json!(terminal)),
            _ => {}
        }
        for (name, condition) in &self.conditions {
            let mut fill = |key: &str, usual: Value| fill(&format!("/conditions/{name}"), key, usual);
            fill("joined", json!(condition.joined));
            fill("batch", json!(condition.batch));
            if condition.joined {
                fill("before", json!(condition.before));
                fill("axis", json!(condition.axis));
            }
        }
        written
    }
}

#[cfg(test)]
mod tests {
    /// The manifest as it was written before the names changed. Snapshots of a host's model depend on it.
    #[test]
    fn a_model_is_known_by_the_names_of_the_first_version() {
        let first = r#"{"diffuse":1,"sample":{"shape":[2],"deviation":0.25},"schedule":{"kind":"edm","sigma_min":0.002,"sigma_max":80.0},"prediction":"edm","variance":"none","defaults":{"solver":"rk45","steps_offset":0,"options":{"guidance_pairing":"apart","most_evaluations":100,"rtol":0.01}}}"#;
        assert_eq!(Manifest::parse(first).unwrap().by_first_names(), first);
    }

    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::model::Inputs;
    use crate::schedule::Tables;

    /// Manifests that leave as much as possible to the defaults, one for every kind of schedule.
    fn least() -> Vec<Manifest> {
        let schedules = [
            json!({"kind": "linear"}),
            json!({"kind": "scaled_linear"}),
            json!({"kind": "sigmoid"}),
            json!({"kind": "sigmoid_alpha_bar"}),
            json!({"kind": "cosine"}),
            json!({"kind": "exponential"}),
            json!({"kind": "laplace"}),
            json!({"kind": "linear", "terminal": "zero_snr"}),
            json!({"kind": "trained", "betas": [0.1, 0.2, 0.3]}),
            json!({"kind": "vp"}),
            json!({"kind": "sub_vp"}),
            json!({"kind": "ve", "sigma_min": 0.01, "sigma_max": 50}),
            json!({"kind": "flow"}),
            json!({"kind": "trigonometric"}),
            json!({"kind": "continuous_cosine"}),
            json!({"kind": "edm"}),
        ];
        let joined = json!({
            "diffuse": 1, "sample": {"shape": [4, "h", "w"]}, "schedule": {"kind": "linear"}, "prediction": "v",
            "conditions": {"hint": {"shape": [1, "h", "w"], "joined": true}},
        });
        let mut manifests = vec![Manifest::parse(&joined.to_string()).unwrap()];
        for schedule in schedules {
            for shape in [json!([3, 8, 8]), json!([2]), json!([5])] {
                let manifest = json!({
                    "diffuse": 1, "sample": {"shape": shape}, "schedule": schedule, "prediction": "v",
                    "classes": {"names": ["a", "b"]}, "conditions": {"hint": {"shape": shape}},
                });
                manifests.push(Manifest::parse(&manifest.to_string()).unwrap());
            }
        }
        manifests
    }

    #[test]
    fn a_resolved_manifest_is_read_as_the_same_model() {
        for manifest in least() {
            let text = manifest.resolved().to_string();
            let again = Manifest::parse(&text).unwrap();
            assert_eq!(again.resolved().to_string(), text);
            assert_eq!(again.schedule, manifest.schedule);
            assert_eq!(again.time(), manifest.time());
            assert_eq!(again.sigma_data(), manifest.sigma_data());
            let of_sample = |manifest: &Manifest| {
                let sample = &manifest.sample;
                (sample.shape.clone(), sample.kind(), sample.range(), sample.clip())
            };
            assert_eq!(of_sample(&again), of_sample(&manifest));
            let solver = manifest.solver();
            assert_eq!(again.solver(), solver);
            assert_eq!((again.grid(solver), again.steps(solver)), (manifest.grid(solver), manifest.steps(solver)));
            let order = again.defaults.options.get("order").and_then(Value::as_u64);
            assert_eq!(order, manifest.order(solver));
            assert!(again.schedule.build(Tables::Exact).is_ok());
        }
    }

    /// The tables in `docs/model/manifest.md`: each field, and its default.
    fn table() -> Vec<(String, &'static str)> {
        let text = include_str!("../../docs/model/manifest.md");
        let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
        let rows = rows.map(|row| row.split(" | ").collect::<Vec<_>>()).filter(|row| row.len() == 3);
        let fields = |row: &Vec<&'static str>| -> Vec<(String, &'static str)> {
            row[0].split(", ").map(|field| (field.replace('`', ""), row[2])).collect()
        };
        rows.flat_map(|row| fields(&row)).collect()
    }

    #[test]
    fn nothing_that_has_a_default_is_left_out() {
        let resolved: Vec<Value> = least().iter().map(Manifest::resolved).collect();
        let mut tried = 0;
        for (field, otherwise) in table() {
            // The graph has the names of its inputs and outputs.
            let of_graph = field.starts_with("inputs.") || field.starts_with("outputs.");
            if of_graph || ["required", "none", "the file's", "the solver's own"].contains(&otherwise) {
                continue;
            }
            let pointer = format!("/{}", field.replace('.', "/").replace("NAME", "hint"));
            assert!(resolved.iter().any(|json| json.pointer(&pointer).is_some()), "{field} is not filled in");
            tried += 1;
        }
        assert!(tried > 20, "{tried}");
    }

    #[test]
    fn what_is_not_as_usual_is_resolved_as_it_is() {
        let manifest = json!({
            "diffuse": 1,
            "sample": {
                "shape": [4, "h", "w"], "channels_last": true, "kind": "latent", "clip": false, "clamp": false, "sigma_data": 1.0,
                "preview": [[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5, 1.0], [0.5, 0.5, 0.5, 0.5]],
            },
            "schedule": {"kind": "edm", "sigma_min": 0.5, "sigma_max": 2.0}, "prediction": "v", "input_scaling": "none",
            "variance": "unused", "time": {"encoding": "log_snr", "scale": 1.0, "offset": 0.0, "direction": "noise"},
            "conditions": {
                "mask": {
                    "shape": [1, "h", "w"], "batch": true, "kind": "image", "range": [0.0, 1.0], "joined": true,
                    "before": true, "axis": 0,
                },
                "text": {"shape": ["T", "batch", 8], "batch": true, "kind": "tensor", "range": [-1.0, 1.0], "joined": false},
                "weight": {"shape": [], "batch": false, "kind": "tensor", "range": [-1.0, 1.0], "joined": false},
            },
            "guidance_pair": "negative_last",
            "inputs": {"self_condition": "last"},
            "defaults": {
                "solver": "ddim", "steps": 5, "grid": "karras", "steps_offset": 0, "ending": "clean",
            },
        });
        assert_eq!(Manifest::parse(&manifest.to_string()).unwrap().resolved(), manifest);
    }

    /// The table has every field that is read. An unknown field is refused with a list of those that are known.
    #[test]
    fn the_table_has_every_field() {
        let mut read = BTreeSet::from(["schedule.kind".to_owned()]);
        let mut manifests = least();
        manifests.retain(|manifest| manifest.sample.shape.sizes() == Some(vec![3, 8, 8]));
        for manifest in manifests {
            for section in
                ["", "sample.", "schedule.", "time.", "classes.", "conditions.hint.", "outputs.", "defaults."]
            {
                let mut json = manifest.resolved();
                json["outputs"] = json!({});
                let pointer = format!("/{}", section.replace('.', "/"));
                json.pointer_mut(pointer.trim_end_matches('/')).unwrap()["unheard"] = json!(0);
                let error = Manifest::parse(&json.to_string()).unwrap_err();
                let (_, known) = error.split_once("`unheard`, expected ").unwrap_or_else(|| panic!("{section}{error}"));
                let name = section.replace("hint", "NAME");
                read.extend(known.split('`').skip(1).step_by(2).map(|field| format!("{name}{field}")));
            }
        }
        // These are sections, a name that is still read, and a role that every manifest may have, whose names are not a
        // list.
        for section in ["sample", "schedule", "time", "classes", "conditions", "inputs", "outputs", "defaults"] {
            assert!(read.remove(section), "{section}");
        }
        assert!(read.remove("sample.deviation"));
        let listed: BTreeSet<String> =
            table().into_iter().map(|(field, _)| field).filter(|field| !field.starts_with("inputs.")).collect();
        let apart: Vec<_> = read.symmetric_difference(&listed).collect();
        assert!(apart.is_empty(), "of the code alone, or of docs/model/manifest.md alone: {apart:?}");
    }

    /// The roles are listed with the names that their inputs usually have.
    #[test]
    fn the_table_has_every_role() {
        let of_roles =
            |(field, names): (String, &'static str)| Some((field.strip_prefix("inputs.")?.to_owned(), names));
        let mut listed: BTreeMap<String, &str> = table().into_iter().filter_map(of_roles).collect();
        for (role, names) in Inputs::ROLES {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            assert_eq!(listed.remove(*role), Some(&*names), "inputs.{role}");
        }
        assert_eq!(listed.into_keys().collect::<Vec<_>>(), ["NAME"]);
    }
}
