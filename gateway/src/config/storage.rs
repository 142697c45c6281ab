//! The section `[storage]`: where draws are stored.
use std::time::Duration;

use router::SlotMap;
use settings::{Faulted, Section, all};
use shards::stock::cluster::RedisOptions;
use shards::store::{Dialer, ExpectedIdentity, MysqlDatabase, MysqlOptions, Tls};
use shards::{ClusterOptions, EmbeddedOptions, InstallationOptions};

use super::values::NamedFiles;

/// The keys of one kind of storage are unknown to the other.
pub fn read(section: &Section<'_>, files: NamedFiles) -> Result<InstallationOptions, Faulted> {
    match section
        .choice("kind", &[("embedded", false), ("cluster", true)])
        .or(false)
    {
        Ok(false) => Ok(InstallationOptions::Embedded(embedded(section)?)),
        Ok(true) => Ok(InstallationOptions::Cluster(Box::new(cluster(
            section, files,
        )?))),
        Err(faulted) => {
            section.leave_unread();
            Err(faulted)
        }
    }
}

fn embedded(section: &Section<'_>) -> Result<EmbeddedOptions, Faulted> {
    let data = section.string("data", 1..=4096).optional();
    let shards = section.integer("shards", 1..=256).or(2);
    let tables = section.integer("tables", 1..=64).or(4);
    check_map(section, "shards", shards.ok(), tables.ok());
    let data = data?;
    let data_is_named = data.is_some();
    let data = data.unwrap_or_else(|| "./data".to_owned()).into();
    Ok(EmbeddedOptions {
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

fn cluster(section: &Section<'_>, files: NamedFiles) -> Result<ClusterOptions, Faulted> {
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
    let timed = |options: MysqlOptions| {
        let options = MysqlOptions {
            connect_timeout,
            statement_timeout,
            ..options
        };
        MysqlDatabase::new(options, dialer.clone())
    };
    let (redis_timeout, prefix) = (redis_timeout?, prefix?);
    let timed_redis = |options: RedisOptions| RedisOptions {
        timeout: redis_timeout,
        prefix: prefix.clone(),
        ..options
    };
    Ok(ClusterOptions {
        meta: timed(meta?),
        shards: all(shards?)?.into_iter().map(timed).collect(),
        tables: tables?,
        redis: all(redis?)?.into_iter().map(timed_redis).collect(),
        segments: segments?,
    })
}

/// The timeouts are those of the whole cluster and come later.
fn mysql(section: &Section<'_>, files: NamedFiles) -> Result<MysqlOptions, Faulted> {
    let host = section.string("host", 1..=255).required();
    let port = section.integer("port", 1..=65_535).or(3306);
    let user = section.string("user", 1..=80).required();
    let password = password(section, files).map(Option::unwrap_or_default);
    let database = section.string("database", 1..=64).required();
    let tls = tls(section);
    Ok(MysqlOptions {
        host: host?,
        port: port?,
        user: user?,
        password: password?,
        database: database?,
        tls: tls?,
        connect_timeout: Duration::ZERO,
        statement_timeout: Duration::ZERO,
        expected: ExpectedIdentity::default(),
    })
}

/// The timeout and the prefix are those of the whole cluster and come later.
fn redis(section: &Section<'_>, files: NamedFiles) -> Result<RedisOptions, Faulted> {
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
fn password(section: &Section<'_>, files: NamedFiles) -> Result<Option<String>, Faulted> {
    let clear = section.secret("password", 0..=256).optional();
    let file = section.string("password_file", 1..=4096).try_map(|path| {
        if files == NamedFiles::Leave {
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

#[cfg(test)]
mod tests {
    use super::super::load::Config;
    use super::*;

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
    fn a_layout_that_the_router_cannot_do_is_a_fault() {
        let faults = Config::faults("[storage]\nshards = 100\ntables = 64\n", Vec::new());
        assert!(faults[0].contains("storage.shards"), "{faults:?}");
    }

    #[test]
    fn a_cluster_is_read_and_its_passwords_are_not_shown() {
        let config = Config::parse(CLUSTER, Vec::new()).expect("a config");
        let shown = format!("{config:#?}");
        assert!(!shown.contains("secret"), "{shown}");
        let InstallationOptions::Cluster(cluster) = config.storage else {
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
        assert_eq!(
            (cluster.meta.options.port, cluster.redis[0].port),
            (3306, 6379)
        );
        assert_eq!(
            cluster.shards[0].options.statement_timeout,
            Duration::from_secs(3)
        );
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
        let InstallationOptions::Cluster(cluster) = config.storage else {
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
        let faults = Config::faults(&without, Vec::new()).join("\n");
        for part in [
            "storage.redis[1].tls_ca_file",
            "storage.redis[1].user",
            "password_file",
        ] {
            assert!(faults.contains(part), "{part} is missing in:\n{faults}");
        }
        let Err(_) = redis("tls_ca_file = \"ca.pem\"\n") else {
            panic!("an unused file is a fault")
        };
    }

    #[test]
    fn faults_of_a_cluster_are_named() {
        let text = CLUSTER
            .replace("host = \"meta\"", "hots = \"meta\"\ntls = \"verify\"")
            .replace(
                "kind = \"cluster\"",
                "kind = \"cluster\"\ndata = \"x\"\ntables = 65",
            );
        let faults = Config::faults(&text, Vec::new()).join("\n");
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
}
