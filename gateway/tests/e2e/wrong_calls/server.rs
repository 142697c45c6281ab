//! Calls to a running server.
use super::{ACTIVITY, Case, UNKNOWN_ACTIVITY, difference};
use crate::support::campaign::scarce;
use crate::support::{Place, Server, text_of};

/// What a running server refuses. `ADMIN` and `PLAYERS` stand for its addresses, `TOKEN` for the
/// file with its token, `UNUSED` for an address where no server listens.
const REFUSED_BY_A_SERVER: [Case; 17] = [
    (
        &[
            "switch",
            "list",
            "--admin",
            "PLAYERS",
            "--token-file",
            "TOKEN",
        ],
        2,
        "http://PLAYERS: players draw here; --admin takes the server's admin address: http.admin of its configuration, \
         http://127.0.0.1:8092 by default",
    ),
    (
        &[
            "breaker",
            "list",
            "--admin",
            "UNUSED",
            "--token-file",
            "TOKEN",
        ],
        2,
        "http://UNUSED: no server listens there: start `drawbridge serve`, or name the admin address of a server that runs \
         (http.admin of its configuration): --admin URL",
    ),
    (
        &["gateways", "--admin", "ADMIN", "--token-file", "nowhere"],
        2,
        "token: nowhere: No such file or directory (os error 2); --token-file FILE names another one: DATA/admin-token \
         is the embedded default's own",
    ),
    (
        &[
            "audit-log",
            "list",
            "--admin",
            "https://ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "https://ADMIN: https:// needs --ca-file FILE, the authority of its certificate",
    ),
    (
        &[
            "switch",
            "set",
            "draw",
            "off",
            "--activity",
            "7",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "activity: 7 is not published; these are: 200003",
    ),
    (
        &[
            "switch",
            "set",
            "draw",
            "off",
            "--for",
            "10000h",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "forSeconds: expected 1 to 31622400, found 36000000",
    ),
    (
        &[
            "breaker",
            "set",
            "shard-9",
            "automatic",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "name: there is no breaker \"shard-9\"; there are shard-0, shard-1",
    ),
    (
        &[
            "breaker",
            "clear",
            "shard-9",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "name: there is no breaker \"shard-9\"; there are shard-0, shard-1",
    ),
    (
        &[
            "breaker",
            "clear",
            "shard-0",
            "--here",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "nothing is set for shard-0 on this gateway alone",
    ),
    (
        &[
            "limits",
            "set",
            "user",
            "five",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "perSecond: expected a decimal from 0 to 1000000 with at most 3 places, such as 0.5, found \"five\"",
    ),
    (
        &[
            "limits",
            "clear",
            "usre",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "target: expected one of gateway, route.draw, route.draw_record, route.draw_records, route.award_record_list, route.armory, \
         route.account, route.stage, \
         route.activity, route.strategy_armory, route.award_list, route.strategy_award_list, route.rule_weight, route.random_raffle, \
         route.credit_account, route.credit_ledger, route.recharge_orders, route.sku_list, route.sign_in, route.is_signed_in, route.exchange, route.reward, \
         route.page, route.preflight, route.unknown, address, user, found \"usre\"",
    ),
    (
        &[
            "gateways",
            "out",
            "gateway-9",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "name: there is no gateway \"gateway-9\"; there are gateway-0",
    ),
    (
        &[
            "gateways",
            "in",
            "gateway-9",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "name: there is no gateway \"gateway-9\"; there are gateway-0",
    ),
    (
        &[
            "gateways",
            "forget",
            "gateway-9",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "there is no gateway \"gateway-9\"; there are gateway-0",
    ),
    (
        &[
            "log",
            "set",
            "",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "filter: is empty; expected one such as debug or shards=debug,info",
    ),
    (
        &[
            "chances",
            "grant",
            "u1",
            "7",
            "1",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        1,
        UNKNOWN_ACTIVITY,
    ),
    (
        &[
            "account",
            "u1",
            "--activity",
            "7",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        1,
        "activityId: no activity 7 is published",
    ),
];

#[tokio::test]
async fn a_server_says_what_is_wrong_and_what_there_is() {
    let place = Place::with_campaigns(&[&scarce(ACTIVITY, 12)]).await;
    let server = Server::start_with(&place, "[gateway]\nname = \"gateway-0\"\n").await;
    let (admin, players) = (server.admin.to_string(), server.listen.to_string());
    let unused = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("it")
        .to_string();
    let token = text_of(&place.data().join("admin-token"));
    let mut differences = Vec::new();
    for (arguments, code, message) in REFUSED_BY_A_SERVER {
        let filled = |text: &str| {
            let text = text
                .replace("ADMIN", &admin)
                .replace("PLAYERS", &players)
                .replace("UNUSED", &unused);
            text.replace("TOKEN", &token)
        };
        let words: Vec<String> = arguments.iter().map(|word| filled(word)).collect();
        // In another folder: the token in the place's data folder must not be used.
        let ran = Place::new()
            .run(&words.iter().map(String::as_str).collect::<Vec<_>>())
            .await;
        differences.extend(difference(
            arguments,
            &ran,
            code,
            &format!("drawbridge: {}\n", filled(message)),
        ));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    // Nothing has changed.
    let ran = place
        .run(&[
            "audit-log",
            "list",
            "--json",
            "--admin",
            &admin,
            "--token-file",
            &token,
        ])
        .await;
    assert_eq!(ran.ok(), "[]\n");
}
