//! Databases on the MariaDB servers of `testkit`.
use std::time::Duration;

use testkit::servers::{Mariadb, SharedMariadb, new_database};

use crate::store::{
    Connection, Database, Dialer, ExpectedIdentity, MysqlDatabase, MysqlOptions, Tls,
};

/// Databases on a server.
pub(crate) trait DatabaseServer {
    /// A new database on this server.
    async fn database(&self) -> MysqlDatabase;
}

impl DatabaseServer for Mariadb {
    async fn database(&self) -> MysqlDatabase {
        create_database(self.address().port(), Tls::Off).await
    }
}

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

async fn create_database(port: u16, tls: Tls) -> MysqlDatabase {
    let options = MysqlOptions {
        host: "127.0.0.1".to_owned(),
        port,
        user: "root".to_owned(),
        password: String::new(),
        database: "mysql".to_owned(),
        tls,
        connect_timeout: Duration::from_secs(10),
        statement_timeout: Duration::from_secs(10),
        expected: ExpectedIdentity::default(),
    };
    let server = MysqlDatabase::new(options, Dialer::default());
    let (name, statement) = new_database();
    let mut connection = server.connect().await.expect("a connection");
    connection.run(&statement).await.expect("a database");
    server.with(|options| options.database = name)
}
