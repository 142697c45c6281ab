//! Reads the crates and dependencies of a Cargo.toml.

/// The crates of a workspace.
pub fn members(manifest: &str) -> Vec<String> {
    let list = manifest.split_once("members = [").expect("members").1;
    let list = list.split_once(']').expect("the end of members").0;
    let names = list.split(',').map(|name| name.trim().trim_matches('"'));
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The dependencies of a crate without those of its tests: the keys of `[dependencies]` and the
/// like.
pub fn dependencies(manifest: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_within = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            let is_for_tests = table.contains("dev-dependencies");
            is_within = table.ends_with("dependencies") && !is_for_tests;
            // `[dependencies.name]`
            let own = table.split_once("dependencies.").map(|(_, name)| name);
            found.extend(own.filter(|_| !is_for_tests).map(str::to_owned));
        } else if is_within && !line.starts_with('#') {
            let name = line.split(['.', '=', ' ']).next().unwrap_or("");
            found.extend((!name.is_empty()).then(|| name.to_owned()));
        }
    }
    found
}

#[test]
fn a_manifest_names_crates() {
    let manifest = "[workspace]\nmembers = [\"a\",\n  \"b\"]\n[package]\nname = \"c\"\n\
        [dependencies]\nd.workspace = true\n# e = 1\nf = { path = \"x\" }\n\n\
        [target.'cfg(unix)'.dependencies]\ng = \"1\"\n[dependencies.h]\npath = \"y\"\n\
        [dev-dependencies]\ni.workspace = true\n[dev-dependencies.j]\n[build-dependencies]\nk = \"1\"\n";
    assert_eq!(members(manifest), ["a", "b"]);
    assert_eq!(dependencies(manifest), ["d", "f", "g", "h", "k"]);
}
