//! All of the tests in one program, since to link the library into many takes longer than most of them run.
//!
//! `cargo test --test all guidance::` runs those of a file. What a test does to its process (the log sink, the working
//! folder, memory that is counted) it does in a process of its own, by [`support::alone`]. Programs of their own are
//! only `allocations`, whose allocator is another, and `gpu`, which is taken to machines without cargo.

#[path = "../support/mod.rs"]
mod support;

mod abi;
mod budget;
mod c_abi;
mod cancelling;
mod closed_form;
mod command_line;
mod conditions;
mod corpus;
mod cost;
mod cpp;
mod diffusers;
mod distributions;
mod editing;
mod endings;
mod facts;
mod faults;
#[cfg(feature = "text")]
mod folders;
mod guidance;
mod header;
mod host_network;
mod hypotheses;
mod identity;
mod inputs;
#[cfg(feature = "capi")]
mod interface;
mod invalid;
mod layers;
mod library;
mod likelihood;
mod live;
mod models;
mod opening;
mod openvino;
mod order;
mod outputs;
#[cfg(all(feature = "text", feature = "cli"))]
mod pipelines;
mod plugin;
mod predictors;
mod promises;
mod quiet;
mod readme;
mod requests;
mod runner;
mod schedulers;
mod schema;
mod snapshots;
mod suggestions;
mod terminal;
mod texts;
mod torch_noise;

/// A file that is not named above would be compiled by nobody, and none of its tests would fail.
#[test]
fn every_file_is_a_part_of_the_program() {
    let named = include_str!("main.rs");
    for entry in std::fs::read_dir(support::repository("tests/all")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.strip_suffix(".rs").unwrap_or_else(|| panic!("tests/all has {name}"));
        assert!(module == "main" || named.contains(&format!("\nmod {module};")), "tests/all/main.rs lacks {module}");
    }
}
