//! `deploy/nginx`: its bounds fit the gateways', and each other.
use super::{shipped, text, words, yaml};

/// The values of a directive, anywhere in a file.
#[track_caller]
fn values(text: &str, directive: &str) -> Vec<u64> {
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix(directive)?.strip_prefix(' '));
    let line = line
        .unwrap_or_else(|| panic!("no {directive}"))
        .trim_end_matches(';');
    let number = |word: &str| {
        let digits = word.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
        let unit = match &word[digits.len()..] {
            "k" => 1024,
            "" | "s" => 1,
            unit => panic!("{directive}: {unit}"),
        };
        digits.parse::<u64>().ok().map(|number| number * unit)
    };
    line.split(' ').filter_map(number).collect()
}

/// The default of a key, as it is documented.
#[track_caller]
fn default(key: &str) -> u64 {
    let documented = text("docs/configuration.md");
    let row = documented.lines().find_map(|line| {
        line.strip_prefix(&format!("| `{key}` | "))
            .map(str::to_owned)
    });
    let row = row.unwrap_or_else(|| panic!("no {key}"));
    row.split(' ')
        .next()
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(|| panic!("{key}: {row}"))
}

#[test]
fn nginx_takes_no_more_than_a_gateway_and_waits_longer() {
    let server = text("deploy/nginx/drawbridge/server.conf");
    let one = |directive: &str| values(&server, directive)[0];
    assert_eq!(one("client_max_body_size"), default("http.body_max_bytes"));
    assert_eq!(
        one("client_body_buffer_size"),
        4 * default("http.body_max_bytes"),
        "room for what chunks add"
    );
    let connection = text("gateway/src/edge/connection.rs");
    assert!(connection.contains("const HEAD_BYTES_MAX: usize = 16 * 1024;"));
    let large = values(&server, "large_client_header_buffers");
    let head = one("client_header_buffer_size") + large[0] * large[1];
    assert!(
        head + 1024 <= 16 * 1024,
        "{head} and what headers.conf adds"
    );
    assert!(large[1] > 8192 + 1024, "the longest token fits into a line");
    let read = one("proxy_read_timeout");
    assert!(read * 1000 >= default("lanes.answer_timeout_ms") + 500);
    assert_eq!(one("proxy_next_upstream_timeout"), 2 * read);
    assert!(one("client_header_timeout") <= 5);
    let kept = values(
        &text("deploy/nginx/drawbridge/upstream.conf"),
        "keepalive_timeout",
    )[0];
    assert!(kept * 1000 < default("http.header_timeout_ms"));
    for config in [
        "deploy/compose/gateway.toml",
        "deploy/systemd/cluster.toml",
        "deploy/systemd/embedded.toml",
    ] {
        let config = text(config);
        assert!(
            !config.contains("answer_timeout_ms") && !config.contains("body_max_bytes"),
            "nginx fits the defaults"
        );
    }
}

#[test]
fn nginx_has_a_descriptor_for_each_connection_and_room_for_heads() {
    let main = text("deploy/nginx/nginx.conf");
    let (connections, files) = (
        values(&main, "worker_connections")[0],
        values(&main, "worker_rlimit_nofile")[0],
    );
    assert!(files >= 2 * connections);
    let calls = values(
        &text("deploy/nginx/drawbridge/limits.conf"),
        "limit_conn drawbridge_server",
    )[0];
    assert!(
        2 * calls + 16_400 < connections,
        "calls have two, and half-sent heads have room"
    );
    let alerts = text("deploy/prometheus/rules/nginx.yml");
    let full = values(&alerts, "expr: nginx_connections_active >")[0];
    assert!(
        full < connections * 8 / 10 && full > connections * 7 / 10,
        "{full}"
    );
    let compose = yaml(&text("deploy/compose/compose.yaml")).remove(0);
    let nginx = &compose["services"]["nginx"];
    for bound in ["soft", "hard"] {
        assert!(
            nginx["ulimits"]["nofile"][bound].as_u64() >= Some(files),
            "{bound}"
        );
    }
    // Files are mounted as they are: the one that an operator fills in is among them.
    assert!(words(&nginx["volumes"]).contains(&"../nginx/drawbridge:/etc/nginx/drawbridge:ro"));
    assert!(shipped("deploy/nginx/drawbridge/identity.conf").exists());
}
