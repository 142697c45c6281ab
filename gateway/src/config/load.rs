//! The configuration as a whole: one TOML file, over it environment variables, over them options.
use std::path::{Path, PathBuf};

use settings::{Fault, Faulted, Override, Section, read_with_entries};
use shards::breaker;
use shards::{GatewaySizes, InstallationOptions};

use super::admin::{self, AdminConfig};
use super::admission::{self, AdmissionConfig};
use super::breakers;
use super::drain::{self, DrainConfig};
use super::effective::EffectiveConfig;
use super::gateway::{self, GatewayConfig};
use super::http::{self, HttpConfig};
use super::log::{self, LogConfig};
use super::metrics::{self, MetricsConfig};
use super::shards as lanes;
use super::storage;
use super::values::NamedFiles;
use crate::identity::apps::{self, AppConfig};
use crate::identity::{self, IdentityOptions, ListensAt};
use crate::limits::config::{self as limits, LimitsConfig};

/// Environment variables that begin with this are settings: `DRAWBRIDGE_HTTP_LISTEN` is
/// `http.listen`.
pub const VARIABLE_PREFIX: &str = "DRAWBRIDGE_";

/// The variable that names the config file; the one setting that a file cannot hold.
const FILE_VARIABLE: &str = "DRAWBRIDGE_CONFIG";

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// This gateway among others.
    pub gateway: GatewayConfig,
    /// The edge.
    pub http: HttpConfig,
    /// What waits, and how long.
    pub admission: AdmissionConfig,
    /// How the server identifies callers.
    pub identity: IdentityOptions,
    /// The applications that may call.
    pub apps: Vec<AppConfig>,
    /// How much may be asked.
    pub limits: LimitsConfig,
    /// Who may use the admin address.
    pub admin: AdminConfig,
    /// Where draws are stored.
    pub storage: InstallationOptions,
    /// Sizes of lanes and readers.
    pub sizes: GatewaySizes,
    /// What is scraped.
    pub metrics: MetricsConfig,
    /// How long a stop may take.
    pub drain: DrainConfig,
    /// Logging.
    pub log: LogConfig,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("config file {}: {error}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// It has faults.
    #[error("{}", lines(.0))]
    Faults(Vec<Fault>),
}

fn lines(faults: &[Fault]) -> String {
    let lines: Vec<String> = faults.iter().map(|fault| format!("  {fault}")).collect();
    format!(
        "the configuration has {} fault(s):\n{}",
        faults.len(),
        lines.join("\n")
    )
}

/// What of a configuration may change while the server runs.
#[derive(Debug, Clone)]
pub struct LiveConfig {
    /// How much may be asked.
    pub limits: LimitsConfig,
    /// When breakers open.
    pub breakers: breaker::BreakerSettings,
    /// The applications that may call.
    pub apps: Vec<AppConfig>,
    /// Whose tokens the admin address takes.
    pub admin: AdminConfig,
    /// Logging; its format cannot change.
    pub log: LogConfig,
}

impl Config {
    /// Reads the file, the environment and the options of the command line.
    pub fn load(file: Option<&Path>, options: Vec<Override>) -> Result<Self, ConfigError> {
        Self::of_text(&Self::text(file)?, options).map(|(config, _)| config)
    }

    /// The config file that is read: the one that is named, or the one that the environment names.
    pub fn file(file: Option<&Path>) -> Option<PathBuf> {
        file.map(Path::to_owned)
            .or_else(|| std::env::var_os(FILE_VARIABLE).map(PathBuf::from))
    }

    /// The text of the file; empty where there is none.
    pub fn text(file: Option<&Path>) -> Result<String, ConfigError> {
        let Some(path) = Self::file(file) else {
            return Ok(String::new());
        };
        std::fs::read_to_string(&path).map_err(|error| ConfigError::File { path, error })
    }

    /// Reads a file's text, the environment and the options of the command line; also returns each
    /// key with the origin of its value.
    pub fn of_text(
        text: &str,
        options: Vec<Override>,
    ) -> Result<(Self, EffectiveConfig), ConfigError> {
        Self::read(text, with_environment(options), NamedFiles::Read)
    }

    /// Reads a config text with what is laid over it.
    #[cfg(test)]
    pub fn parse(text: &str, overrides: Vec<Override>) -> Result<Self, ConfigError> {
        Self::read(text, overrides, NamedFiles::Read).map(|(config, _)| config)
    }

    /// The faults of a config text with what is laid over it.
    #[cfg(test)]
    pub fn faults(text: &str, overrides: Vec<Override>) -> Vec<String> {
        match Self::parse(text, overrides) {
            Err(ConfigError::Faults(faults)) => faults.iter().map(ToString::to_string).collect(),
            other => panic!("expected faults, got {other:?}"),
        }
    }

    /// Reads a config text with what is laid over it; also returns each key with its origin.
    pub(super) fn read(
        text: &str,
        overrides: Vec<Override>,
        files: NamedFiles,
    ) -> Result<(Self, EffectiveConfig), ConfigError> {
        let (config, entries) = read_with_entries(text, overrides, |root| config(root, files))
            .map_err(ConfigError::Faults)?;
        Ok((config, EffectiveConfig::new(entries)))
    }
}

impl LiveConfig {
    /// Reads what may change. Faults anywhere in the text are faults; files that it names are not
    /// read, so a broken one keeps nothing else from changing.
    pub fn of_text(
        text: &str,
        options: Vec<Override>,
    ) -> Result<(Self, EffectiveConfig), ConfigError> {
        let (config, effective) = Config::read(text, with_environment(options), NamedFiles::Leave)?;
        let Config {
            limits,
            apps,
            admin,
            log,
            sizes,
            ..
        } = config;
        Ok((
            Self {
                limits,
                breakers: sizes.breakers,
                apps,
                admin,
                log,
            },
            effective,
        ))
    }
}

/// The environment's settings and then the options: the last one wins.
fn with_environment(options: Vec<Override>) -> Vec<Override> {
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok().filter(|name| is_setting(name))?;
        // What is not UTF-8 becomes a string that no setting takes, rather than nothing.
        Override::variable(VARIABLE_PREFIX, &name, &value.to_string_lossy())
    });
    variables.chain(options).collect()
}

/// Kubernetes gives each pod the addresses of services in variables of the service's name. For
/// one that is called `drawbridge` they look like ours.
fn is_setting(variable: &str) -> bool {
    let ours =
        |rest: &str| rest != "PORT" && !rest.starts_with("PORT_") && !rest.starts_with("SERVICE_");
    variable != FILE_VARIABLE && variable.strip_prefix(VARIABLE_PREFIX).is_some_and(ours)
}

fn config(root: &Section<'_>, files: NamedFiles) -> Result<Config, Faulted> {
    let gateway = gateway::read(&root.section("gateway"));
    let http = http::read(&root.section("http"));
    let listens_at = http.as_ref().ok().map(|http| ListensAt {
        address: http.listen,
        proxies: &http.trusted_proxies,
    });
    let identity = identity::read(
        &root.section("identity"),
        listens_at,
        files == NamedFiles::Read,
    );
    let apps = apps::read(root, files == NamedFiles::Read);
    let storage = storage::read(&root.section("storage"), files);
    let of_lanes = root.section("lanes");
    let lane = lanes::lane(&of_lanes, storage.as_ref().ok());
    let timeouts = lanes::timeouts(&of_lanes);
    let reads = lanes::reads(&root.section("reads"));
    let breakers = breakers::read(&root.section("breakers"));
    let admin = admin::read(&root.section("admin"));
    let admission = admission::read(&root.section("admission"));
    let limits = limits::read(&root.section("limits"));
    let metrics = metrics::read(&root.section("metrics"));
    let drain = drain::read(&root.section("drain"));
    let log = log::read(&root.section("log"));
    let admission = admission?;
    Ok(Config {
        gateway: gateway?,
        http: http?,
        admission,
        identity: identity?,
        apps: apps?,
        limits: limits?,
        admin: admin?,
        storage: storage?,
        sizes: GatewaySizes {
            lane: lane?,
            in_flight_max: admission.in_flight_max,
            timeouts: timeouts?,
            reads: reads?,
            breakers: breakers?,
        },
        metrics: metrics?,
        drain: drain?,
        log: log?,
    })
}

#[cfg(test)]
mod tests {
    use crate::http::statuses::Statuses;

    use super::*;

    #[test]
    fn an_empty_file_gives_the_documented_defaults() {
        let config = Config::parse("", Vec::new()).expect("defaults");
        assert_eq!(config.http.listen.to_string(), "127.0.0.1:8091");
        assert_eq!(config.http.admin.to_string(), "127.0.0.1:8092");
        let InstallationOptions::Embedded(embedded) = config.storage else {
            panic!("embedded is the default")
        };
        assert_eq!(embedded.data, Path::new("./data"));
        assert_eq!((embedded.shards, embedded.tables), (2, 4));
    }

    #[test]
    fn options_win_over_variables_and_variables_over_the_file() {
        let text =
            "[http]\nlisten = \"127.0.0.1:1\"\nadmin = \"127.0.0.1:2\"\nalways_200 = false\n";
        let variable =
            |name, value| Override::variable(VARIABLE_PREFIX, name, value).expect("a setting");
        let overrides = vec![
            variable("DRAWBRIDGE_HTTP_LISTEN", "127.0.0.1:3"),
            variable("DRAWBRIDGE_HTTP_ADMIN", "127.0.0.1:4"),
            variable("DRAWBRIDGE_HTTP_ALWAYS_200", "true"),
            Override::option("http.listen", "127.0.0.1:5", "--listen"),
        ];
        let config = Config::parse(text, overrides).expect("a config");
        assert_eq!(config.http.listen.port(), 5);
        assert_eq!(config.http.admin.port(), 4);
        assert_eq!(config.http.always_200, Statuses::Always);
    }

    #[test]
    fn all_faults_are_reported_at_once() {
        let text = "[http]\nlisten = \"here\"\nlistne = 1\n[lanes]\nbatch_max = 0\n[log]\nformat = \"xml\"\n";
        let overrides = vec![Override::option("http.admin", "nowhere", "--admin")];
        let faults = Config::faults(text, overrides).join("\n");
        for part in [
            "line 2, http.listen",
            "http.listne",
            "--admin",
            "lanes.batch_max",
            "log.format",
        ] {
            assert!(faults.contains(part), "{part} is missing in:\n{faults}");
        }
    }

    #[test]
    fn addresses_of_a_service_called_drawbridge_are_no_settings() {
        for name in [
            "DRAWBRIDGE_PORT",
            "DRAWBRIDGE_PORT_8091_TCP",
            "DRAWBRIDGE_SERVICE_HOST",
            "DRAWBRIDGE_CONFIG",
            "PATH",
        ] {
            assert!(!is_setting(name), "{name}");
        }
        assert!(is_setting("DRAWBRIDGE_HTTP_LISTEN") && is_setting("DRAWBRIDGE_TYPO"));
    }
}
