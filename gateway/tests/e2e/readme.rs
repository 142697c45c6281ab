//! The README's first campaign, followed to the letter: what it says is what a reader types.
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{FOLLOWED, Place, Ran, Request, Server, eventually, run};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
const HEADING: &str = "## Your first campaign in five minutes\n";

/// Where the README's server listens.
const ADDRESS: &str = "http://127.0.0.1:8091";

const ACTIVITY: u64 = 500_001;

/// The blocks of a language, in the order of the page.
fn blocks<'p>(page: &'p str, language: &str) -> Vec<&'p str> {
    let fence = format!("```{language}\n");
    page.split(&*fence)
        .skip(1)
        .map(|rest| rest.split_once("```").expect("a block ends").0)
        .collect()
}

fn section(readme: &str) -> &str {
    let (_, rest) = readme.split_once(HEADING).expect("the heading");
    rest.split_once("\n## ")
        .map_or(rest, |(section, _)| section)
}

/// The search path of a terminal that finds the program.
fn path_with_the_program() -> std::ffi::OsString {
    let program = Path::new(env!("CARGO_BIN_EXE_drawbridge"));
    let folder = program.parent().expect("a folder").to_owned();
    let others = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::iter::once(folder)
        .chain(std::env::split_paths(&others))
        .collect();
    std::env::join_paths(folders).expect("a search path")
}

/// Runs a block in a terminal of its own, in the place's folder.
async fn typed(place: &Place, block: &str) -> Ran {
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", block])
        .env_clear()
        .env("PATH", path_with_the_program())
        .env("USER", "reader")
        .current_dir(place.path(""));
    run(bash).await
}

/// Waits until a draw of another user gets this code.
async fn followed(server: &Server, code: &str) {
    eventually(code, FOLLOWED, async || {
        let draw = Request::keyless_draw("grace", ACTIVITY);
        (server.ask(&draw).await.code == code).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_first_campaign_goes_as_the_readme_says() {
    let readme = std::fs::read_to_string(README).expect("the README");
    let place = Place::new();
    place.file("coffee.toml", blocks(&readme, "toml")[0]);
    let server = Server::start(&place).await;
    let address = format!("http://{}", server.listen);
    let steps: Vec<String> = blocks(section(&readme), "sh")
        .into_iter()
        .map(|block| block.replace(ADDRESS, &address))
        .collect();

    // What draws are answered after each publication, in turn.
    let mut codes = ["0000", "ERR_BIZ_003"].into_iter();
    let (mut drawn, mut audited) = (false, false);
    for step in &steps {
        let said = typed(&place, step).await.ok();
        if step.contains("campaign publish") {
            followed(&server, codes.next().expect("two publications")).await;
        }
        if step.contains("/activity/draw") {
            assert!(said.contains(r#""code":"0000""#), "{said}");
            drawn = true;
        }
        if step.contains("drawbridge order") {
            assert!(drawn && said.contains(&ACTIVITY.to_string()), "{said}");
        }
        audited |= step.contains("drawbridge audit");
    }
    assert_eq!(codes.next(), None, "{steps:?}");
    assert!(drawn && audited, "{steps:?}");

    let draw = steps.iter().find(|step| step.contains("/activity/draw"));
    let said = typed(&place, draw.expect("drawn")).await.ok();
    assert!(said.contains(r#""code":"ERR_BIZ_003""#), "{said}");
    server.stop().await;
}
