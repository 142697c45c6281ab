//! Imports point one way: between crates as `ALLOWED` says, and within a crate without circles
//! of files, so that each file can be read after those that it imports.
//!
//! The reader understands only what it needs of Rust: `use` lines, paths such as
//! `crate::store::open`, and which file each of them leads to, through re-exports. What only tests
//! see (`#[cfg(test)]`) does not count. Neither does a parent that declares a child, or that
//! re-exports names of a child and does not use them itself.
mod circles;
mod manifests;
mod modules;
mod source;
mod tokens;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// For each crate the crates of this workspace that it may depend on, tests excepted.
const ALLOWED: [(&str, &[&str]); 7] = [
    ("router", &[]),
    ("settings", &[]),
    ("market", &["settings"]),
    ("shards", &["market", "router"]),
    ("gateway", &["market", "router", "settings", "shards"]),
    ("loadtest", &["router", "testkit"]),
    ("testkit", &[]),
];

fn workspace() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().expect("a crate of a workspace").to_owned()
}

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

fn crates() -> Vec<String> {
    let manifest = read(&workspace().join("Cargo.toml")).expect("the workspace's manifest");
    manifests::members(&manifest)
}

/// The circles of the files of a crate, each with the imports that close it.
fn circles_of(name: &str) -> Vec<String> {
    let folder = workspace().join(name).join("src");
    let roots = ["lib.rs", "main.rs"].map(|root| folder.join(root));
    let roots: Vec<_> = roots.into_iter().filter(|root| root.exists()).collect();
    assert!(!roots.is_empty(), "{name} has no sources");
    let circles = roots.iter().flat_map(|root| {
        let imports = modules::imports(root, &read);
        circles::circles(&imports)
            .into_iter()
            .map(move |circle| circles::describe(&circle, &imports))
            .collect::<Vec<_>>()
    });
    circles
        .map(|circle| circle.replace(&format!("{}/", workspace().display()), ""))
        .collect()
}

#[test]
fn crates_depend_in_one_direction() {
    let names: BTreeSet<_> = crates().into_iter().collect();
    for name in &names {
        let (_, allowed) = ALLOWED
            .iter()
            .find(|(own, _)| own == name)
            .unwrap_or_else(|| panic!("say in ALLOWED which crates {name} may depend on"));
        let manifest = read(&workspace().join(name).join("Cargo.toml")).expect("a manifest");
        for needed in manifests::dependencies(&manifest) {
            assert!(
                !names.contains(&needed) || allowed.contains(&needed.as_str()),
                "{name} must not depend on {needed}"
            );
        }
    }
}

#[test]
fn imports_within_a_crate_have_no_circles() {
    let circles: Vec<String> = crates().iter().flat_map(|name| circles_of(name)).collect();
    assert!(circles.is_empty(), "\n{}", circles.join("\n"));
}
