//! Commands that change what all gateways obey. One gateway writes the change to the meta database;
//! the command then waits until every gateway has reported that it obeys.
use std::fmt::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use hyper::Method;
use jiff::SignedDuration;
use serde_json::Value;
use tokio::time::sleep;

use super::block_on::block_on;
use super::output::{REFUSED, fail, say};
use super::record::AttributionOptions;
use super::server::{AdminServer, ServerError, text};

/// The pause between two reads of the list of gateways.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// How long to wait for a change, and where it applies.
#[derive(Debug, Args)]
struct WaitOptions {
    /// How long to wait until all gateways obey: 3s, 500ms
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = wait)]
    wait: Duration,
    /// Have this one gateway obey, from memory, until it ends (or --for is over): works without the
    /// meta database
    #[arg(long)]
    here: bool,
}

fn wait(given: &str) -> Result<Duration, String> {
    let expected = || format!("{given:?} is no time: give one such as 3s or 500ms");
    let lasts: SignedDuration = given.parse().map_err(|_| expected())?;
    Duration::try_from(lasts).map_err(|_| expected())
}

/// Who makes a change and why, how it is waited for, and which server is asked.
#[derive(Debug, Args)]
pub struct ChangeOptions {
    #[command(flatten)]
    record: AttributionOptions,
    #[command(flatten)]
    waiting: WaitOptions,
    #[command(flatten)]
    server: AdminServer,
}

/// A change, and who has to obey it.
#[derive(Debug)]
pub(super) struct RequestedChange<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    /// What is changed; who, why and where are added.
    pub(super) fields: Value,
    /// Kind and target of the setting, by which gateways name what they could not obey.
    pub(super) about: (&'a str, &'a str),
    /// Only this gateway has to obey.
    pub(super) only: Option<&'a str>,
}

impl ChangeOptions {
    /// Whether one gateway alone obeys.
    pub(super) const fn is_here(&self) -> bool {
        self.waiting.here
    }

    /// Sends a change.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        mut fields: Value,
    ) -> Result<Value, ServerError> {
        fields["who"] = self.record.who().into();
        fields["reason"] = self.record.reason.as_str().into();
        fields["here"] = self.waiting.here.into();
        self.server.call(method, path, fields.to_string()).await
    }

    /// Makes a change and waits until it is obeyed. Exit code 0 when all gateways do, 1 when some
    /// do not (it is made all the same), 2 when it could not be made.
    pub(super) fn carry_out(&self, change: RequestedChange<'_>) -> ExitCode {
        block_on(async {
            let RequestedChange {
                method,
                path,
                fields,
                about,
                only,
            } = change;
            let answer = match self.ask(method, path, fields).await {
                Ok(answer) => answer,
                Err(error) => return fail(error),
            };
            if self.is_here() {
                say(format_args!("obeyed by {} alone\n", text(&answer, "here")));
                return ExitCode::SUCCESS;
            }
            let Some(revision) = answer["revision"].as_u64() else {
                return fail("the server does not say under which revision it was set");
            };
            match obeyed(&self.server, revision, self.waiting.wait, only).await {
                Ok(list) => {
                    let obedience = obedience(&list, revision, about, only);
                    say(&obedience.text);
                    if obedience.by_all {
                        ExitCode::SUCCESS
                    } else {
                        ExitCode::from(REFUSED)
                    }
                }
                Err(error) => {
                    say(format_args!(
                        "it is set, but who obeys is not known: {error}\n"
                    ));
                    ExitCode::from(REFUSED)
                }
            }
        })
    }
}

/// Waits until all obey a revision. Returns the list of gateways as it was read last.
async fn obeyed(
    server: &AdminServer,
    revision: u64,
    within: Duration,
    only: Option<&str>,
) -> Result<Vec<Value>, ServerError> {
    let begun = Instant::now();
    loop {
        let answer = server
            .get(&format!("/admin/gateways?revision={revision}"))
            .await?;
        let list = answer["gateways"].as_array().cloned().unwrap_or_default();
        let all = list
            .iter()
            .filter(|gateway| concerns(gateway, only))
            .all(|gateway| gateway["obeys"] == true);
        if (all && !list.is_empty()) || begun.elapsed() >= within {
            return Ok(list);
        }
        sleep(LOOK_PAUSE).await;
    }
}

fn concerns(gateway: &Value, only: Option<&str>) -> bool {
    only.is_none_or(|name| gateway["name"] == name)
}

/// Which gateways obey a change, as it is printed.
#[derive(Debug, PartialEq, Eq)]
struct Obedience {
    text: String,
    by_all: bool,
}

fn obedience(
    list: &[Value],
    revision: u64,
    (kind, target): (&str, &str),
    only: Option<&str>,
) -> Obedience {
    let list: Vec<&Value> = list
        .iter()
        .filter(|gateway| concerns(gateway, only))
        .collect();
    let mut faults = String::new();
    let mut obeying = 0_usize;
    for gateway in &list {
        match fault(gateway, revision, kind, target) {
            None => obeying += 1,
            Some(fault) => {
                let _ = writeln!(faults, "{} {fault}", text(gateway, "name"));
            }
        }
    }
    if let (Some(name), true) = (only, list.is_empty()) {
        let text = format!("{name} is not in the list of gateways: it obeys when it starts\n");
        return Obedience {
            text,
            by_all: false,
        };
    }
    let by_all = obeying == list.len() && !list.is_empty();
    Obedience {
        text: format!("obeyed by {obeying} of {}\n{faults}", list.len()),
        by_all,
    }
}

/// Why a gateway does not obey; `None` where it does.
fn fault(gateway: &Value, revision: u64, kind: &str, target: &str) -> Option<String> {
    if gateway["state"] == "silent" {
        return Some(format!("last seen {} ago", ago(gateway)));
    }
    if gateway["obeys"] != true {
        return Some(format!(
            "still at revision {} (wanted {revision})",
            text(gateway, "revision")
        ));
    }
    let failures = gateway["failures"].as_array().into_iter().flatten();
    let mut ours =
        failures.filter(|failure| failure["kind"] == kind && failure["target"] == target);
    ours.next()
        .map(|failure| format!("could not: {}", text(failure, "why")))
}

/// How long ago a gateway was seen, for people.
pub(super) fn ago(gateway: &Value) -> String {
    let seconds = gateway["lastSeenMs"].as_u64().unwrap_or_default() / 1000;
    if seconds < 120 {
        format!("{seconds} s")
    } else {
        format!("{} min", seconds / 60)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn gateway(name: &str, state: &str, obeys: bool, last_seen_ms: u64, failures: &Value) -> Value {
        json!({"name": name, "state": state, "obeys": obeys, "revision": 41, "lastSeenMs": last_seen_ms,
               "failures": failures})
    }

    #[test]
    fn who_does_not_obey_is_named_with_what_is_known() {
        let failure = json!([{"kind": "breaker", "target": "shard-9", "why": "no such breaker"}]);
        let list = [
            gateway("a", "live", true, 10, &json!([])),
            gateway("b", "silent", false, 16_400, &json!([])),
            gateway("c", "live", false, 900, &json!([])),
            gateway("d", "out", true, 900, &failure),
            gateway("e", "silent", false, 300_000, &json!([])),
        ];
        let text = "obeyed by 1 of 5\nb last seen 16 s ago\nc still at revision 41 (wanted 43)\n\
                    d could not: no such breaker\ne last seen 5 min ago\n";
        assert_eq!(
            obedience(&list, 43, ("breaker", "shard-9"), None),
            Obedience {
                text: text.to_owned(),
                by_all: false
            }
        );
        // What a gateway could not obey of another setting does not count.
        let other = obedience(&list, 43, ("breaker", "shard-1"), Some("d"));
        assert_eq!(
            other,
            Obedience {
                text: "obeyed by 1 of 1\n".to_owned(),
                by_all: true
            }
        );
        assert!(
            !obedience(&[], 43, ("switch", "draw"), None).by_all,
            "no gateway is not all"
        );
        let gone = obedience(&list, 43, ("rotation", "f"), Some("f"));
        assert_eq!(
            gone.text,
            "f is not in the list of gateways: it obeys when it starts\n"
        );
    }

    #[test]
    fn times_to_wait_are_read() {
        assert_eq!(
            (wait("500ms"), wait("0s")),
            (Ok(Duration::from_millis(500)), Ok(Duration::ZERO))
        );
        for text in ["", "3", "-1s", "soon"] {
            assert!(wait(text).is_err_and(|why| why.contains("3s")), "{text}");
        }
    }
}
