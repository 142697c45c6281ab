//! Circles of imports: files of which each reaches each other one.
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::modules::Imports;

pub type Circle = BTreeSet<PathBuf>;

/// The circles (strongly connected components of more than one file), each once.
pub fn circles(imports: &Imports) -> Vec<Circle> {
    let reached: BTreeMap<&Path, BTreeSet<&Path>> = imports
        .keys()
        .map(|file| (file.as_path(), reached(file, imports)))
        .collect();
    let is_mutual = |one: &Path, other: &Path| {
        let reaches = |from, to| reached.get(from).is_some_and(|found| found.contains(to));
        reaches(one, other) && reaches(other, one)
    };
    let mut circles = BTreeSet::new();
    for (file, found) in &reached {
        let others = found.iter().filter(|other| is_mutual(file, other));
        let circle: Circle = others.map(|other| (*other).to_owned()).collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

/// The files that an import of this file leads to, directly or not.
fn reached<'i>(file: &Path, imports: &'i Imports) -> BTreeSet<&'i Path> {
    let mut found = BTreeSet::new();
    let mut open = vec![file];
    while let Some(file) = open.pop() {
        for other in imports.get(file).into_iter().flat_map(BTreeMap::keys) {
            if found.insert(other.as_path()) {
                open.push(other);
            }
        }
    }
    found
}

/// The files of a circle, each with what it imports from the others.
pub fn describe(circle: &Circle, imports: &Imports) -> String {
    let mut lines = vec![format!("a circle of {} files:", circle.len())];
    for file in circle {
        lines.push(format!("  {}", file.display()));
        let within = imports[file]
            .iter()
            .filter(|(other, _)| circle.contains(*other));
        lines.extend(within.map(|(other, names)| {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            format!("    imports {} from {}", names.join(", "), other.display())
        }));
    }
    lines.join("\n")
}

#[cfg(test)]
fn graph(edges: &[(&str, &str)]) -> Imports {
    let mut imports = Imports::new();
    for (from, to) in edges {
        let names = imports.entry(from.into()).or_default();
        names.entry(to.into()).or_default().insert("X".into());
    }
    imports
}

#[test]
fn a_graph_without_circles_has_none() {
    assert!(circles(&graph(&[("a", "b"), ("b", "c"), ("a", "c"), ("d", "c")])).is_empty());
}

#[test]
fn each_circle_is_found_once_with_its_files() {
    let imports = graph(&[
        ("a", "b"),
        ("b", "c"),
        ("c", "a"),
        ("c", "d"),
        ("d", "e"),
        ("e", "d"),
        ("f", "a"),
    ]);
    let [three, two] = [&["a", "b", "c"][..], &["d", "e"]]
        .map(|files| files.iter().map(PathBuf::from).collect::<Circle>());
    assert_eq!(circles(&imports), [three, two.clone()]);
    let expected = "a circle of 2 files:\n  d\n    imports X from e\n  e\n    imports X from d";
    assert_eq!(describe(&two, &imports), expected);
}
