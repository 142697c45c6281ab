//! The server's configuration: one TOML file, over it environment variables, over them options.
//!
//! Every key has a default, so no file is needed. All faults are reported at once; a key that
//! nobody knows is a fault.
mod breakers;
pub mod effective;
mod warnings;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::effective::Effective;
pub use self::warnings::{Level, warnings};
use crate::api::cors::AllowedOrigins;
use crate::api::language::{Language, LanguageChoice};
use crate::api::statuses::Statuses;
use crate::edge::{TlsFiles, TrustedProxies, network};
use crate::identity;
use crate::limits::config as limits;
use router::SlotMap;
use settings::{Fault, Faulted, Override, Section, all, read_with_entries};
use shards::breaker;
use shards::cluster::{self, Sizes};
use shards::embedded;
use shards::stock::cluster::RedisOptions;
use shards::store::{Dialer, ExpectedIdentity, MysqlDatabase, Tls};
use shards::{LaneLimits, ReadLimits, Timeouts};

/// Environment variables that begin with this are settings: `DRAWBRIDGE_HTTP_LISTEN` is
/// `http.listen`.
pub const VARIABLE_PREFIX: &str = "DRAWBRIDGE_";

/// The variable that names the config file; the one setting that a file cannot hold.
const FILE_VARIABLE: &str = "DRAWBRIDGE_CONFIG";

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// This gateway among others.
    pub gateway: Gateway,
    /// The edge.
    pub http: Http,
    /// What waits, and how long.
    pub admission: Admission,
    /// How the server knows who draws.
    pub identity: identity::Options,
    /// How much may be asked.
    pub limits: limits::Config,
    /// Who may use the admin address.
    pub admin: Admin,
    /// Where draws are stored.
    pub storage: Storage,
    /// Sizes of lanes and readers.
    pub sizes: Sizes,
    /// What is scraped.
    pub metrics: Metrics,
    /// How long a stop may take.
    pub drain: Drain,
    /// Logging.
    pub log: Log,
}

/// This gateway among others.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// Its name in the list of gateways; `None` for its host and port.
    pub name: Option<String>,
}

/// The HTTP edge.
#[derive(Debug, Clone)]
pub struct Http {
    /// Where players draw.
    pub listen: SocketAddr,
    /// Health, readiness, metrics.
    pub admin: SocketAddr,
    /// Health, readiness and metrics once more, and nothing else.
    pub probes: Option<SocketAddr>,
    /// Which answers have HTTP status 200.
    pub always_200: Statuses,
    /// In which language refusals are written.
    pub language: LanguageChoice,
    /// Whose pages may call.
    pub allowed_origins: AllowedOrigins,
    /// Open connections; more wait in the system's queue.
    pub connections_max: usize,
    /// Open connections of one address; more only where others of it give way.
    pub connections_per_address_max: usize,
    /// From the connection to the end of its first request's head.
    pub first_header_timeout: Duration,
    /// From the end of one request's answer to the end of the next one's head.
    pub header_timeout: Duration,
    /// For a request's body.
    pub body_timeout: Duration,
    /// For a caller to take more of an answer that it has not read yet.
    pub write_timeout: Duration,
    /// Largest request body, in bytes.
    pub body_max_bytes: usize,
    /// Proxies whose headers about the caller are believed.
    pub trusted_proxies: TrustedProxies,
}

/// Tokens of the admin address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admin {
    /// A file with a token that may change things.
    pub token_file: Option<PathBuf>,
    /// A file with a token that may look.
    pub viewer_token_file: Option<PathBuf>,
    /// A folder of personal tokens, in `operators/` and `viewers/`; a file's name says whose it is.
    pub tokens_dir: Option<PathBuf>,
    /// What it speaks TLS with, where it does.
    pub tls: Option<TlsFiles>,
}

/// What the edge lets in.
#[derive(Debug, Clone, Copy)]
pub struct Admission {
    /// Requests that are being answered.
    pub in_flight_max: usize,
}

/// Where draws are stored.
#[derive(Debug, Clone)]
pub enum Storage {
    /// A folder of SQLite files; stock in memory.
    Embedded(Embedded),
    /// MySQL or MariaDB databases; stock in Redis.
    Cluster(Box<cluster::Options>),
}

/// The embedded default.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// The data folder.
    pub data: PathBuf,
    /// Shard files; fixed at the first start.
    pub shards: u16,
    /// Tables in each; fixed at the first start.
    pub tables: u16,
    /// Whether somebody chose the folder, rather than nobody.
    pub data_is_named: bool,
}

impl Embedded {
    /// The shards and their sizes.
    pub fn options(&self, sizes: Sizes) -> embedded::Options {
        let Sizes {
            lane,
            in_flight_max,
            timeouts,
            reads,
            breakers,
        } = sizes;
        let Self { shards, tables, .. } = *self;
        embedded::Options {
            shards,
            tables,
            lane,
            in_flight_max,
            timeouts,
            reads,
            breakers,
        }
    }
}

/// What `/metrics` answers.
#[derive(Debug, Clone, Copy)]
pub struct Metrics {
    /// A text is given out again for so long.
    pub age_max: Duration,
}

/// A stop.
#[derive(Debug, Clone, Copy)]
pub struct Drain {
    /// Not ready any more, but serving: until load balancers have seen it.
    pub grace: Duration,
    /// For requests under way and queued draws, after that.
    pub deadline: Duration,
}

/// Logging.
#[derive(Debug, Clone)]
pub struct Log {
    /// What to log, as a `tracing` filter such as `info` or `shards=debug,info`.
    pub filter: String,
    /// One JSON object per line, for machines.
    pub json: bool,
    /// Lines of the access log per second, of successes and of refusals each.
    pub access_lines_per_second_max: u32,
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
pub struct Live {
    /// How much may be asked.
    pub limits: limits::Config,
    /// When breakers open.
    pub breakers: breaker::Settings,
    /// Whose tokens the admin address takes.
    pub admin: Admin,
    /// Logging; its format cannot change.
    pub log: Log,
}

/// What becomes of files that a configuration names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Files {
    /// They are read: passwords are needed, and a broken key should be seen at once.
    Read,
    /// They are left alone: what they hold is somebody else's business.
    Leave,
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
    pub fn of_text(text: &str, options: Vec<Override>) -> Result<(Self, Effective), ConfigError> {
        Self::read(text, with_environment(options), Files::Read)
    }

    /// Reads a config text with what is laid over it.
    #[cfg(test)]
    pub fn parse(text: &str, overrides: Vec<Override>) -> Result<Self, ConfigError> {
        Self::read(text, overrides, Files::Read).map(|(config, _)| config)
    }

    fn read(
        text: &str,
        overrides: Vec<Override>,
        files: Files,
    ) -> Result<(Self, Effective), ConfigError> {
        let (config, entries) = read_with_entries(text, overrides, |root| config(root, files))
            .map_err(ConfigError::Faults)?;
        Ok((config, Effective::new(entries)))
    }
}

impl Live {
    /// Reads what may change. Faults anywhere in the text are faults; files that it names are not
    /// read, so a broken one keeps nothing else from changing.
    pub fn of_text(text: &str, options: Vec<Override>) -> Result<(Self, Effective), ConfigError> {
        let (config, effective) = Config::read(text, with_environment(options), Files::Leave)?;
        let Config {
            limits,
            admin,
            log,
            sizes,
            ..
        } = config;
        Ok((
            Self {
                limits,
                breakers: sizes.breakers,
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
        // What is not UTF-8 becomes a text that no setting takes, rather than nothing.
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

fn config(root: &Section<'_>, files: Files) -> Result<Config, Faulted> {
    let gateway = gateway(&root.section("gateway"));
    let http = http(&root.section("http"));
    let identity = identity::options(
        &root.section("identity"),
        http.as_ref().ok(),
        files == Files::Read,
    );
    let storage = storage(&root.section("storage"), files);
    let lanes = root.section("lanes");
    let lane = lane(&lanes, storage.as_ref().ok());
    let timeouts = timeouts(&lanes);
    let reads = reads(&root.section("reads"));
    let breakers = breakers::breakers(&root.section("breakers"));
    let admin = admin(&root.section("admin"));
    let in_flight_max = root
        .section("admission")
        .integer("in_flight_max", 1..=1_000_000)
        .or(8192);
    let limits = limits::read(&root.section("limits"));
    let metrics = metrics(&root.section("metrics"));
    let drain = drain(&root.section("drain"));
    let log = log(&root.section("log"));
    let in_flight_max = in_flight_max?;
    Ok(Config {
        gateway: gateway?,
        http: http?,
        admission: Admission { in_flight_max },
        identity: identity?,
        limits: limits?,
        admin: admin?,
        storage: storage?,
        sizes: Sizes {
            lane: lane?,
            in_flight_max,
            timeouts: timeouts?,
            reads: reads?,
            breakers: breakers?,
        },
        metrics: metrics?,
        drain: drain?,
        log: log?,
    })
}

fn gateway(section: &Section<'_>) -> Result<Gateway, Faulted> {
    let name = section
        .string("name", 1..=64)
        .try_map(gateway_name)
        .optional();
    Ok(Gateway { name: name? })
}

/// A name that stands in lists and on command lines. Behind a `~` stands what a gateway adds to a
/// name that another one has.
fn gateway_name(name: String) -> Result<String, &'static str> {
    let fits = name
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'~');
    if fits {
        Ok(name)
    } else {
        Err("expected visible ASCII characters without ~, such as gateway-0")
    }
}

fn http(section: &Section<'_>) -> Result<Http, Faulted> {
    let address = |key| {
        section
            .string(key, 1..=64)
            .try_map(|text| socket_address(&text))
    };
    let listen = address("listen").or(SocketAddr::from(([127, 0, 0, 1], 8091)));
    let admin = address("admin").or(SocketAddr::from(([127, 0, 0, 1], 8092)));
    let probes = address("probes").optional();
    let known = |address: &Result<SocketAddr, Faulted>| address.as_ref().ok().copied();
    let of_probes = probes.as_ref().ok().copied().flatten();
    let addresses = [
        ("listen", known(&listen)),
        ("admin", known(&admin)),
        ("probes", of_probes),
    ];
    check_are_different(section, &addresses);
    let always_200 = always_200(section);
    let language = language(section);
    let allowed_origins = allowed_origins(section);
    let connections_max = section.integer("connections_max", 1..=1_000_000).or(10_000);
    let connections_per_address_max = section
        .integer("connections_per_address_max", 1..=1_000_000)
        .or(2_000);
    let first_header_timeout = milliseconds(section, "first_header_timeout_ms", 5_000);
    let header_timeout = milliseconds(section, "header_timeout_ms", 30_000);
    let body_timeout = milliseconds(section, "body_timeout_ms", 10_000);
    let write_timeout = milliseconds(section, "write_timeout_ms", 10_000);
    let body_max_bytes = section.integer("body_max_bytes", 1024..=1_048_576).or(4096);
    let trusted_proxies = trusted_proxies(section);
    Ok(Http {
        listen: listen?,
        admin: admin?,
        probes: probes?,
        always_200: always_200?,
        language: language?,
        allowed_origins: allowed_origins?,
        connections_max: connections_max?,
        connections_per_address_max: connections_per_address_max?,
        first_header_timeout: first_header_timeout?,
        header_timeout: header_timeout?,
        body_timeout: body_timeout?,
        write_timeout: write_timeout?,
        body_max_bytes: body_max_bytes?,
        trusted_proxies: trusted_proxies?,
    })
}

fn always_200(section: &Section<'_>) -> Result<Statuses, Faulted> {
    let choices = [
        ("false", Statuses::Honest),
        ("true", Statuses::Always),
        ("rules", Statuses::Rules),
    ];
    section
        .choice_or_boolean("always_200", &choices)
        .or(Statuses::Honest)
}

fn language(section: &Section<'_>) -> Result<LanguageChoice, Faulted> {
    let choices = [
        ("auto", LanguageChoice::Auto),
        ("en", LanguageChoice::Fixed(Language::English)),
        ("zh", LanguageChoice::Fixed(Language::Chinese)),
    ];
    section
        .choice("language", &choices)
        .or(LanguageChoice::Auto)
}

fn allowed_origins(section: &Section<'_>) -> Result<AllowedOrigins, Faulted> {
    let Some(list) = section.list("allowed_origins", 0..=256).optional()? else {
        return Ok(AllowedOrigins::Any);
    };
    let list = all(list.iter().map(|value| value.string(1..=255).required()))?;
    AllowedOrigins::of(&list).map_err(|error| section.fault("allowed_origins", error))
}

/// Where to listen. Of names only `localhost` is one address for sure.
fn socket_address(text: &str) -> Result<SocketAddr, String> {
    let numeric = text
        .strip_prefix("localhost:")
        .map_or(text.to_owned(), |port| format!("127.0.0.1:{port}"));
    let expected =
        |_| format!("expected an IP address and a port such as 127.0.0.1:8091, found {text:?}");
    numeric.parse().map_err(expected)
}

/// Nothing can listen where something else does.
fn check_are_different(section: &Section<'_>, addresses: &[(&'static str, Option<SocketAddr>)]) {
    for (index, &(key, address)) in addresses.iter().enumerate() {
        for &(other_key, other) in &addresses[..index] {
            if let (Some(address), Some(other)) = (address, other)
                && are_one_address(address, other)
            {
                section.fault(
                    key,
                    format!("is {address}, and http.{other_key} is {other}: give them two ports"),
                );
            }
        }
    }
}

/// Whether nobody can listen on both.
fn are_one_address(one: SocketAddr, other: SocketAddr) -> bool {
    let everywhere = one.ip().is_unspecified() || other.ip().is_unspecified();
    // The system gives each port 0 a port of its own.
    one.port() == other.port() && one.port() != 0 && (one.ip() == other.ip() || everywhere)
}

fn trusted_proxies(section: &Section<'_>) -> Result<TrustedProxies, Faulted> {
    let networks = section.list("trusted_proxies", 0..=256).or(Vec::new())?;
    let networks = networks.iter().map(|value| {
        value
            .string(1..=64)
            .try_map(|text| network(&text))
            .required()
    });
    Ok(TrustedProxies::new(all(networks)?))
}

fn admin(section: &Section<'_>) -> Result<Admin, Faulted> {
    let file = |key| {
        section
            .string(key, 1..=4096)
            .optional()
            .map(|path| path.map(PathBuf::from))
    };
    let (token_file, viewer_token_file) = (file("token_file"), file("viewer_token_file"));
    let tokens_dir = file("tokens_dir");
    let tls = admin_tls(section);
    let (token_file, viewer_token_file, tokens_dir) =
        (token_file?, viewer_token_file?, tokens_dir?);
    Ok(Admin {
        token_file,
        viewer_token_file,
        tokens_dir,
        tls: tls?,
    })
}

/// Both files or none.
fn admin_tls(section: &Section<'_>) -> Result<Option<TlsFiles>, Faulted> {
    let (certificate, key) = ("tls_certificate_file", "tls_key_file");
    let file = |key| {
        section
            .string(key, 1..=4096)
            .optional()
            .map(|path| path.map(PathBuf::from))
    };
    match (file(certificate), file(key)) {
        (Ok(Some(certificate)), Ok(Some(key))) => Ok(Some(TlsFiles { certificate, key })),
        (Ok(Some(_)), Ok(None)) => {
            Err(section.fault(key, format!("goes with admin.{certificate}")))
        }
        (Ok(None), Ok(Some(_))) => {
            Err(section.fault(certificate, format!("goes with admin.{key}")))
        }
        (certificate, key) => certificate.and(key).map(|_| None),
    }
}

/// The keys of one kind of storage are unknown to the other.
fn storage(section: &Section<'_>, files: Files) -> Result<Storage, Faulted> {
    match section
        .choice("kind", &[("embedded", false), ("cluster", true)])
        .or(false)
    {
        Ok(false) => Ok(Storage::Embedded(embedded(section)?)),
        Ok(true) => Ok(Storage::Cluster(Box::new(cluster(section, files)?))),
        Err(faulted) => {
            section.leave_unread();
            Err(faulted)
        }
    }
}

fn embedded(section: &Section<'_>) -> Result<Embedded, Faulted> {
    let data = section.string("data", 1..=4096).optional();
    let shards = section.integer("shards", 1..=256).or(2);
    let tables = section.integer("tables", 1..=64).or(4);
    check_map(section, "shards", shards.ok(), tables.ok());
    let data = data?;
    let data_is_named = data.is_some();
    let data = data.unwrap_or_else(|| "./data".to_owned()).into();
    Ok(Embedded {
        data,
        shards: shards?,
        tables: tables?,
        data_is_named,
    })
}

fn check_map(section: &Section<'_>, key: &str, shards: Option<u16>, tables: Option<u16>) {
    if let (Some(shards), Some(tables)) = (shards, tables)
        && let Err(error) = SlotMap::even(1, shards, tables)
    {
        section.fault(key, error.to_string());
    }
}

fn cluster(section: &Section<'_>, files: Files) -> Result<cluster::Options, Faulted> {
    let tables = section.integer("tables", 1..=64).or(4);
    let segments = section.integer("segments", 1..=256).or(8);
    let connect_timeout = section
        .integer("connect_timeout_ms", 1..=600_000)
        .or(1_000)
        .map(Duration::from_millis);
    let statement_timeout = section
        .integer("statement_timeout_ms", 3_000..=600_000)
        .or(3_000)
        .map(Duration::from_millis);
    let redis_timeout = section
        .integer("redis_timeout_ms", 1..=600_000)
        .or(250)
        .map(Duration::from_millis);
    let prefix = section
        .string("redis_prefix", 1..=64)
        .or("drawbridge".to_owned());
    let meta = mysql(&section.section("meta"), files);
    let shards = section.sections("shard", 1..=256);
    let shards = shards.map(|sections| {
        sections
            .iter()
            .map(|shard| mysql(shard, files))
            .collect::<Vec<_>>()
    });
    let redis_sections = section.sections("redis", 1..=15);
    let redis = redis_sections.map(|sections| {
        sections
            .iter()
            .map(|server| redis(server, files))
            .collect::<Vec<_>>()
    });
    let count = shards
        .as_ref()
        .ok()
        .map(|shards| u16::try_from(shards.len()).unwrap_or(u16::MAX));
    check_map(section, "tables", count, tables.ok());
    let (connect_timeout, statement_timeout) = (connect_timeout?, statement_timeout?);
    let dialer = Dialer::default();
    let timed = |database: MysqlDatabase| {
        let dialer = dialer.clone();
        MysqlDatabase {
            connect_timeout,
            statement_timeout,
            dialer,
            ..database
        }
    };
    let (redis_timeout, prefix) = (redis_timeout?, prefix?);
    let timed_redis = |options: RedisOptions| RedisOptions {
        timeout: redis_timeout,
        prefix: prefix.clone(),
        ..options
    };
    Ok(cluster::Options {
        meta: timed(meta?),
        shards: all(shards?)?.into_iter().map(timed).collect(),
        tables: tables?,
        redis: all(redis?)?.into_iter().map(timed_redis).collect(),
        segments: segments?,
    })
}

/// Timeouts and dialer are those of the whole cluster and come later.
fn mysql(section: &Section<'_>, files: Files) -> Result<MysqlDatabase, Faulted> {
    let host = section.string("host", 1..=255).required();
    let port = section.integer("port", 1..=65_535).or(3306);
    let user = section.string("user", 1..=80).required();
    let password = password(section, files).map(Option::unwrap_or_default);
    let database = section.string("database", 1..=64).required();
    let tls = tls(section);
    Ok(MysqlDatabase {
        host: host?,
        port: port?,
        user: user?,
        password: password?,
        database: database?,
        tls: tls?,
        connect_timeout: Duration::ZERO,
        statement_timeout: Duration::ZERO,
        expected: ExpectedIdentity::default(),
        dialer: Dialer::default(),
    })
}

/// The timeout and the prefix are those of the whole cluster and come later.
fn redis(section: &Section<'_>, files: Files) -> Result<RedisOptions, Faulted> {
    let host = section.string("host", 1..=255).required();
    let port = section.integer("port", 1..=65_535).or(6379);
    let user = section.string("user", 1..=80).optional();
    let password = password(section, files);
    let tls = tls(section);
    let connections_max = section.integer("connections_max", 1..=1_000).or(16);
    if let (Ok(Some(_)), Ok(None)) = (&user, &password) {
        return Err(section.fault("user", "goes with password or password_file"));
    }
    Ok(RedisOptions {
        host: host?,
        port: port?,
        user: user?,
        password: password?,
        tls: tls?,
        prefix: String::new(),
        timeout: Duration::ZERO,
        connections_max: connections_max?,
    })
}

#[derive(Clone, Copy, PartialEq)]
enum TlsChoice {
    Off,
    Required,
    Verify,
}

fn tls(section: &Section<'_>) -> Result<Tls, Faulted> {
    let choices = [
        ("off", TlsChoice::Off),
        ("required", TlsChoice::Required),
        ("verify", TlsChoice::Verify),
    ];
    let choice = section.choice("tls", &choices).or(TlsChoice::Off);
    let ca_file = section.string("tls_ca_file", 1..=4096).optional();
    match (choice?, ca_file?) {
        (TlsChoice::Off, None) => Ok(Tls::Off),
        (TlsChoice::Required, None) => Ok(Tls::Required),
        (TlsChoice::Verify, Some(ca_file)) => Ok(Tls::Verify {
            ca_file: ca_file.into(),
        }),
        (TlsChoice::Verify, None) => {
            Err(section.fault("tls_ca_file", "is needed for tls = \"verify\""))
        }
        (_, Some(_)) => Err(section.fault("tls_ca_file", "goes with tls = \"verify\" only")),
    }
}

/// A password, in clear or in a file of its own. One that is left alone is empty.
fn password(section: &Section<'_>, files: Files) -> Result<Option<String>, Faulted> {
    let clear = section.secret("password", 0..=256).optional();
    let file = section.string("password_file", 1..=4096).try_map(|path| {
        if files == Files::Leave {
            return Ok(String::new());
        }
        std::fs::read_to_string(&path)
            .map_err(|error| format!("{path}: {error}"))
            .map(|text| text.trim_end().to_owned())
    });
    match (clear?, file.optional()?) {
        (Some(_), Some(_)) => {
            Err(section.fault("password_file", "and password exclude each other"))
        }
        (clear, file) => Ok(clear.or(file)),
    }
}

fn lane(section: &Section<'_>, storage: Option<&Storage>) -> Result<LaneLimits, Faulted> {
    // A batch that goes to servers costs more by itself than one that goes to a file.
    let default_linger_ms = if matches!(storage, Some(Storage::Cluster(_))) {
        4
    } else {
        0
    };
    let queue_max = section.integer("queue_max", 1..=1_000_000).or(2048);
    let batch_max = section.integer("batch_max", 1..=1024).or(1024);
    let queue_target = milliseconds(section, "queue_target_ms", 500);
    let linger = section
        .integer("linger_ms", 0..=100)
        .or(default_linger_ms)
        .map(Duration::from_millis);
    Ok(LaneLimits {
        queue_max: queue_max?,
        queue_target: queue_target?,
        batch_max: batch_max?,
        linger: linger?,
    })
}

fn timeouts(section: &Section<'_>) -> Result<Timeouts, Faulted> {
    let queue = milliseconds(section, "queue_timeout_ms", 2_000);
    let answer = milliseconds(section, "answer_timeout_ms", 5_000);
    let timeouts = Timeouts {
        queue: queue?,
        answer: answer?,
    };
    if timeouts.answer < timeouts.queue {
        return Err(section.fault(
            "answer_timeout_ms",
            "must not be shorter than lanes.queue_timeout_ms",
        ));
    }
    Ok(timeouts)
}

fn reads(section: &Section<'_>) -> Result<ReadLimits, Faulted> {
    let connections_max = section.integer("connections_max", 1..=64).or(2);
    let queue_max = section.integer("queue_max", 1..=100_000).or(1024);
    let timeout = milliseconds(section, "timeout_ms", 2_000);
    Ok(ReadLimits {
        connections_max: connections_max?,
        queue_max: queue_max?,
        timeout: timeout?,
    })
}

fn metrics(section: &Section<'_>) -> Result<Metrics, Faulted> {
    let age_max = section
        .integer("age_max_ms", 0..=60_000)
        .or(1_000)
        .map(Duration::from_millis);
    Ok(Metrics { age_max: age_max? })
}

fn drain(section: &Section<'_>) -> Result<Drain, Faulted> {
    let grace = section
        .integer("grace_ms", 0..=600_000)
        .or(1_000)
        .map(Duration::from_millis);
    let deadline = milliseconds(section, "deadline_ms", 15_000);
    Ok(Drain {
        grace: grace?,
        deadline: deadline?,
    })
}

fn log(section: &Section<'_>) -> Result<Log, Faulted> {
    let filter = section
        .string("filter", 1..=1024)
        .try_map(|text| tracing_subscriber::EnvFilter::try_new(&text).map(|_| text));
    let filter = filter.or("info".to_owned());
    let json = section
        .choice("format", &[("text", false), ("json", true)])
        .or(false);
    let access = section
        .integer("access_lines_per_second_max", 0..=100_000)
        .or(access_lines_default());
    Ok(Log {
        filter: filter?,
        json: json?,
        access_lines_per_second_max: access?,
    })
}

/// On a terminal the lines of requests would push away all that is said to whoever sits there.
fn access_lines_default() -> u32 {
    if std::io::stderr().is_terminal() {
        0
    } else {
        50
    }
}

/// A time of at least a millisecond and at most ten minutes.
fn milliseconds(
    section: &Section<'_>,
    key: &'static str,
    default: u64,
) -> Result<Duration, Faulted> {
    section
        .integer(key, 1..=600_000)
        .or(default)
        .map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str, overrides: Vec<Override>) -> Vec<String> {
        match Config::parse(text, overrides) {
            Err(ConfigError::Faults(faults)) => faults.iter().map(ToString::to_string).collect(),
            other => panic!("expected faults, got {other:?}"),
        }
    }

    #[test]
    fn an_empty_file_gives_the_documented_defaults() {
        let config = Config::parse("", Vec::new()).expect("defaults");
        assert_eq!(config.http.listen.to_string(), "127.0.0.1:8091");
        assert_eq!(config.http.admin.to_string(), "127.0.0.1:8092");
        let Storage::Embedded(embedded) = config.storage else {
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
        let faults = faults(text, overrides).join("\n");
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
    fn a_layout_that_the_router_cannot_do_is_a_fault() {
        let faults = faults("[storage]\nshards = 100\ntables = 64\n", Vec::new());
        assert!(faults[0].contains("storage.shards"), "{faults:?}");
    }

    const CLUSTER: &str = r#"
[storage]
kind = "cluster"
[storage.meta]
host = "meta"
user = "u"
password = "secret of meta"
database = "m"
[[storage.shard]]
host = "shard"
user = "u"
password = "secret of shard"
database = "s"
[[storage.redis]]
host = "redis"
password = "secret of redis"
"#;

    #[test]
    fn a_cluster_is_read_and_its_passwords_are_not_shown() {
        let config = Config::parse(CLUSTER, Vec::new()).expect("a config");
        let shown = format!("{config:#?}");
        assert!(!shown.contains("secret"), "{shown}");
        let Storage::Cluster(cluster) = config.storage else {
            panic!("a cluster")
        };
        assert_eq!(
            (
                cluster.shards.len(),
                cluster.tables,
                cluster.redis.len(),
                cluster.segments
            ),
            (1, 4, 1, 8)
        );
        assert_eq!((cluster.meta.port, cluster.redis[0].port), (3306, 6379));
        assert_eq!(cluster.shards[0].statement_timeout, Duration::from_secs(3));
    }

    #[test]
    fn a_stock_server_has_a_user_and_tls_as_databases_have() {
        let redis = |more: &str| Config::parse(&format!("{CLUSTER}{more}"), Vec::new());
        let config = redis("user = \"someone\"\ntls = \"verify\"\ntls_ca_file = \"ca.pem\"\n")
            .expect("a config");
        let shown = format!("{config:#?}");
        assert!(
            shown.contains("someone") && shown.contains("ca.pem") && !shown.contains("secret"),
            "{shown}"
        );
        let Storage::Cluster(cluster) = config.storage else {
            panic!("a cluster")
        };
        let server = &cluster.redis[0];
        assert_eq!(
            (server.user.as_deref(), &server.tls),
            (
                Some("someone"),
                &Tls::Verify {
                    ca_file: "ca.pem".into()
                }
            )
        );
        let without = CLUSTER.replace(
            "password = \"secret of redis\"",
            "user = \"someone\"\ntls = \"verify\"",
        );
        let faults = faults(&without, Vec::new()).join("\n");
        for part in [
            "storage.redis[1].tls_ca_file",
            "storage.redis[1].user",
            "password_file",
        ] {
            assert!(faults.contains(part), "{part} is missing in:\n{faults}");
        }
        let Err(_) = redis("tls_ca_file = \"ca.pem\"\n") else {
            panic!("a file that nobody reads is a fault")
        };
    }

    #[test]
    fn lanes_linger_in_a_cluster_only_unless_told_otherwise() {
        let linger_ms = |text: &str| {
            Config::parse(text, Vec::new())
                .expect("a config")
                .sizes
                .lane
                .linger
                .as_millis()
        };
        assert_eq!((linger_ms(CLUSTER), linger_ms("")), (4, 0));
        let told = "[lanes]\nlinger_ms = 7\n";
        assert_eq!(
            (linger_ms(&format!("{CLUSTER}{told}")), linger_ms(told)),
            (7, 7)
        );
    }

    #[test]
    fn faults_of_a_cluster_are_named() {
        let text = CLUSTER
            .replace("host = \"meta\"", "hots = \"meta\"\ntls = \"verify\"")
            .replace(
                "kind = \"cluster\"",
                "kind = \"cluster\"\ndata = \"x\"\ntables = 65",
            );
        let faults = faults(&text, Vec::new()).join("\n");
        let parts = [
            "storage.meta.host",
            "storage.meta.hots",
            "storage.meta.tls_ca_file",
            "storage.data",
            "storage.tables",
        ];
        for part in parts {
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

    #[test]
    fn tls_of_the_admin_address_needs_both_files() {
        let tls = |text: &str| Config::parse(&format!("[admin]\n{text}"), Vec::new());
        let both =
            tls("tls_certificate_file = \"c.pem\"\ntls_key_file = \"k.pem\"\n").expect("a config");
        assert_eq!(
            both.admin.tls,
            Some(TlsFiles {
                certificate: "c.pem".into(),
                key: "k.pem".into()
            })
        );
        for (one, missing) in [
            ("tls_certificate_file", "admin.tls_key_file"),
            ("tls_key_file", "admin.tls_certificate_file"),
        ] {
            let faults = faults(&format!("[admin]\n{one} = \"x.pem\"\n"), Vec::new());
            assert!(faults[0].contains(missing), "{faults:?}");
        }
    }

    #[test]
    fn the_two_addresses_are_two() {
        let faults = |listen: &str, admin: &str| match Config::parse(
            &format!("[http]\nlisten = \"{listen}\"\nadmin = \"{admin}\"\n"),
            Vec::new(),
        ) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        for (listen, admin) in [
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("127.0.0.1:1", "127.0.0.2:1"),
            ("localhost:1", "[::1]:1"),
        ] {
            assert_eq!(faults(listen, admin), "", "{listen} {admin}");
        }
        for (listen, admin) in [
            ("127.0.0.1:1", "localhost:1"),
            ("127.0.0.1:1", "0.0.0.0:1"),
            ("[::1]:1", "[::]:1"),
        ] {
            let text = faults(listen, admin);
            assert!(
                text.contains("http.admin") && text.contains("two ports"),
                "{listen} {admin}: {text}"
            );
        }
    }

    #[test]
    fn timeouts_that_must_nest_are_compared() {
        let faults = faults(
            "[lanes]\nqueue_timeout_ms = 3000\nanswer_timeout_ms = 2000\n",
            Vec::new(),
        );
        assert!(faults[0].contains("lanes.answer_timeout_ms"), "{faults:?}");
    }
}
