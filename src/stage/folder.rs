//! The files of a model of several parts, in a folder or in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::json::{decoded, quoted, value};
use crate::model::{Component, Facts};
use crate::network::{ModelOptions, Part, Runtime};

/// The file in which diffusers states the class of a folder's pipeline.
pub(super) const INDEX: &str = "model_index.json";

/// The place of a model's files.
pub(super) enum Folder {
    /// In this folder.
    Disk(PathBuf),
    /// In memory, by their paths from the folder that they would be in.
    Memory(BTreeMap<String, Arc<[u8]>>),
}

/// The most bytes of a file that is no graph. The vocabulary of a tokenizer has some ten million.
const MOST_BYTES: u64 = 64 << 20;

impl Folder {
    /// The name of the folder in messages.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Disk(path) => path.display().to_string(),
            Self::Memory(_) => "model in memory".into(),
        }
    }

    /// The last part of the folder's path.
    pub(super) fn stem(&self) -> Option<&str> {
        match self {
            Self::Disk(path) => path.file_name()?.to_str(),
            Self::Memory(_) => None,
        }
    }

    /// The name of one of its files in messages.
    pub(super) fn name_of(&self, file: &str) -> String {
        match self {
            Self::Disk(path) => path.join(file).display().to_string(),
            Self::Memory(_) => file.to_owned(),
        }
    }

    /// The bytes of the file `name`; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read. [`Error::Model`] if it is no file, or longer than any such file is.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = match self {
            Self::Memory(files) => return Ok(files.get(name).map(|bytes| bytes.to_vec())),
            Self::Disk(folder) => folder.join(name),
        };
        let metadata = match std::fs::metadata(&path) {
            Ok(metadata) => metadata,
            // A broken link is a mistake, and not the absence of a file.
            Err(error) if is_absent(&error) && path.symlink_metadata().is_err() => return Ok(None),
            Err(error) => return Err(Error::io(&path, error)),
        };
        if !metadata.is_file() || metadata.len() > MOST_BYTES {
            let reason = format!("it is no regular file, or has more than {MOST_BYTES} bytes");
            return Err(Error::model(path.display().to_string(), reason));
        }
        std::fs::read(&path).map(Some).map_err(|error| Error::io(&path, error))
    }

    /// Whether there is a file of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::Memory(files) => files.contains_key(name),
            Self::Disk(folder) => folder.join(name).is_file(),
        }
    }

    /// The JSON in the file `name`; `None` if there is none.
    ///
    /// # Errors
    /// As [`read`](Self::read). [`Error::Model`] if it is no JSON.
    pub(super) fn json(&self, name: &str) -> Result<Option<Value>> {
        let Some(bytes) = self.read(name)? else { return Ok(None) };
        let parsed = decoded(&bytes).and_then(|text| value(&quoted(&text)));
        parsed
            .map(Some)
            .map_err(|reason| Error::model(self.name_of(name), format!("it cannot be read as JSON: {reason}")))
    }

    /// The sorted names of what is in the sub-folder `name`, or in the folder itself where `name` is empty. They are
    /// either those of folders or those of files.
    fn list(&self, name: &str, folders: bool) -> Result<BTreeSet<String>> {
        match self {
            Self::Memory(files) => {
                let prefix = if name.is_empty() { String::new() } else { format!("{name}/") };
                let rests = files.keys().filter_map(|file| file.strip_prefix(&prefix));
                Ok(rests
                    .filter_map(|rest| match rest.split_once('/') {
                        Some((folder, _)) => folders.then(|| folder.to_owned()),
                        None => (!folders).then(|| rest.to_owned()),
                    })
                    .collect())
            }
            Self::Disk(path) => {
                let path = path.join(name);
                let failed = |error| Error::io(&path, error);
                let mut names = BTreeSet::new();
                for entry in std::fs::read_dir(&path).map_err(failed)? {
                    let entry = entry.map_err(failed)?;
                    // Links are followed.
                    let is_folder = std::fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_dir());
                    if is_folder == folders
                        && let Ok(name) = entry.file_name().into_string()
                    {
                        names.insert(name);
                    }
                }
                Ok(names)
            }
        }
    }

    /// The content of the folder, as far as families need it. `part` opens a graph.
    pub(super) fn facts(&self, part: &mut dyn FnMut(&str) -> Result<Part>) -> Result<(Facts, BTreeMap<String, Part>)> {
        let mut facts = Facts {
            index: self.json(INDEX)?,
            scheduler: self.json("scheduler/scheduler_config.json")?,
            preview: self.json("diffuse.preview.json")?,
            components: BTreeMap::new(),
        };
        let mut parts = BTreeMap::new();
        for name in self.list("", true)? {
            // Folders without a network are not looked at here.
            let is_network = !name.starts_with("tokenizer")
                && !["scheduler", "feature_extractor", "safety_checker"].contains(&name.as_str());
            if !is_network {
                continue;
            }
            // A defect of a part that the family does not need is no error.
            let component = self.component(&name, part, &mut parts);
            let component = match component {
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                component => component.unwrap_or_else(|error| Component::failed(&error)),
            };
            facts.components.insert(name, component);
        }
        Ok((facts, parts))
    }

    fn component(
        &self,
        name: &str,
        part: &mut dyn FnMut(&str) -> Result<Part>,
        parts: &mut BTreeMap<String, Part>,
    ) -> Result<Component> {
        let config = self.json(&format!("{name}/config.json"))?;
        let mut component = Component { graph: self.graph(name)?, config, ..Component::default() };
        let wrong = |reason| Error::model(self.name_of(&format!("{name}/config.json")), reason);
        component.check().map_err(wrong)?;
        if let Some(graph) = &component.graph {
            let opened = part(graph)?;
            component.signature = opened.signature().clone();
            parts.insert(graph.clone(), opened);
        }
        Ok(component)
    }

    /// The path of the graph in a sub-folder: `model.onnx`, else the only graph.
    fn graph(&self, name: &str) -> Result<Option<String>> {
        let files = self.list(name, false)?;
        if files.contains("model.onnx") {
            return Ok(Some(format!("{name}/model.onnx")));
        }
        let graphs: Vec<&String> = files.iter().filter(|file| file.ends_with(".onnx")).collect();
        match graphs[..] {
            [] => Ok(None),
            [graph] => Ok(Some(format!("{name}/{graph}"))),
            [first, second, ..] => {
                let reason = format!("{first} and {second} lie in it, and no model.onnx; which of them is meant?");
                Err(Error::model(self.name_of(name), reason))
            }
        }
    }

    /// The graph in the file `name`.
    ///
    /// # Errors
    /// As [`Part::file`] and [`Part::memory`].
    pub(super) fn part(&self, runtime: &Runtime, name: &str, options: &ModelOptions) -> Result<Part> {
        match self {
            Self::Disk(folder) => Part::file(runtime, &folder.join(name), options),
            Self::Memory(files) => {
                let graph = files.get(name).ok_or_else(|| Error::model(name, "it is not among the parts"))?;
                let folder = name.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
                let data = |file: &str| files.get(&format!("{folder}{}", file.trim_start_matches("./"))).cloned();
                Part::memory(runtime, name, graph, options, data)
            }
        }
    }
}

fn is_absent(error: &io::Error) -> bool {
    [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory, io::ErrorKind::InvalidFilename].contains(&error.kind())
}
