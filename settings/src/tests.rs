//! Faults with their locations, and what is read when there are none.
use jiff::Timestamp;

use super::*;
use crate::document::FAULTS_MAX;

#[derive(Debug, PartialEq)]
struct Server {
    listen: String,
    port: u16,
    always_200: bool,
    share: String,
    origins: Vec<String>,
}

fn server(root: &Section<'_>) -> Result<Server, Faulted> {
    let http = root.section("http");
    let listen = http.string("listen", 1..=64).required();
    let port = http.integer("port", 1..=9000).or(80);
    let always_200 = http.boolean("always_200").or(false);
    let share = http.decimal("share").or("1".into());
    let origins = http.list("origins", 0..=3).or(Vec::new());
    let origins = origins.and_then(|origins| {
        all(origins
            .iter()
            .map(|origin| origin.string(1..=20).required()))
    });
    Ok(Server {
        listen: listen?,
        port: port?,
        always_200: always_200?,
        share: share?,
        origins: origins?,
    })
}

fn faults<T: std::fmt::Debug>(read: Result<T, Vec<Fault>>) -> Vec<String> {
    read.expect_err("faults")
        .iter()
        .map(Fault::to_string)
        .collect()
}

fn variable(name: &str, value: &str) -> Override {
    Override::variable("APP_", name, value).expect("the prefix")
}

#[test]
fn values_come_from_the_file_or_from_defaults() {
    let text = "[http]\nlisten = \"a\"\nshare = 0.250\norigins = [\"x\", \"y\"]\n";
    let expected = Server {
        listen: "a".into(),
        port: 80,
        always_200: false,
        share: "0.250".into(),
        origins: vec!["x".into(), "y".into()],
    };
    assert_eq!(read(text, Vec::new(), server), Ok(expected));
}

#[test]
fn all_faults_come_at_once_in_the_order_of_the_file() {
    let text = "[http]\nlisten = 5\nport = 9001\nalways_200 = \"yes\"\nshare = []\n\
                    origins = [\n  \"x\",\n  7,\n  \"\",\n]\nprot = 1\n[htpt]\nlisten = 1\n";
    let expected = [
        "line 2, http.listen: expected a string of 1 to 64 characters, found 5",
        "line 3, http.port: expected an integer from 1 to 9000, found 9001",
        "line 4, http.always_200: expected true or false, found the string \"yes\"",
        "line 5, http.share: expected a decimal number, found a list",
        "line 8, http.origins[2]: expected a string of 1 to 20 characters, found 7",
        "line 9, http.origins[3]: expected a string of 1 to 20 characters, found 0",
        "line 11, http.prot: unknown key; did you mean \"port\"?",
        "line 12, htpt: unknown key; did you mean \"http\"?",
    ];
    assert_eq!(faults(read(text, Vec::new(), server)), expected);
}

#[test]
fn a_missing_key_is_reported_at_its_section() {
    let expected = "http.listen: missing: expected a string of 1 to 64 characters";
    assert_eq!(faults(read("", Vec::new(), server)), [expected]);
    assert_eq!(
        faults(read("\n\n[http]\n", Vec::new(), server)),
        [format!("line 3, {expected}")]
    );
    let no_table = faults(read("http = 1", Vec::new(), server));
    assert_eq!(
        no_table,
        [expected, "line 1, http: expected a table, found 1"]
    );
}

#[test]
fn broken_syntax_is_all_that_is_reported() {
    let text = "a = tru\n[http]\nlisten = \"a\nport = 0\nport = 1\n";
    let locations: Vec<_> = faults(read(text, Vec::new(), server))
        .iter()
        .map(|fault| fault[..6].to_owned())
        .collect();
    assert_eq!(locations, ["line 1", "line 3", "line 5"]);
}

#[test]
fn overrides_replace_and_add() {
    let text = "[http]\nlisten = \"a\"\nport = \"broken\"\n";
    let overrides = vec![
        variable("APP_HTTP_LISTEN", "b"),
        variable("APP_HTTP_ALWAYS_200", "true"),
        variable("APP_HTTP_ORIGINS", "x, y"),
        Override::option("http.listen", "c", "--listen"),
        Override::option("http.port", "8080", "--port"),
    ];
    let expected = Server {
        listen: "c".into(),
        port: 8080,
        always_200: true,
        share: "1".into(),
        origins: vec!["x".into(), "y".into()],
    };
    assert_eq!(read(text, overrides, server), Ok(expected));
    assert!(Override::variable("APP_", "PATH", "/bin").is_none());
}

#[test]
fn faults_of_overrides_name_their_origin() {
    let overrides = vec![
        variable("APP_HTTP_PORT", "many"),
        variable("APP_HTTP_LISTN", "b"),
        Override::option("http.listen", "", "--listen"),
        Override::option("http.lsiten", "b", "--lsiten"),
        variable("APP_HTTP", "b"),
    ];
    let expected = [
        "--listen, http.listen: expected a string of 1 to 64 characters, found 0",
        "--lsiten: unknown setting; did you mean \"http.listen\"?",
        "environment variable APP_HTTP, http: expected a table, found \"b\"",
        "environment variable APP_HTTP_LISTN: unknown setting; did you mean \"APP_HTTP_LISTEN\"?",
        "environment variable APP_HTTP_PORT, http.port: expected an integer from 1 to 9000, found \"many\"",
    ];
    assert_eq!(faults(read("", overrides, server)), expected);
}

#[test]
fn a_readers_check_is_reported_at_its_key() {
    let check = |root: &Section<'_>| -> Result<(), Faulted> {
        let jobs = root.sections("job", 0..=2)?;
        for job in &jobs {
            let _ = job
                .string("name", 1..=9)
                .try_map(|name| if name == "a" { Err("not a") } else { Ok(name) })
                .required();
            job.fault("name", "too late");
            job.fault("at", "too early");
        }
        Ok(())
    };
    let expected = [
        "line 1, job[1].at: too early",
        "line 2, job[1].name: not a",
        "line 2, job[1].name: too late",
    ];
    assert_eq!(
        faults(read("[[job]]\nname = \"a\"\n", Vec::new(), check)),
        expected
    );
    let three = faults(read(
        "[[job]]\n[[job]]\n[[job]]\nnme = 1\n",
        Vec::new(),
        check,
    ));
    assert!(
        three.contains(&"line 1, job: expected 0 to 2 tables, found 3".to_owned()),
        "{three:?}"
    );
}

#[test]
fn numbers_and_keys_of_any_size_are_quoted_in_part() {
    let huge = "9".repeat(1000);
    let found = faults(read(
        &format!("[http]\nlisten = \"a\"\nport = {huge}\n"),
        Vec::new(),
        server,
    ));
    assert!(
        found[0].ends_with(&format!("found {}...", "9".repeat(40))),
        "{found:?}"
    );
    let found = faults(read(
        &format!("{huge} = 1\n\"a b\" = 1\n[http]\nlisten = \"a\"\n"),
        Vec::new(),
        server,
    ));
    assert_eq!(
        found,
        [
            format!("line 1, \"{}...\": unknown key", "9".repeat(40)),
            "line 2, \"a b\": unknown key".into()
        ]
    );
}

#[test]
fn a_file_that_is_not_toml_gets_a_short_answer() {
    let found = faults(read(&"=\n".repeat(5000), Vec::new(), server));
    assert_eq!(found.len(), FAULTS_MAX + 1);
    assert!(
        found[FAULTS_MAX].starts_with("the file: has "),
        "{}",
        found[FAULTS_MAX]
    );
    let deep = faults(read(
        &format!("{}a = 1", "a.".repeat(500)),
        Vec::new(),
        server,
    ));
    assert_eq!(deep, ["the file: recursion limit"]);
}

#[test]
fn times_have_an_offset() {
    let at = |text: &str| read(text, Vec::new(), |root| root.time("at").required());
    let moment: Timestamp = "2024-03-09T02:15:10Z".parse().expect("a moment");
    assert_eq!(at("at = 2024-03-09T10:15:10+08:00"), Ok(moment));
    assert_eq!(at("at = 2024-03-09 02:15:10Z"), Ok(moment));
    for bad in [
        "2024-03-09T10:15:10",
        "2024-03-09",
        "10:15:10",
        "\"2024-03-09T10:15:10+08:00\"",
        "0",
    ] {
        assert!(at(&format!("at = {bad}")).is_err(), "{bad}");
    }
}

/// The keys that have a value, as they would be shown.
fn entries(text: &str, overrides: Vec<Override>) -> Vec<String> {
    #[derive(Clone, Copy, PartialEq)]
    enum Colour {
        Red,
        Blue,
    }
    let reader = |root: &Section<'_>| {
        let colour = root
            .choice("colour", &[("red", Colour::Red), ("blue", Colour::Blue)])
            .or(Colour::Blue);
        let password = root.secret("password", 1..=20).optional();
        let unset = root.string("unset", 1..=20).optional();
        let shards = root.sections("shard", 0..=3)?;
        let hosts = all(shards
            .iter()
            .map(|shard| shard.string("host", 1..=20).required()));
        Ok((server(root)?, colour?, password?, unset?, hosts?))
    };
    let (_, entries) = read_with_entries(text, overrides, reader)
        .map_err(|faults| format!("{faults:?}"))
        .expect("good");
    entries
        .iter()
        .map(|entry| format!("{entry:?} {:?}", entry.replaced()))
        .collect()
}

#[test]
fn each_key_has_its_value_and_origin() {
    let text = "password = \"hush\"\n[http]\nlisten = \"a\"\nport = 0x10\nshare = \"0.5\"\n[[shard]]\nhost = \"h\"\n";
    let overrides = || {
        vec![
            Override::option("http.listen", "127.0.0.1:5", "--listen"),
            variable("APP_HTTP_ALWAYS_200", "true"),
            variable("APP_HTTP_ORIGINS", "x, y"),
            variable("APP_PASSWORD", "quiet"),
        ]
    };
    let expected = [
        r#"colour = "blue" (default) None"#,
        r#"password = "***" (environment variable APP_PASSWORD) Some("\"***\"")"#,
        r#"shard[1].host = "h" (file, line 7) None"#,
        r#"http.listen = "127.0.0.1:5" (--listen) Some("\"a\"")"#,
        "http.port = 16 (file, line 4) None",
        "http.always_200 = true (environment variable APP_HTTP_ALWAYS_200) None",
        "http.share = 0.5 (file, line 5) None",
        r#"http.origins = ["x", "y"] (environment variable APP_HTTP_ORIGINS) None"#,
    ];
    assert_eq!(entries(text, overrides()), expected);
}

#[test]
fn a_secret_is_compared_and_not_shown() {
    let of = |text: &str| {
        let reader = |root: &Section<'_>| root.secret("password", 1..=20).required();
        read_with_entries(text, Vec::new(), reader).map(|(_, entries)| entries)
    };
    let (one, other) = (
        of("password = \"one\"").expect("good"),
        of("password = \"other\"").expect("good"),
    );
    assert_eq!(
        (one[0].value(), one[0].is_secret()),
        (other[0].value(), true)
    );
    assert!(one[0].is_same_value(&one[0]) && !one[0].is_same_value(&other[0]));
    let faults = of("password = 12345").expect_err("a fault");
    assert!(!faults[0].to_string().contains("12345"), "{}", faults[0]);
}

#[test]
fn an_old_name_gets_the_new_one() {
    let reader = |root: &Section<'_>| {
        let http = root.section("http");
        http.renamed("sit_out", "cooldown");
        http.section("cooldown").integer("for_ms", 1..=9).or(1)
    };
    let text = "[http]\n[http.sit_out]\nfor_ms = 5\nnonsense = 1\n";
    let variables = || {
        vec![
            variable("APP_HTTP_SIT_OUT_FOR_MS", "1"),
            Override::option("http.sit_out", "1", "--rest"),
        ]
    };
    let expected = [
        "--rest, http.sit_out: is called \"cooldown\" now",
        "environment variable APP_HTTP_SIT_OUT_FOR_MS, http.sit_out: is called \"cooldown\" now",
        "line 2, http.sit_out: is called \"cooldown\" now",
    ];
    assert_eq!(faults(read(text, variables(), reader)), expected);
    assert_eq!(
        read("[http.cooldown]\nfor_ms = 5\n", Vec::new(), reader),
        Ok(5)
    );
}
