//! Opens a session on the requested providers, and finds which of them take the network's nodes.

use std::collections::BTreeMap;
use std::fmt;

use ort::session::Session;
use ort::session::builder::SessionBuilder;

use super::asked::{Provider, on_cpu};
use super::table::{CPU, CUDA, PROVIDERS};
use crate::error::{Error, Result};
use crate::network::ort::native::{Assigned, assigned};
use crate::network::ort::overheard::{overheard, with_log};
use crate::network::ort::runtime::Runtime;
use crate::process::PerProcess;
use crate::sync::Mutex;

/// The execution providers that evaluate a network, and those that were requested and skipped.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct Placement {
    /// The provider in use: the first requested one that evaluates a part of the network.
    pub provider: String,
    /// The providers that evaluate the network, in the requested order, each with its share. It is empty if none was
    /// requested, which means the CPU.
    pub nodes: Vec<ProviderNodes>,
    /// The providers that were requested first and cannot be used.
    pub skipped: Vec<Skipped>,
}

/// A provider's share of a network.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct ProviderNodes {
    /// The provider.
    pub provider: String,
    /// The number of nodes that it took when the graph was divided, before ONNX Runtime's last fusions. It is 0 if this
    /// ONNX Runtime does not report it.
    pub nodes: usize,
    /// The values of its options.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

/// A provider that was requested and is not used.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Skipped {
    /// The provider.
    pub provider: String,
    /// The reason: the missing library, or the provider's message.
    pub reason: String,
}

impl fmt::Display for Placement {
    /// Writes it such as "cpu; not cuda: …".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used: Vec<_> = match &self.nodes[..] {
            [_] | [] => vec![self.provider.clone()],
            several => {
                several.iter().map(|share| format!("{} ({} of the nodes)", share.provider, share.nodes)).collect()
            }
        };
        f.write_str(&used.join(" and "))?;
        self.skipped.iter().try_for_each(|skipped| write!(f, "; not {}: {}", skipped.provider, skipped.reason))
    }
}

/// What [`open`] makes sessions with.
pub(in crate::network::ort) struct Opening<'a, B, C> {
    pub(in crate::network::ort) runtime: &'a Runtime,
    /// The requested providers, in this order. An empty list is the CPU.
    pub(in crate::network::ort) providers: &'a [Provider],
    /// Whether the CPU may take nodes without being in the list.
    pub(in crate::network::ort) cpu_nodes: bool,
    /// The options that all attempts share.
    pub(in crate::network::ort) builder: B,
    /// Opens the model.
    pub(in crate::network::ort) commit: C,
}

/// Opens a session on the first available provider, with the later ones for the nodes that it does not take. An
/// unavailable provider is skipped if there is another.
///
/// Sessions on anything but the CPU are opened one at a time, since CUDA's fail when they are made at the same time.
// Long: it is one search, whose turns share what is left and what was skipped.
pub(in crate::network::ort) fn open<B, C>(opening: &Opening<'_, B, C>) -> Result<(Session, Placement)>
where
    B: Fn() -> Result<SessionBuilder>,
    C: Fn(SessionBuilder) -> Result<Session>,
{
    static ONE_AT_A_TIME: PerProcess<Mutex<()>> = PerProcess::new();
    let Opening { runtime, providers, cpu_nodes, builder, commit } = opening;
    if providers.is_empty() {
        return Ok((
            commit(cpu_alone(runtime, builder()?)?)?,
            Placement { provider: CPU.into(), nodes: Vec::new(), skipped: Vec::new() },
        ));
    }
    check(providers)?;
    let _turn = (providers[0].name != CPU).then(|| ONE_AT_A_TIME.get().held());
    let mut left: Vec<&Provider> = providers.iter().collect();
    let mut skipped = Vec::new();
    let mut opened = true;
    while !left.is_empty() {
        let (attempt, registered) = match register(runtime, builder()?, &left) {
            Ok(registered) => registered,
            // A failure may have changed the options, so the next attempt begins anew.
            Err((i, reason)) => {
                skipped.push(Skipped { provider: left.remove(i).name.clone(), reason });
                continue;
            }
        };
        let strict = !cpu_nodes && left.last().is_some_and(|provider| provider.name != CPU);
        match attempt_on(attempt, &left, strict, commit) {
            Ok(session) => {
                let nodes = match assigned(&session) {
                    Ok(nodes) => shares(&nodes, &registered, &left),
                    // The CPU takes whatever there is.
                    Err(_) if left[0].name == CPU => vec![ProviderNodes::new(left[0].name.clone(), 0)],
                    Err(reason) => return Err(Error::Provider { provider: left[0].name.clone(), reason }),
                };
                let taken = |provider: &Provider| nodes.iter().any(|share| share.provider == provider.name);
                for provider in left.iter().filter(|provider| !taken(provider) && provider.name != CPU) {
                    let reason = "it takes none of the graph's nodes".into();
                    skipped.push(Skipped { provider: provider.name.clone(), reason });
                }
                if let Some(first) = left.iter().find(|provider| taken(provider)) {
                    return Ok((session, Placement { provider: first.name.clone(), nodes, skipped }));
                }
                break;
            }
            // The provider can be opened, but does not take what it should.
            Err(Error::Provider { reason, .. }) => {
                skipped.push(Skipped { provider: left.remove(0).name.clone(), reason });
            }
            Err(error) => {
                opened = false;
                // This is the provider that fails even if the CPU takes what is left over, or the first one.
                let loose = |count: usize| loosely(&left[..count], opening);
                let blamed = (1..=left.len()).find(|&count| loose(count).is_none()).map_or(0, |count| count - 1);
                let explained = strict.then(|| left_over(&left, &loose(left.len())?)).flatten();
                let reason = explained.unwrap_or_else(|| error.to_string());
                skipped.push(Skipped { provider: left.remove(blamed).name.clone(), reason });
            }
        }
    }
    if !opened {
        // A model that the CPU cannot open either is not the providers' fault.
        drop(commit(cpu_alone(runtime, builder()?)?)?);
    }
    let mut reasons = skipped.into_iter();
    let Some(Skipped { provider, mut reason }) = reasons.next() else {
        return Err(Error::argument("provider", "the CPU takes none of the graph's nodes"));
    };
    reasons.for_each(|other| reason += &format!("; {}: {}", other.provider, other.reason));
    Err(Error::Provider { provider, reason })
}

/// A builder, with the names of its providers here and in ONNX Runtime.
type Registered<'a> = (SessionBuilder, Vec<(&'a str, String)>);

/// A builder with all of `providers`, and their names here and in ONNX Runtime. Otherwise the place of the unavailable
/// one, and the reason.
fn register<'a>(
    runtime: &Runtime,
    mut builder: SessionBuilder,
    providers: &[&'a Provider],
) -> std::result::Result<Registered<'a>, (usize, String)> {
    let mut registered = Vec::new();
    for (i, provider) in providers.iter().enumerate() {
        let (next, registered_as) = provider.register(runtime, builder).map_err(|reason| (i, reason))?;
        builder = next;
        registered.push((provider.name.as_str(), registered_as));
    }
    Ok((builder, registered))
}

fn cpu_alone(runtime: &Runtime, builder: SessionBuilder) -> Result<SessionBuilder> {
    on_cpu(runtime, builder).map_err(Error::runtime)
}

/// Refuses lists whose order cannot be kept.
fn check(providers: &[Provider]) -> Result<()> {
    for (i, provider) in providers.iter().enumerate() {
        let same = |other: &&Provider| {
            other.name == provider.name || other.library.is_some() && other.library == provider.library
        };
        if let Some(other) = providers[..i].iter().find(same) {
            let reason = if other.name == provider.name {
                format!("'{}' is in the list twice", other.name)
            } else {
                format!("'{}' and '{}' are the same library", other.name, provider.name)
            };
            return Err(Error::argument("provider", reason));
        }
    }
    match providers.iter().position(|provider| provider.name == CPU) {
        Some(i) if i + 1 < providers.len() => {
            let reason = format!("'{}' comes after cpu, which takes all nodes; name cpu last", providers[i + 1].name);
            Err(Error::argument("provider", reason))
        }
        _ => Ok(()),
    }
}

fn attempt_with(
    builder: SessionBuilder,
    strict: bool,
    commit: impl Fn(SessionBuilder) -> Result<Session>,
) -> Result<Session> {
    let set = || -> ort::Result<SessionBuilder> {
        let builder = builder.with_config_entry("session.record_ep_graph_assignment_info", "1")?;
        Ok(if strict { builder.with_disable_cpu_fallback()? } else { builder })
    };
    let (result, said) = overheard(|| commit(set().map_err(|error| Error::runtime(error.message()))?));
    result.map_err(|error| match error {
        Error::Model { model, reason } => Error::Model { model, reason: with_log(&reason, &said) },
        other => other,
    })
}

/// A session on these providers in which the CPU may take the nodes that they leave over.
fn loosely<B, C>(providers: &[&Provider], opening: &Opening<'_, B, C>) -> Option<Session>
where
    B: Fn() -> Result<SessionBuilder>,
    C: Fn(SessionBuilder) -> Result<Session>,
{
    let mut builder = (opening.builder)().ok()?;
    for provider in providers {
        builder = provider.register(opening.runtime, builder).ok()?.0;
    }
    attempt_with(builder, false, &opening.commit).ok()
}

/// The operators with which CUDA computes the sizes of tensors. It has all of them. It still leaves them to the CPU
/// where they compute only sizes, since the CPU would have to wait for the GPU.
const OF_SIZES: &[&str] = &[
    "Add",
    "Cast",
    "Ceil",
    "Concat",
    "ConstantOfShape",
    "Div",
    "Equal",
    "Expand",
    "Floor",
    "Gather",
    "Greater",
    "Identity",
    "Less",
    "Max",
    "Min",
    "Mod",
    "Mul",
    "Neg",
    "Not",
    "Pow",
    "Range",
    "ReduceProd",
    "Reshape",
    "Shape",
    "Size",
    "Slice",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Tile",
    "Transpose",
    "Unsqueeze",
    "Where",
];

/// Whether computing sizes is left to the CPU by choice, and is none of the network's own work.
fn leaves_sizes(providers: &[&Provider]) -> bool {
    providers.iter().any(|provider| provider.name == CUDA)
}

/// A session on `providers`. If it is `strict`, the CPU has none of the network's work.
fn attempt_on(
    builder: SessionBuilder,
    providers: &[&Provider],
    strict: bool,
    commit: impl Fn(SessionBuilder) -> Result<Session>,
) -> Result<Session> {
    let sizes = leaves_sizes(providers);
    let session = attempt_with(builder, strict && !sizes, commit)?;
    match (strict && sizes).then(|| left_over(providers, &session)).flatten() {
        Some(reason) => Err(Error::Provider { provider: providers[0].name.clone(), reason }),
        None => Ok(session),
    }
}

/// The nodes that are left to the CPU in `session`.
fn left_over(providers: &[&Provider], session: &Session) -> Option<String> {
    explain(providers, &assigned(session).ok()?)
}

/// The same for `nodes`. `None` if the CPU has none of the network's work.
fn explain(providers: &[&Provider], nodes: &[Assigned]) -> Option<String> {
    let on_cpu: Vec<_> = nodes.iter().filter(|node| node.provider == "CPUExecutionProvider").collect();
    if !nodes.is_empty() && on_cpu.len() == nodes.len() {
        let options: Vec<_> = providers[0].options.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let options =
            if options.is_empty() { String::new() } else { format!(", with the options {}", options.join(", ")) };
        return Some(format!("it takes none of the graph's {} nodes{options}", nodes.len()));
    }
    let spared = leaves_sizes(providers);
    let left: Vec<_> = on_cpu.iter().filter(|node| !(spared && OF_SIZES.contains(&node.operator.as_str()))).collect();
    let mut operators: Vec<(&str, usize)> = Vec::new();
    for node in &left {
        match operators.iter_mut().find(|(operator, _)| *operator == node.operator) {
            Some((_, count)) => *count += 1,
            None => operators.push((&node.operator, 1)),
        }
    }
    operators.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let list: Vec<_> = operators.iter().map(|(operator, count)| format!("{count} {operator}")).collect();
    (!left.is_empty()).then(|| {
        format!(
            "it leaves {} of the graph's {} nodes to the CPU ({}), which is not allowed; name cpu after it, or allow cpu_nodes",
            left.len(),
            nodes.len(),
            list.join(", ")
        )
    })
}

impl ProviderNodes {
    fn new(provider: String, nodes: usize) -> Self {
        Self { provider, nodes, options: BTreeMap::new() }
    }
}

/// The number of nodes of each provider, requested ones first. `registered` are their names here and in ONNX Runtime.
fn shares(nodes: &[Assigned], registered: &[(&str, String)], providers: &[&Provider]) -> Vec<ProviderNodes> {
    let mut names: Vec<(&str, &str)> = registered.iter().map(|(name, of)| (*name, of.as_str())).collect();
    for node in nodes {
        if !names.iter().any(|(_, of)| *of == node.provider) {
            let known = PROVIDERS.iter().find(|entry| entry.registered_as == node.provider);
            names.push((known.map_or(&node.provider, |entry| entry.name), &node.provider));
        }
    }
    let shares = names.into_iter().map(|(name, of)| {
        let count = nodes.iter().filter(|node| node.provider == of).count();
        let options = providers.iter().filter(|provider| provider.name == name).flat_map(|provider| &provider.options);
        ProviderNodes { options: options.cloned().collect(), ..ProviderNodes::new(name.to_owned(), count) }
    });
    shares.filter(|share| share.nodes > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_computes_sizes_is_no_work_of_the_network() {
        let node = |provider: &str, operator: &str| Assigned { provider: provider.into(), operator: operator.into() };
        let nodes = [
            node("CUDAExecutionProvider", "Conv"),
            node("CPUExecutionProvider", "Gather"),
            node("CPUExecutionProvider", "Sqrt"),
        ];
        let [cuda, other] = ["cuda", "openvino"].map(|name| Provider::new(name).unwrap());
        assert_eq!(explain(&[&cuda], &nodes), None);
        let all = explain(&[&other], &nodes).unwrap();
        assert!(all.contains("2 of the graph's 3 nodes to the CPU (1 Gather, 1 Sqrt)"), "{all}");
        let mut more = nodes.to_vec();
        more.push(node("CPUExecutionProvider", "Hardmax"));
        let one = explain(&[&cuda], &more).unwrap();
        assert!(one.contains("1 of the graph's 4 nodes to the CPU (1 Hardmax)"), "{one}");
        assert!(explain(&[&cuda], &nodes[1..]).unwrap().starts_with("it takes none of the graph's 2 nodes"));
        assert_eq!(explain(&[&cuda], &nodes[..1]), None);
    }
}
