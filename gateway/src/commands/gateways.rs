//! `drawbridge gateways [forget|out|in]`: the gateways and the revision that each obeys, through
//! one gateway's admin address.
use std::fmt::Write;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::block_on::block_on;
use super::output::{fail, say};
use super::record::AttributionOptions;
use super::run_command::RunCommand;
use super::server::{AdminServer, ReadOptions, seconds, text};
use super::setting_change::{ChangeOptions, RequestedChange, ago};

/// The gateways of the installation.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct GatewaysOptions {
    #[command(subcommand)]
    command: Option<GatewaysCommand>,
    #[command(flatten)]
    read: ReadOptions,
}

/// What to do with gateways.
#[derive(Debug, Subcommand)]
enum GatewaysCommand {
    /// Take a silent gateway off the list: switches wait for it no longer
    Forget(ForgetOptions),
    /// Take a gateway out of rotation: its /readyz answers 503, and it goes on serving
    Out(RotationOptions),
    /// Put it back
    In(RotationOptions),
}

#[derive(Debug, Args)]
struct ForgetOptions {
    /// As `drawbridge gateways` shows it
    name: String,
    #[command(flatten)]
    record: AttributionOptions,
    #[command(flatten)]
    server: AdminServer,
}

#[derive(Debug, Args)]
struct RotationOptions {
    /// As `drawbridge gateways` shows it
    name: String,
    /// For this long only: 90s, 10m, 2h
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    lasts: Option<u64>,
    #[command(flatten)]
    changing: ChangeOptions,
}

impl RunCommand for GatewaysOptions {
    fn run(&self) -> ExitCode {
        match &self.command {
            None => list(&self.read),
            Some(GatewaysCommand::Forget(named)) => forget(named),
            Some(GatewaysCommand::Out(rotate)) => set_rotation(rotate, true),
            Some(GatewaysCommand::In(rotate)) => set_rotation(rotate, false),
        }
    }
}

fn list(read: &ReadOptions) -> ExitCode {
    match block_on(read.server.get("/admin/gateways")) {
        Ok(answer) if read.json => {
            say(format_args!("{}\n", answer["gateways"]));
            ExitCode::SUCCESS
        }
        Ok(answer) => {
            say(show(&answer));
            ExitCode::SUCCESS
        }
        Err(error) => fail(error),
    }
}

fn forget(named: &ForgetOptions) -> ExitCode {
    let ForgetOptions {
        name,
        record,
        server,
    } = named;
    let body = json!({ "name": name, "who": record.who(), "reason": record.reason });
    match block_on(server.call(Method::DELETE, "/admin/gateways", body.to_string())) {
        Ok(_) => {
            say(format_args!("{name} is forgotten\n"));
            ExitCode::SUCCESS
        }
        Err(error) => fail(error),
    }
}

fn set_rotation(rotate: &RotationOptions, out: bool) -> ExitCode {
    let RotationOptions {
        name,
        lasts,
        changing,
    } = rotate;
    let fields = json!({ "name": name, "out": out, "forSeconds": lasts });
    let path = "/admin/gateways/rotation";
    changing.carry_out(RequestedChange {
        method: Method::POST,
        path,
        fields,
        about: ("rotation", name),
        only: Some(name),
    })
}

fn show(answer: &Value) -> String {
    let gateways = answer["gateways"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let width = gateways
        .iter()
        .map(|gateway| text(gateway, "name").len())
        .chain([7])
        .max()
        .unwrap_or_default();
    let mut lines = String::new();
    let head = [
        "gateway", "state", "seen", "revision", "version", "config", "admin",
    ];
    row(&mut lines, width, &head.map(str::to_owned));
    for gateway in gateways {
        let config: String = text(gateway, "configHash").chars().take(8).collect();
        let [name, state, revision, version, admin] =
            ["name", "state", "revision", "version", "admin"].map(|field| text(gateway, field));
        row(
            &mut lines,
            width,
            &[
                name,
                state,
                format!("{} ago", ago(gateway)),
                revision,
                version,
                config,
                admin,
            ],
        );
        for note in notes(gateway) {
            let _ = writeln!(lines, "  {note}");
        }
    }
    lines
}

fn row(lines: &mut String, width: usize, columns: &[String; 7]) {
    let [name, state, seen, revision, version, config, admin] = columns;
    let line = format!(
        "{name:<width$}  {state:<6}  {seen:<10}  {revision:>8}  {version:<9}  {config:<8}  {admin}"
    );
    let _ = writeln!(lines, "{}", line.trim_end());
}

/// What differs from the other gateways.
fn notes(gateway: &Value) -> Vec<String> {
    let out = Some(text(gateway, "outBecause")).filter(|why| !why.is_empty());
    let out = out.map(|why| format!("out of rotation {why}"));
    let overrides = gateway["overrides"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|here| {
            let until = Some(text(here, "expiresAt")).filter(|at| !at.is_empty());
            let until = until.map_or(String::new(), |at| format!(" until {at}"));
            format!(
                "here only: {} {} {}{until}",
                text(here, "kind"),
                text(here, "target"),
                text(here, "value")
            )
        });
    let failures = gateway["failures"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|failure| {
            format!(
                "could not obey: {} {}: {}",
                text(failure, "kind"),
                text(failure, "target"),
                text(failure, "why")
            )
        });
    out.into_iter().chain(overrides).chain(failures).collect()
}
