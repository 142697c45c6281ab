//! Values from outside the file: options of the command line and environment variables.
use crate::nearest::unknown;
use crate::path::as_variable;

/// A value from outside that replaces or adds one of the file. It reaches keys of plain sections
/// only, not those within lists. Of several for one key the last wins.
pub struct Override {
    target: OverrideTarget,
    pub(crate) value: String,
    /// The name of the option or variable, for messages.
    pub(crate) origin: String,
}

enum OverrideTarget {
    /// The path of a key, such as `http.listen`.
    Path(String),
    /// A prefix and then a path in upper case with `_` for each dot, such as `HTTP_LISTEN`.
    /// The name alone does not say which path that is (`HTTP_ALWAYS_200` is `http.always_200`),
    /// so it is compared with the keys that are read.
    Variable { prefix: String, name: String },
}

impl Override {
    /// The value of an option such as `--listen` for the key at `path`. Faults name the option.
    pub fn option(path: &str, value: &str, option: &str) -> Self {
        Self {
            target: OverrideTarget::Path(path.into()),
            value: value.into(),
            origin: option.into(),
        }
    }

    /// The value of an environment variable: `prefix`, then the key's path in upper case with
    /// `_` for each dot. `None` for a variable without the prefix.
    pub fn variable(prefix: &str, name: &str, value: &str) -> Option<Self> {
        let target = OverrideTarget::Variable {
            prefix: prefix.into(),
            name: name.strip_prefix(prefix)?.into(),
        };
        Some(Self {
            target,
            value: value.into(),
            origin: format!("environment variable {name}"),
        })
    }

    /// Whether it is for the key at this path.
    pub(crate) fn is_for(&self, path: &str) -> bool {
        match &self.target {
            OverrideTarget::Path(own) => own == path,
            OverrideTarget::Variable { name, .. } => *name == as_variable(path),
        }
    }

    /// Whether it is for a key at or below this path.
    pub(crate) fn is_below(&self, path: &str) -> bool {
        let (own, path, dot) = match &self.target {
            OverrideTarget::Path(own) => (own, path.to_owned(), '.'),
            OverrideTarget::Variable { name, .. } => (name, as_variable(path), '_'),
        };
        own.strip_prefix(&path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(dot))
    }

    /// The message that no key took this override, with the nearest name among `paths`.
    pub(crate) fn unknown_among(&self, paths: &[String]) -> String {
        match &self.target {
            OverrideTarget::Path(path) => unknown("unknown setting", path, paths.iter().cloned()),
            OverrideTarget::Variable { prefix, name } => {
                let names = paths.iter().map(|path| prefix.clone() + &as_variable(path));
                unknown("unknown setting", &(prefix.clone() + name), names)
            }
        }
    }
}
