//! The image: pinned, small, without a user who may do everything.
use super::{assert_pinned, shipped, text};

fn instructions(file: &str) -> Vec<(String, String)> {
    let joined = file.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let split = |line: &str| line.split_once(' ').map(|(word, rest)| (word.to_owned(), rest.trim().to_owned()));
    lines.map(|line| split(line).unwrap_or_else(|| panic!("no instruction: {line}"))).collect()
}

#[test]
fn the_image_is_built_from_pinned_ones_by_the_pinned_compiler_and_runs_as_nobody_special() {
    let file = text("Dockerfile");
    let all = instructions(&file);
    let of =
        |word: &str| all.iter().filter(|(found, _)| found == word).map(|(_, rest)| rest.as_str()).collect::<Vec<_>>();
    let bases: Vec<_> = of("FROM").iter().map(|from| from.split(' ').next().expect("a word").to_owned()).collect();
    assert_eq!(bases.len(), 2, "one that builds, one that runs");
    for base in &bases {
        assert_pinned(base);
    }
    let toolchain: toml::Table = text("rust-toolchain.toml").parse().expect("TOML");
    let channel = toolchain["toolchain"]["channel"].as_str().expect("a channel");
    assert!(bases[0].starts_with(&format!("rust:{channel}-")), "{bases:?} against {channel}");
    assert!(of("ENV").contains(&format!("RUSTUP_TOOLCHAIN={channel}").as_str()));
    assert!(of("RUN").iter().any(|run| run.contains("cargo build --release --locked")));
    assert_eq!(of("USER"), ["10001:10001"]);
    assert_eq!(of("ENTRYPOINT"), ["[\"drawbridge\"]"]);
    assert!(of("HEALTHCHECK").iter().all(|check| check.ends_with("CMD [\"drawbridge\", \"health\"]")));
    // What is copied from the repository is there, and reaches the builder.
    let copied = of("COPY").into_iter().filter(|copy| !copy.starts_with("--from") && !copy.starts_with(". "));
    for source in copied.map(|copy| copy.split(' ').next().expect("a word")) {
        assert!(shipped(source).exists(), "{source}");
        assert!(text(".dockerignore").lines().any(|line| line == format!("!{source}")), "{source}");
    }
}
