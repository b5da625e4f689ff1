//! The rules of the house that no compiler checks: layers, owners, sizes, heads, and tests for what must always hold.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Each crate, and which of ours it may use. Conformance and examples stand outside and look in.
const LAYERS: &[(&str, &[&str])] = &[
    ("twinlink-proto", &[]),
    ("twinlink-vocab", &[]),
    ("twinlink-policy", &["twinlink-vocab"]),
    ("twinlink-core", &["twinlink-policy"]),
    ("twinlink-store", &["twinlink-core", "twinlink-policy"]),
    ("twinlink-trust", &["twinlink-core"]),
    ("twinlink-federation", &["twinlink-core", "twinlink-policy"]),
    ("twinlink-ingest", &["twinlink-core", "twinlink-vocab"]),
    ("twinlink-client", &["twinlink-proto"]),
    (
        "twinlink",
        &[
            "twinlink-client",
            "twinlink-core",
            "twinlink-federation",
            "twinlink-ingest",
            "twinlink-policy",
            "twinlink-proto",
            "twinlink-store",
            "twinlink-trust",
            "twinlink-vocab",
        ],
    ),
];

/// Crates outside the layers.
const OUTSIDE: &[&str] = &["twinlink-conformance", "twinlink-examples"];

/// Heavy or dangerous dependencies, and who may have them. What decides must build without what connects.
const OWNERS: &[(&str, &[&str])] = &[
    ("alloc-metrics", &["twinlink-store"]),
    ("axum", &["twinlink"]),
    ("clap", &["twinlink"]),
    ("geo", &["twinlink-store"]),
    ("hyper", &["twinlink"]),
    ("hyper-util", &["twinlink", "twinlink-client"]),
    ("indicatif", &["twinlink"]),
    ("josekit", &["twinlink-trust"]),
    ("opentelemetry", &["twinlink"]),
    ("opentelemetry-otlp", &["twinlink"]),
    ("opentelemetry_sdk", &["twinlink"]),
    ("osmpbf", &["twinlink-ingest"]),
    ("oxigraph", &[]),
    ("rcgen", &["twinlink-trust"]),
    ("redb", &["twinlink-store"]),
    ("rustls", &["twinlink", "twinlink-client", "twinlink-trust"]),
    ("sophia_c14n", &["twinlink-policy"]),
    ("spareval", &["twinlink-federation", "twinlink-store"]),
    ("tokio", &["twinlink", "twinlink-client"]),
    ("tokio-rustls", &["twinlink", "twinlink-client"]),
    ("tonic", &["twinlink", "twinlink-client", "twinlink-proto"]),
    ("tower-http", &["twinlink"]),
    ("x509-parser", &["twinlink-trust"]),
];

/// The longest source file, in lines.
const LINES: usize = 500;

#[test]
fn crates_use_only_the_layers_below_them() {
    let mut faults = Vec::new();
    for package in packages() {
        let name = text(&package["name"]);
        if OUTSIDE.contains(&name.as_str()) {
            continue;
        }
        let Some((_, allowed)) = LAYERS.iter().find(|(layer, _)| *layer == name) else {
            faults.push(format!("{name} has no line in LAYERS"));
            continue;
        };
        for dependency in dependencies(&package, |dependency| !dependency["path"].is_null()) {
            if !allowed.contains(&dependency.as_str()) {
                faults.push(format!("{name} must not use {dependency}"));
            }
        }
    }
    none(&faults);
}

#[test]
fn heavy_dependencies_have_one_owner() {
    let mut faults = Vec::new();
    for package in packages() {
        let name = text(&package["name"]);
        if OUTSIDE.contains(&name.as_str()) {
            continue;
        }
        for dependency in dependencies(&package, |dependency| dependency["path"].is_null()) {
            let owned = OWNERS.iter().find(|(owned, _)| *owned == dependency);
            if owned.is_some_and(|(_, owners)| !owners.contains(&name.as_str())) {
                faults.push(format!("{name} must not use {dependency}"));
            }
        }
    }
    none(&faults);
}

#[test]
fn no_source_file_is_too_long() {
    let long = sources()
        .into_iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES)
        .map(|(path, lines)| format!("{} has {lines} lines", path.display()));
    none(&long.collect::<Vec<_>>());
}

#[test]
fn no_module_is_in_a_file_called_mod() {
    let found = sources()
        .into_iter()
        .filter(|(path, _)| path.ends_with("mod.rs"));
    none(
        &found
            .map(|(path, _)| path.display().to_string())
            .collect::<Vec<_>>(),
    );
}

#[test]
fn each_library_says_what_it_owns() {
    let mut faults = Vec::new();
    for (path, text) in sources() {
        if !path.ends_with("src/lib.rs") {
            continue;
        }
        let head: String = text
            .lines()
            .map_while(|line| line.strip_prefix("//!"))
            .collect();
        let says = ["Owns:", "Never:", "Enter at:"];
        let in_order = says.iter().try_fold(0, |from, word| {
            head.get(from..)?.find(word).map(|place| from + place)
        });
        let opens = head
            .split("Owns:")
            .next()
            .unwrap_or_default()
            .trim()
            .ends_with('.');
        if in_order.is_none() || !opens {
            let path = path.display();
            faults.push(format!(
                "{path}: one sentence, then Owns:, Never:, Enter at:"
            ));
        }
    }
    none(&faults);
}

#[test]
fn one_door_makes_callers() {
    let mut faults = Vec::new();
    for (path, text) in sources() {
        let is_trust = path.starts_with("connector/trust");
        if !is_trust && !is_test(&path) && before_tests(&text).contains("Caller::assertion(") {
            faults.push(path.display().to_string());
        }
    }
    none(&faults);
}

#[test]
fn each_invariant_has_a_test_of_its_name() {
    let sources = sources();
    let tests: BTreeSet<String> = sources
        .iter()
        .flat_map(|(_, text)| functions(text))
        .collect();
    let mut faults = Vec::new();
    for (path, text) in &sources {
        for line in text
            .lines()
            .filter(|line| line.trim_start().starts_with("//"))
        {
            let Some((_, rest)) = line.split_once("INVARIANT(") else {
                continue;
            };
            let name = rest.split(')').next().unwrap_or_default();
            let wanted = name.replace('-', "_");
            let is_tested = tests.iter().any(|test| test.contains(&wanted));
            // What is written with dots or spaces is about invariants, not one.
            let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
            if is_name && !is_tested {
                faults.push(format!("{}: no test for {name}", path.display()));
            }
        }
    }
    none(&faults);
}

/// The tables of leaks and threats say which test would fail: it must be there.
#[test]
fn tests_named_in_the_documents_are_there() {
    let tests: BTreeSet<String> = sources()
        .iter()
        .flat_map(|(_, text)| functions(text))
        .collect();
    let mut faults = Vec::new();
    for document in [
        "connector/ARCHITECTURE.md",
        "connector/THREATS.md",
        "policies/README.md",
    ] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        for name in text.split('`').skip(1).step_by(2) {
            let is_name = name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit());
            // Fields and files have shorter names than sentences.
            if is_name && name.matches('_').count() >= 2 && !tests.contains(name) {
                faults.push(format!("{document}: no test {name}"));
            }
        }
    }
    none(&faults);
}

fn none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap().to_owned()
}

fn packages() -> Vec<Value> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--offline",
            "--no-deps",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// The dependencies that a crate is built with; what only its tests use is free.
fn dependencies(package: &Value, is_wanted: impl Fn(&Value) -> bool) -> Vec<String> {
    let dependencies = package["dependencies"].as_array().unwrap().iter();
    dependencies
        .filter(|dependency| dependency["kind"] != "dev" && is_wanted(dependency))
        .map(|dependency| text(&dependency["name"]))
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// All Rust files by their paths from the top, but for generated ones.
fn sources() -> Vec<(PathBuf, String)> {
    let root = root();
    let mut found = Vec::new();
    let mut left = vec![root.clone()];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap_or_default();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" && name != "gen" {
                    left.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(&root).unwrap().to_owned(), text));
            }
        }
    }
    found.sort();
    found
}

fn is_test(path: &Path) -> bool {
    path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests")
}

/// The text up to its tests, which come last.
fn before_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or_default()
}

/// The names of functions.
fn functions(text: &str) -> Vec<String> {
    let named = text
        .lines()
        .filter_map(|line| line.split_once("fn ")?.1.split('(').next());
    named.map(str::to_owned).collect()
}
