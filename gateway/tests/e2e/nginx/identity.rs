//! No caller can choose a user behind nginx: no location of any form passes the identity header of
//! callers on, before an operator has filled in `identity.conf` and after.
use std::collections::BTreeSet;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::deployment::files_below;

const ACTIVITY: u64 = 200_003;
const VICTIM: &str = "victim";
const OPERATORS: &str = "whom-the-operator-says";

/// A `location` of a file, with what stands between its braces.
struct Location {
    name: String,
    body: String,
}

/// All locations in a text of nginx's, without comments.
fn locations(text: &str) -> Vec<Location> {
    let code: String = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    let after = code.split("location ").skip(1);
    let location = |rest: &str| {
        let (name, rest) = rest.split_once('{').expect("a block");
        let mut depth = 1;
        let end = rest.find(|letter| {
            depth += match letter {
                '{' => 1,
                '}' => -1,
                _ => 0,
            };
            depth == 0
        });
        Location {
            name: name.trim().to_owned(),
            body: rest[..end.expect("its end")].to_owned(),
        }
    };
    after.map(location).collect()
}

/// The names of all locations that are shipped and proxy.
fn proxying() -> BTreeSet<String> {
    let files = ["conf", "template"].map(|ending| files_below(&shipped("deploy"), ending));
    let texts = files
        .into_iter()
        .flatten()
        .map(|path| std::fs::read_to_string(path).expect("a file"));
    let all: Vec<_> = texts.flat_map(|text| locations(&text)).collect();
    assert!(all.len() > 8, "{} locations", all.len());
    let proxying = all
        .into_iter()
        .filter(|location| location.body.contains("proxy_pass"));
    proxying.map(|location| location.name).collect()
}

#[test]
fn every_location_that_proxies_includes_the_headers_itself() {
    let files = ["conf", "template"].map(|ending| files_below(&shipped("deploy"), ending));
    for path in files.into_iter().flatten() {
        let text = std::fs::read_to_string(&path).expect("a file");
        for Location { name, body } in locations(&text) {
            let proxies = body.contains("proxy_pass");
            assert_eq!(
                body.contains("include drawbridge/headers.conf;"),
                proxies,
                "{}: {name}",
                path.display()
            );
        }
    }
    let names: Vec<_> = proxying().into_iter().collect();
    assert_eq!(names, ["@drawbridge_again", "@drawbridge_once"]);
}

/// A gateway that believes the header of callers on this machine.
async fn believing(header: &str) -> (Place, Server) {
    let place = Place::with_campaigns(&[&unlimited(ACTIVITY)]).await;
    let config = format!(
        "[http]\ntrusted_proxies = [\"127.0.0.1\"]\n[identity]\nkind = \"trusted-header\"\nheader = \"{header}\"\n"
    );
    let server = Server::start_with(&place, &config).await;
    (place, server)
}

/// Has all calls go to one location, so that the same attacks meet it.
fn only(location: &str) -> String {
    format!("try_files \"\" {location};")
}

const DISPATCH: &str = "try_files \"\" @drawbridge_$drawbridge_sent;";

/// The ways to spell a header from outside.
fn spellings(header: &str) -> Vec<Vec<String>> {
    let line = |name: &str| format!("{name}: {VICTIM}");
    let (lower, upper, underscored) = (
        header.to_lowercase(),
        header.to_uppercase(),
        header.replace('-', "_"),
    );
    vec![
        vec![line(header)],
        vec![line(&lower)],
        vec![line(&upper), line(header)],
        vec![line(&underscored)],
        vec![line(&underscored), line(header), line(&lower)],
        vec![line(header), format!("Connection: {header}")],
    ]
}

/// Sends the header from outside in all spellings, with more arguments for curl. The caller is
/// `known`, or not identified.
async fn attack(nginx: &Nginx, header: &str, more: &[&str], known: Option<&str>) {
    for spelling in spellings(header) {
        let words: Vec<_> = spelling
            .iter()
            .flat_map(|line| ["--header", line])
            .chain(more.iter().copied())
            .collect();
        let body = json!({"userId": VICTIM, "activityId": ACTIVITY}).to_string();
        let draw = [
            "--data",
            &body,
            "--header",
            "Content-Type: application/json",
        ];
        let reported = nginx
            .ask("activity/draw", &[&draw, &words[..]].concat())
            .await;
        let record = nginx
            .ask(
                &format!("activity/draw_record?userId={VICTIM}&requestId=k"),
                &words,
            )
            .await;
        for reported in [reported, record] {
            match known {
                None => reported.expect(401, "ERR_ID_001"),
                Some(_) => reported.expect(403, "ERR_ID_004"),
            };
        }
        let body = json!({"activityId": ACTIVITY, "requestId": "own"}).to_string();
        let draw = [
            "--data",
            &body,
            "--header",
            "Content-Type: application/json",
        ];
        let reported = nginx
            .ask("activity/draw_by_token", &[&draw, &words[..]].concat())
            .await;
        match known {
            None => reported.expect(401, "ERR_ID_001"),
            Some(_) => reported.expect(200, "0000"),
        };
        if let Some(user) = known {
            let record = format!("activity/draw_record?userId={user}&requestId=own");
            nginx.ask(&record, &words).await.expect(200, "0000");
        }
    }
}

#[tokio::test]
async fn no_caller_chooses_a_user_in_any_location_of_any_form() {
    let (place, server) = believing("X-User-Id").await;
    for shape in Shape::ALL {
        for (number, location) in proxying().iter().enumerate() {
            let only = only(location);
            let form = Form {
                changes: &[("server.conf", DISPATCH, &only)],
                ..Form::shaped(shape, server.listen)
            };
            let nginx = Nginx::start(&place, &format!("{shape:?}-{number}"), &form).await;
            attack(&nginx, "X-User-Id", &[], None).await;
        }
    }
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 0);
}

#[tokio::test]
async fn another_header_is_cleared_where_identity_conf_names_it() {
    let (place, server) = believing("X-Player").await;
    let named = [(
        "identity.conf",
        "proxy_set_header X-User-Id $",
        "proxy_set_header X-Player $",
    )];
    let form = Form {
        changes: &named,
        ..Form::shaped(Shape::Plain, server.listen)
    };
    let nginx = Nginx::start(&place, "named", &form).await;
    attack(&nginx, "X-Player", &[], None).await;
    server.stop().await;
}

/// A login service that knows one user, and whatever comes.
async fn login_service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 16 * 1024];
            let _ = stream.read(&mut head).await;
            let answer =
                format!("HTTP/1.1 200 OK\r\nX-User-Id: {OPERATORS}\r\nContent-Length: 0\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

/// What `identity.conf` shows under a number: lines for other files, and the lines for itself.
fn example(number: u8) -> (String, String) {
    let text = text("deploy/nginx/drawbridge/identity.conf");
    let (_, rest) = text
        .split_once(&format!("\n# {number}. "))
        .expect("the example");
    let example = rest.split("\n\n").next().expect("its end");
    let lines = |prefix: &str| {
        example
            .lines()
            .filter_map(|line| line.strip_prefix(prefix))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let commands = ["auth_request", "set "].map(|word| {
        let lines = lines("# ");
        lines
            .lines()
            .filter(|line| line.starts_with(word))
            .map(str::to_owned)
            .collect::<Vec<_>>()
            .join("\n")
    });
    (lines("#        "), commands.concat())
}

/// An example that an operator fills in.
struct FilledIn<'a> {
    number: u8,
    shape: Shape,
    /// Of its lines for other files.
    replaced: &'a [(&'a str, &'a str)],
    more: &'a [Change<'a>],
}

impl FilledIn<'_> {
    /// Attacks every location, by callers with more arguments for curl. They are `known`, or not
    /// identified.
    async fn attacked(&self, words: &[&str], known: Option<&str>) {
        let (place, server) = believing("X-User-Id").await;
        let (elsewhere, here) = example(self.number);
        let elsewhere = self
            .replaced
            .iter()
            .fold(elsewhere, |text, (from, to)| with(&text, from, to));
        let is_location = elsewhere.starts_with("location");
        let beside = if is_location {
            "include drawbridge/server.conf;"
        } else {
            "include drawbridge/http.conf;"
        };
        let both = format!("{beside}\n{elsewhere}\n");
        let here = format!("$drawbridge_caller;\n{here}");
        for (index, location) in proxying().iter().enumerate() {
            let only = only(location);
            let mut changes = vec![("server.conf", DISPATCH, &*only), (FORM, beside, &*both)];
            changes.push(("identity.conf", "$drawbridge_caller;", &here));
            changes.extend(self.more);
            let form = Form {
                changes: &changes,
                ..Form::shaped(self.shape, server.listen)
            };
            let nginx = Nginx::start(&place, &format!("filled-in-{index}"), &form).await;
            attack(&nginx, "X-User-Id", words, known).await;
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn the_operator_says_who_calls_by_a_login_service() {
    let login = login_service().await.to_string();
    let replaced = [("login.internal:8080", &*login)];
    let asked = FilledIn {
        number: 1,
        shape: Shape::Plain,
        replaced: &replaced,
        more: &[],
    };
    asked.attacked(&[], Some(OPERATORS)).await;
}

#[tokio::test]
async fn the_operator_says_who_calls_by_certificates() {
    let place = Place::new();
    let (certificate, key) = certificate_of(&place, "caller", OPERATORS);
    let tls = format!(
        "include drawbridge/tls.conf;\nssl_client_certificate {certificate};\nssl_verify_client optional;"
    );
    let more = [(FORM, "include drawbridge/tls.conf;", &*tls)];
    let certified = FilledIn {
        number: 2,
        shape: Shape::Tls,
        replaced: &[],
        more: &more,
    };
    certified
        .attacked(&["--cert", &certificate, "--key", &key], Some(OPERATORS))
        .await;
    certified.attacked(&[], None).await;
}

#[tokio::test]
async fn the_operator_says_who_calls_by_a_balancer() {
    let header = format!("X-Authenticated-User: {OPERATORS}");
    let words = ["--header", &*header];
    let ours = [("10.0.0.4/32", "127.0.0.1/32")];
    let balanced = FilledIn {
        number: 3,
        shape: Shape::Tls,
        replaced: &ours,
        more: &[],
    };
    balanced.attacked(&words, Some(OPERATORS)).await;
    // The header of all others is ignored, whatever address they claim.
    let elsewhere = FilledIn {
        number: 3,
        shape: Shape::Tls,
        replaced: &[],
        more: &[],
    };
    elsewhere
        .attacked(
            &[&words[..], &["--header", "X-Forwarded-For: 10.0.0.4"]].concat(),
            None,
        )
        .await;
}
