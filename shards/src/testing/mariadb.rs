//! The MariaDB servers of `testkit`, with databases as this crate connects to them.
use std::ops::Deref;
use std::time::Duration;

use testkit::servers::{SharedMariadb, new_database};

use crate::store::{Connection, Database, Dialer, ExpectedIdentity, MysqlDatabase, Tls};

/// A MariaDB server.
#[derive(Debug)]
pub(crate) struct Mariadb(testkit::servers::Mariadb);

impl Mariadb {
    /// A new database on the server that all tests of this process share.
    pub(crate) async fn shared_database() -> MysqlDatabase {
        let server = SharedMariadb::reached().await;
        let tls = if server.requires_tls {
            Tls::Required
        } else {
            Tls::Off
        };
        create_database(server.port, tls).await
    }

    /// Starts a server for one test.
    pub(crate) async fn private() -> Self {
        Self(testkit::servers::Mariadb::private().await)
    }

    /// Starts a server for one test with further options.
    pub(crate) async fn with_options(options: &[&str]) -> Self {
        Self(testkit::servers::Mariadb::with_options(options).await)
    }

    /// Starts a server for one test that can speak TLS. In its folder are `ca.pem`, whose
    /// certificate names it, and `other.pem`, which does not.
    pub(crate) async fn encrypted() -> Self {
        Self(testkit::servers::Mariadb::encrypted().await)
    }

    /// Starts a server for one test with hostile settings.
    pub(crate) async fn hostile() -> Self {
        Self(testkit::servers::Mariadb::hostile().await)
    }

    /// A new database.
    pub(crate) async fn database(&self) -> MysqlDatabase {
        create_database(self.address().port(), Tls::Off).await
    }
}

impl Deref for Mariadb {
    type Target = testkit::servers::Mariadb;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

async fn create_database(port: u16, tls: Tls) -> MysqlDatabase {
    let server = MysqlDatabase {
        host: "127.0.0.1".to_owned(),
        port,
        user: "root".to_owned(),
        password: String::new(),
        database: "mysql".to_owned(),
        tls,
        connect_timeout: Duration::from_secs(10),
        statement_timeout: Duration::from_secs(10),
        expected: ExpectedIdentity::default(),
        dialer: Dialer::default(),
    };
    let (name, statement) = new_database();
    let mut connection = server.connect().await.expect("a connection");
    connection.run(&statement).await.expect("a database");
    MysqlDatabase {
        database: name,
        ..server
    }
}
