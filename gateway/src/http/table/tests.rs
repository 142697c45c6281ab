//! The table against what is written about it elsewhere.
use std::collections::BTreeSet;

use super::super::fields::FieldName;
use super::super::route::Methods;
use super::*;
use market::DrawCount;

const DOCUMENTED: &str = include_str!("../../../../docs/api.md");

/// nginx's maps of paths.
const NGINX: &str = include_str!("../../../../deploy/nginx/drawbridge/http.conf");

/// Where a path leads: the endpoint, whether by token, and the draws that it stands for.
fn call(path: &str) -> (Endpoint, bool, Option<DrawCount>) {
    let call = call_at(path);
    (call.route.endpoint, call.by_token, call.count)
}

/// The words in backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// A row of the documented table.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Documented<'a> {
    methods: &'a str,
    paths: Vec<&'a str>,
    takes: BTreeSet<&'a str>,
}

fn documented() -> BTreeSet<Documented<'static>> {
    let (_, rest) = DOCUMENTED
        .split_once("| methods | path | also |")
        .expect("the table of endpoints");
    let rows = rest
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let row = |line: &'static str| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [methods, path, also, takes, _] = *cells else {
            panic!("five cells are expected: {line}")
        };
        let takes = quoted(takes)
            .into_iter()
            .map(|name| name.trim_end_matches('?'))
            .collect();
        Documented {
            methods,
            paths: [quoted(path), quoted(also)].concat(),
            takes,
        }
    };
    rows.map(row).collect()
}

#[test]
fn the_documented_table_is_this_one() {
    let rows = ROUTES.iter().filter(|row| !row.paths.is_empty());
    let expected: BTreeSet<_> = rows
        .map(|row| Documented {
            methods: match row.methods {
                Methods::Change => "POST",
                _ => "GET, POST",
            },
            paths: row.paths.iter().map(|(path, _)| *path).collect(),
            takes: row.takes.iter().map(|name| name.as_str()).collect(),
        })
        .collect();
    assert_eq!(documented(), expected);
}

#[test]
fn paths_lead_to_their_endpoints() {
    for route in &ROUTES {
        for (path, count) in route.paths {
            let path = format!("{BASE}{path}");
            let plain = (route.endpoint, false, *count);
            assert_eq!(call(&path), plain, "{path}");
            assert_eq!(call(&format!("{path}/")), plain, "{path}/");
            let by_token = call(&format!("{path}_by_token"));
            match route.about {
                About::User => assert_eq!(by_token, (route.endpoint, true, *count), "{path}"),
                About::NoUser | About::App => {
                    assert_eq!(by_token.0, Endpoint::Unknown, "{path}");
                }
            }
        }
    }
    assert_eq!(call("/").0, Endpoint::Page);
    for path in [
        "",
        "//",
        "*",
        "/api/v1/raffle/",
        "/api/v1/raffle/activity/draw//",
        "/api/v1/raffle/activity/Draw",
        "x",
    ] {
        assert_eq!(call(path).0, Endpoint::Unknown, "{path}");
    }
}

#[test]
fn what_may_be_sent_twice_changes_nothing() {
    let mut labels = BTreeSet::new();
    for route in &ROUTES {
        let label = route.endpoint.label();
        assert!(labels.insert(label), "{label} stands twice");
        let changes = route.methods == Methods::Change;
        assert_eq!(route.is_command(), changes, "{label}");
        // What an application reports is known by its number, which is a key of its own.
        let key = if route.about == About::App {
            FieldName::BusinessNumber
        } else {
            FieldName::Request
        };
        assert!(
            !changes || route.takes.contains(&key),
            "{label} has no key to ask again with",
        );
        let names_key = route.takes.contains(&FieldName::Request);
        assert!(!route.has_key() || names_key, "{label}");
    }
}

/// The paths in a map of nginx's: each is an expression of its own that matches it alone.
fn paths_in_nginx(variable: &str) -> BTreeSet<&'static str> {
    let start = format!("map $drawbridge_path {variable} {{\n");
    let (_, rest) = NGINX
        .split_once(&start)
        .unwrap_or_else(|| panic!("http.conf lacks {start}"));
    let lines = rest.lines().map(str::trim).take_while(|line| *line != "}");
    let path = |line: &'static str| {
        let (path, _) = line.strip_prefix("~^")?.split_once("$ ")?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'/' || byte == b'_';
        Some(path).filter(|path| path.bytes().all(is_plain) && line.ends_with(" 1;"))
    };
    let paths = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("default "));
    paths
        .map(|line| path(line).unwrap_or_else(|| panic!("no single path: {line}")))
        .collect()
}

#[test]
fn nginx_has_the_same_paths() {
    let paths = |is_command| {
        let rows = ROUTES
            .iter()
            .filter(move |row| row.is_command() == is_command);
        let paths = rows.flat_map(|row| row.paths.iter().map(move |(path, _)| (path, row.about)));
        let spelled = paths.flat_map(|(path, about)| {
            let by_token = (about == About::User).then(|| format!("{BASE}{path}{BY_TOKEN}"));
            std::iter::once(format!("{BASE}{path}")).chain(by_token)
        });
        spelled.collect::<BTreeSet<_>>()
    };
    let written = |variable| {
        paths_in_nginx(variable)
            .into_iter()
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(written("$drawbridge_is_command"), paths(true));
    assert_eq!(written("$drawbridge_is_read"), paths(false));
}
