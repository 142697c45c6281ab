//! What a call must bring, and what it learns when it does not. The signatures were computed by
//! another program (Python's `hmac`).
use std::path::PathBuf;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use jiff::Timestamp;
use testkit::Folder;

use super::*;

const KEY: &[u8] = b"correct horse battery staple, twice over";
const OTHER_KEY: &[u8] = b"another key of more than thirty-two bytes";
const BODY: &str = r#"{"appId":"shop","data":{"userId":"u1","behaviorType":"openai_pay","outBusinessNo":"order-4711"}}"#;
const SIGNED_AT: i64 = 1_796_000_000;
const SIGNATURE: &str = "12bf0e09448d9f03deb3af590c95ac75ebb6f13193d214561032d3167e1fed4d";

/// Applications with their secrets in files.
struct Place {
    folder: Folder,
    apps: Vec<AppConfig>,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: Folder::new(),
            apps: Vec::new(),
        }
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        PathBuf::from(self.folder.file(name, content))
    }

    fn with(mut self, id: &str, keys: &[&[u8]], token: Option<&str>) -> Self {
        let files = keys.iter().enumerate();
        let key_files = files.map(|(index, key)| self.file(&format!("{id}-{index}"), key));
        let key_files = key_files.collect();
        let token_file = token.map(|token| self.file(&format!("{id}-token"), token.as_bytes()));
        self.apps.push(AppConfig {
            id: app(id),
            key_files,
            token_file,
        });
        self
    }

    fn apps(&self) -> Apps {
        Apps::new(&self.apps).expect("good files")
    }
}

fn app(id: &str) -> AppId {
    AppId::new(id).expect("a name")
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header value");
        headers.append(HeaderName::from_static(name), value);
    }
    headers
}

/// The head of a call as the example of the page has it, with one header changed.
fn example(name: &str, value: Option<&str>) -> HeaderMap {
    let example = [
        ("x-app-id", "shop"),
        ("x-timestamp", "1796000000"),
        ("x-nonce", "5f3a9c1e77"),
        ("x-signature", SIGNATURE),
    ];
    let changed = example.into_iter().filter_map(|(header, own)| match value {
        Some(value) if header == name => Some((header, value)),
        None if header == name => None,
        _ => Some((header, own)),
    });
    headers(&changed.collect::<Vec<_>>())
}

/// Who a call comes from, or why it is refused.
fn ask(apps: &Apps, headers: &HeaderMap, now: i64, body: &str) -> Result<AppProof, Failure> {
    let claim = AppClaim::of(headers, at(now))?;
    Ok(apps.prove(claim, body.as_bytes())?)
}

fn code<T: std::fmt::Debug>(result: Result<T, Failure>) -> Code {
    result.expect_err("a refusal").code
}

#[test]
fn signatures_of_another_program_are_good() {
    let apps = Place::new().with("shop", &[KEY], None).apps();
    let signed = ask(&apps, &example("", None), SIGNED_AT, BODY);
    assert_eq!(signed, Ok(AppProof::Signed(app("shop"))));
    let in_capitals = SIGNATURE.to_ascii_uppercase();
    let capitals = example("x-signature", Some(&in_capitals));
    assert!(ask(&apps, &capitals, SIGNED_AT, BODY).is_ok());

    // A key of any bytes, an empty body, the longest nonce.
    let low: Vec<u8> = (33..65).collect();
    let high: Vec<u8> = (0x80..0xb0).collect();
    let apps = Place::new()
        .with("low", &[&low], None)
        .with("high", &[&high], None)
        .apps();
    let nonce = "!".repeat(64);
    for (id, timestamp, nonce, body, signature) in [
        (
            "low",
            "1796000000",
            "n",
            "",
            "1d4b1f584e8c194220abd0a51a2ad73cf62da50931b7472fe07186fc3a50900d",
        ),
        (
            "high",
            "1796000299",
            &nonce,
            "{\"x\":\"é漢\"}",
            "60310ffd60e43fc88038e0a02c22f648226d399b0b3e47b839b6a788ecf6116a",
        ),
    ] {
        let head = headers(&[
            ("x-app-id", id),
            ("x-timestamp", timestamp),
            ("x-nonce", nonce),
            ("x-signature", signature),
        ]);
        assert!(ask(&apps, &head, SIGNED_AT, body).is_ok(), "{id}");
    }
}

#[test]
fn each_part_of_a_call_is_signed() {
    let apps = Place::new()
        .with("shop", &[KEY], None)
        .with("other", &[OTHER_KEY], None)
        .apps();
    for (name, value) in [
        ("x-timestamp", "1796000001"),
        ("x-nonce", "5f3a9c1e78"),
        ("x-signature", &SIGNATURE.replace(&SIGNATURE[..1], "0")),
        ("x-signature", "00"),
        ("x-signature", ""),
        ("x-signature", &"zz".repeat(32)),
        ("x-app-id", "other"),
    ] {
        let head = example(name, Some(value));
        let refused = code(ask(&apps, &head, SIGNED_AT, BODY));
        assert_eq!(refused, Code::SignatureWrong, "{name}: {value}");
    }
    let head = example("", None);
    for body in [
        "",
        &BODY[1..],
        &format!("{BODY} "),
        &BODY.replace("u1", "u2"),
    ] {
        let refused = code(ask(&apps, &head, SIGNED_AT, body));
        assert_eq!(refused, Code::SignatureWrong, "{body}");
    }
}

#[test]
fn an_unknown_application_is_told_so_whatever_it_signs() {
    let apps = Place::new().with("shop", &[KEY], None).apps();
    let head = example("x-app-id", Some("Shop"));
    assert_eq!(
        code(ask(&apps, &head, SIGNED_AT, BODY)),
        Code::AppUnknown,
        "names differ by case"
    );
    let nobody = Apps::new(&[]).expect("none");
    let refused = ask(&nobody, &example("", None), SIGNED_AT, BODY);
    assert_eq!(code(refused), Code::AppUnknown);
}

#[test]
fn a_timestamp_is_good_for_five_minutes_in_both_directions() {
    let apps = Place::new().with("shop", &[KEY], None).apps();
    for (now, is_good) in [
        (SIGNED_AT - 301, false),
        (SIGNED_AT - 300, true),
        (SIGNED_AT + 300, true),
        (SIGNED_AT + 301, false),
        (0, false),
    ] {
        let asked = ask(&apps, &example("", None), now, BODY);
        assert_eq!(asked.is_ok(), is_good, "{now}");
        if !is_good {
            assert_eq!(code(asked), Code::TimestampOld);
        }
    }
    for odd in [
        "",
        "-1796000000",
        "+1796000000",
        "1796000000.0",
        "1796000000000",
        "99999999999999999999999",
        "now",
        " 1796000000",
    ] {
        let head = example("x-timestamp", Some(odd));
        let refused = code(ask(&apps, &head, SIGNED_AT, BODY));
        assert_eq!(refused, Code::TimestampOld, "{odd:?}");
    }
}

#[test]
fn a_head_is_whole_or_empty() {
    let apps = Place::new().with("shop", &[KEY], None).apps();
    let unsigned = ask(&apps, &HeaderMap::new(), SIGNED_AT, BODY);
    assert_eq!(unsigned, Ok(AppProof::Unsigned));
    for name in ["x-app-id", "x-timestamp", "x-nonce", "x-signature"] {
        let failure = ask(&apps, &example(name, None), SIGNED_AT, BODY).expect_err("a part");
        assert_eq!(failure.code, Code::IdentityMissing, "{name}");
        let detail = failure.detail.expect("a detail").to_ascii_lowercase();
        assert!(detail.contains(name), "{detail}");

        let mut twice = example("", None);
        twice.append(name, HeaderValue::from_static("1"));
        let refused = code(ask(&apps, &twice, SIGNED_AT, BODY));
        assert_eq!(refused, Code::IllegalParameter, "{name}");
    }
    for (name, value) in [
        ("x-app-id", ""),
        ("x-app-id", "a b"),
        ("x-app-id", "é"),
        ("x-app-id", &"a".repeat(65)),
        ("x-nonce", ""),
        ("x-nonce", "a b"),
        ("x-nonce", &"n".repeat(65)),
    ] {
        let refused = code(ask(&apps, &example(name, Some(value)), SIGNED_AT, BODY));
        assert_eq!(refused, Code::IllegalParameter, "{name}: {value:?}");
    }
}

#[test]
fn the_body_names_the_application_that_signed() {
    let apps = Place::new()
        .with("shop", &[KEY], None)
        .with("other", &[OTHER_KEY], None)
        .apps();
    let proof = AppProof::Signed(app("shop"));
    assert_eq!(apps.check(&proof, &app("shop"), None), Ok(()));
    assert_eq!(
        apps.check(&proof, &app("shop"), Some("no token is needed")),
        Ok(())
    );
    let refused = apps.check(&proof, &app("other"), None);
    assert_eq!(code(refused), Code::IllegalParameter);
}

#[test]
fn a_token_is_enough_only_where_there_is_one() {
    let apps = Place::new()
        .with("signs", &[KEY], None)
        .with("says", &[], Some("a token of some length\n"))
        .with("both", &[KEY], Some("another token of it"))
        .apps();
    let unsigned = |id: &str, token| apps.check(&AppProof::Unsigned, &app(id), token);
    let signed = |id: &str, token| apps.check(&AppProof::Signed(app(id)), &app(id), token);
    assert_eq!(unsigned("says", Some("a token of some length")), Ok(()));
    assert_eq!(unsigned("both", Some("another token of it")), Ok(()));
    assert_eq!(signed("both", None), Ok(()));
    assert_eq!(signed("both", Some("another token of it")), Ok(()));
    for token in [None, Some(""), Some("a token of some length\n"), Some("x")] {
        assert_eq!(
            code(unsigned("says", token)),
            Code::AppTokenWrong,
            "{token:?}"
        );
    }
    assert_eq!(code(signed("both", Some("x"))), Code::AppTokenWrong);
    assert_eq!(
        code(unsigned("signs", Some("x"))),
        Code::IdentityMissing,
        "it must sign"
    );
    assert_eq!(code(unsigned("nobody", Some("x"))), Code::AppUnknown);
    // One that has no key cannot sign.
    let head = headers(&[
        ("x-app-id", "says"),
        ("x-timestamp", "1796000000"),
        ("x-nonce", "5f3a9c1e77"),
        ("x-signature", SIGNATURE),
    ]);
    assert_eq!(
        code(ask(&apps, &head, SIGNED_AT, BODY)),
        Code::SignatureWrong
    );
}

#[test]
fn strangers_are_refused_by_their_heads() {
    let signed = example("", None);
    let now = Timestamp::from_second(SIGNED_AT).expect("a time");
    let refused = |apps: &Apps, headers: &HeaderMap| {
        let claim = AppClaim::of(headers, now).expect("a head");
        apps.check_head(&claim).map_err(|failure| failure.code)
    };
    let nothing = HeaderMap::new();
    let with_keys = Place::new().with("shop", &[KEY], None).apps();
    assert_eq!(refused(&with_keys, &signed), Ok(()));
    assert_eq!(refused(&with_keys, &nothing), Err(Code::IdentityMissing));
    let other = Place::new()
        .with("other", &[], Some("a token of some length"))
        .apps();
    assert_eq!(refused(&other, &signed), Err(Code::AppUnknown));
    assert_eq!(
        refused(&other, &nothing),
        Ok(()),
        "its body may bring the token"
    );
    let none = Place::new().apps();
    assert_eq!(refused(&none, &signed), Err(Code::AppUnknown));
    assert_eq!(refused(&none, &nothing), Err(Code::IdentityMissing));
}

#[test]
fn two_keys_are_good_at_once_and_a_reload_takes_one_out() {
    let mut place = Place::new().with("shop", &[OTHER_KEY, KEY], None);
    let apps = place.apps();
    let signed = |apps: &Apps| ask(apps, &example("", None), SIGNED_AT, BODY).is_ok();
    assert!(signed(&apps), "the old one");
    assert_eq!(apps.reload(&place.apps), Ok(false));

    // White space at the end does not count, and a broken file changes nothing.
    place.file("shop-1", &[KEY, b" \r\n"].concat());
    assert_eq!(apps.reload(&place.apps), Ok(false));
    place.file("shop-0", b"short");
    let why = apps.reload(&place.apps).expect_err("a short key");
    assert!(why.contains("shop-0") && !why.contains("short\n"), "{why}");
    assert!(signed(&apps));

    place.file("shop-0", OTHER_KEY);
    place.apps[0].key_files.pop();
    assert_eq!(apps.reload(&place.apps), Ok(true));
    assert!(!signed(&apps));
    // The same secret as a token is another thing than as a key.
    place.apps[0].token_file = place.apps[0].key_files.pop();
    assert_eq!(apps.reload(&place.apps), Ok(true));
    place.apps.clear();
    assert_eq!(apps.reload(&place.apps), Ok(true));
    let refused = ask(&apps, &example("", None), SIGNED_AT, BODY);
    assert_eq!(code(refused), Code::AppUnknown);
}

#[test]
fn files_that_hold_no_secret_are_named() {
    for (content, part) in [
        (&b""[..], "0 bytes"),
        (&KEY[..31], "31 bytes; expected at least 32"),
        (&[b'k'; 4097], "larger than 4096 bytes"),
    ] {
        let place = Place::new().with("shop", &[content], None);
        let why = Apps::new(&place.apps).err().expect("no key");
        assert!(why.contains("shop-0: ") && why.contains(part), "{why}");
    }
    let place = Place::new().with("shop", &[], Some("too short"));
    let why = Apps::new(&place.apps).err().expect("no token");
    assert!(why.contains("at least 16"), "{why}");
}

mod sections {
    use super::*;
    use crate::config::Config;

    fn parsed(place: &Place, text: &str) -> Vec<AppConfig> {
        let text = text.replace("DIR", &place.folder.root().display().to_string());
        let config = Config::parse(&text, Vec::new());
        config.unwrap_or_else(|error| panic!("{error}")).apps
    }

    fn faults(place: &Place, text: &str) -> String {
        let text = text.replace("DIR", &place.folder.root().display().to_string());
        Config::faults(&text, Vec::new()).join("\n")
    }

    #[test]
    fn applications_are_read() {
        let place = Place::new();
        for name in ["new", "old", "token"] {
            place.file(name, KEY);
        }
        assert_eq!(parsed(&place, ""), []);
        let apps = parsed(
            &place,
            "[[app]]\nid = \"shop\"\nkey_files = [\"DIR/new\", \"DIR/old\"]\n\
             [[app]]\nid = \"old-shop\"\ntoken_file = \"DIR/token\"\n",
        );
        assert_eq!(apps.len(), 2);
        assert_eq!((apps[0].key_files.len(), &apps[0].token_file), (2, &None));
        assert!(apps[1].key_files.is_empty() && apps[1].token_file.is_some());
    }

    #[test]
    fn faults_are_named() {
        let place = Place::new();
        place.file("new", KEY);
        place.file("short", b"short");
        for (text, part) in [
            ("id = \"shop\"", "app[1].key_files: is missing"),
            ("key_files = [\"DIR/new\"]", "app[1].id: missing"),
            ("id = \"a b\"\nkey_files = [\"DIR/new\"]", "app[1].id: "),
            ("id = \"a\"\nkey_files = []", "app[1].key_files: expected"),
            (
                "id = \"a\"\nkey_files = [\"DIR/new\", \"DIR/new\", \"DIR/new\"]",
                "app[1].key_files: expected",
            ),
            (
                "id = \"a\"\nkey_files = [\"DIR/none\"]",
                "app[1].key_files: ",
            ),
            (
                "id = \"a\"\nkey_files = [\"DIR/short\"]",
                "expected at least 32",
            ),
            (
                "id = \"a\"\ntoken_file = \"DIR/short\"",
                "app[1].token_file: ",
            ),
            (
                "id = \"a\"\nkey_file = \"DIR/new\"",
                "did you mean \"key_files\"?",
            ),
            (
                "id = \"a\"\nkey_files = [\"DIR/new\"]\n[[app]]\nid = \"a\"\nkey_files = [\"DIR/new\"]",
                "app[2].id: is the id of another application",
            ),
        ] {
            let faults = faults(&place, &format!("[[app]]\n{text}\n"));
            assert!(faults.contains(part), "{part} is missing in\n{faults}");
        }
    }
}

mod page {
    use super::*;

    const PAGE: &str = include_str!("../../../../docs/apps.md");

    /// The value in a row of a table of the page.
    fn row(name: &str) -> &'static str {
        let row = PAGE.lines().find_map(|line| {
            let value = line.strip_prefix(&format!("| {name} | `"))?;
            value.strip_suffix("` |")
        });
        row.unwrap_or_else(|| panic!("docs/apps.md lacks the row {name}"))
    }

    #[test]
    fn the_example_of_the_page_is_right() {
        let head = headers(&[
            ("x-app-id", "shop"),
            ("x-timestamp", row("timestamp")),
            ("x-nonce", row("nonce")),
            ("x-signature", row("signature")),
        ]);
        let apps = Place::new()
            .with("shop", &[row("key").as_bytes()], None)
            .apps();
        let now = row("timestamp").parse().expect("seconds");
        assert!(ask(&apps, &head, now, row("body")).is_ok());
    }

    #[test]
    fn the_page_has_the_statuses_of_its_codes() {
        let (_, table) = PAGE.split_once("## What is refused").expect("the table");
        let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
        let mut count = 0;
        for row in rows {
            let (code, rest) = row.split_once("` | ").expect("a code");
            let known = Code::ALL.iter().find(|known| known.as_str() == code);
            let known = known.unwrap_or_else(|| panic!("{code} is no code"));
            let status = known.status().as_u16().to_string();
            assert!(rest.starts_with(&status), "{code}: {rest}");
            count += 1;
        }
        assert_eq!(count, 11);
    }
}
