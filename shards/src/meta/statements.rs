//! How a topic names its statements.

/// Declares the statements of a topic. Each name stands once, and finds one SQL file per dialect in
/// the topic's folder. `of::<D>()` picks the dialect. A topic that only MySQL has is declared `for
/// mysql`, and gets `MYSQL`.
macro_rules! statements {
    (@file $dialect:literal, $topic:literal, $name:ident) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/sql/",
            $dialect,
            "/meta/",
            $topic,
            "/",
            stringify!($name),
            ".sql"
        ))
    };
    ($(#[$doc:meta])* $name:ident in $topic:literal {
        $($(#[$field_doc:meta])* $field:ident),* $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub(crate) struct $name { $($(#[$field_doc])* pub(crate) $field: &'static str),* }

        impl $name {
            const MYSQL: &Self = &Self { $($field: statements!(@file "mysql", $topic, $field)),* };
            const SQLITE: &Self = &Self { $($field: statements!(@file "sqlite", $topic, $field)),* };

            /// In the dialect of `D`.
            pub(crate) const fn of<D: crate::store::Database>() -> &'static Self {
                match D::DIALECT.kind {
                    crate::store::DialectKind::Mysql => Self::MYSQL,
                    crate::store::DialectKind::Sqlite => Self::SQLITE,
                }
            }
        }
    };
    ($(#[$doc:meta])* $name:ident in $topic:literal for mysql {
        $($(#[$field_doc:meta])* $field:ident),* $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub(crate) struct $name { $($(#[$field_doc])* pub(crate) $field: &'static str),* }

        impl $name {
            pub(crate) const MYSQL: &Self = &Self { $($field: statements!(@file "mysql", $topic, $field)),* };
        }
    };
}

pub(super) use statements;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    /// Topics that only MySQL has.
    const MYSQL_ONLY: [&str; 2] = ["gateways", "stock_additions"];

    /// The statements of a dialect, by topic and name.
    fn statements(dialect: &str) -> BTreeMap<(String, String), String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("sql/{dialect}/meta"));
        let entries = |folder: &Path| {
            let entries = std::fs::read_dir(folder).expect("a folder");
            entries.map(|entry| entry.expect("an entry").path())
        };
        let name = |path: &Path| {
            let stem = path.file_stem().expect("a name");
            stem.to_str().expect("UTF-8").to_owned()
        };
        let mut found = BTreeMap::new();
        for topic in entries(&folder) {
            for file in entries(&topic) {
                let text = std::fs::read_to_string(&file).expect("a text");
                found.insert((name(&topic), name(&file)), text);
            }
        }
        found
    }

    #[test]
    fn each_statement_is_there_in_both_dialects() {
        let mut mysql = statements("mysql");
        mysql.retain(|(topic, _), _| !MYSQL_ONLY.contains(&topic.as_str()));
        let sqlite = statements("sqlite");
        assert!(mysql.keys().eq(sqlite.keys()), "{mysql:?}\n{sqlite:?}");
    }

    #[test]
    fn each_statement_has_one_place_for_its_value_at_most() {
        let mysql = statements("mysql");
        assert!(mysql.len() > 40, "{}", mysql.len());
        for (name, text) in &mysql {
            assert!(text.matches('?').count() <= 1, "{name:?}: {text}");
        }
    }
}
