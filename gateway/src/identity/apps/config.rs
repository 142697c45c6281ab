//! The sections `[[app]]` of the configuration.
use std::path::PathBuf;

use settings::{Faulted, Section, all};

use super::id::AppId;
use super::keys::AppKeyring;
use super::options::AppConfig;

/// Applications that may be configured.
const APPS_MAX: usize = 64;

/// Reads the sections. Secrets are looked at if `with_keys` says so.
pub fn read(root: &Section<'_>, with_keys: bool) -> Result<Vec<AppConfig>, Faulted> {
    let sections = root.sections("app", 0..=APPS_MAX)?;
    let mut apps: Vec<AppConfig> = Vec::new();
    let mut faulted = None;
    for section in &sections {
        match app(section, with_keys) {
            Ok(app) if apps.iter().any(|other| other.id == app.id) => {
                faulted = Some(section.fault("id", "is the id of another application"));
            }
            Ok(app) => apps.push(app),
            Err(fault) => faulted = Some(fault),
        }
    }
    faulted.map_or(Ok(apps), Err)
}

fn app(section: &Section<'_>, with_keys: bool) -> Result<AppConfig, Faulted> {
    let id = section
        .string("id", 1..=AppId::CHARS_MAX)
        .try_map(|text| AppId::new(&text))
        .required();
    let key_files = key_files(section);
    let token_file = section.string("token_file", 1..=4096).optional();
    let config = AppConfig {
        id: id?,
        key_files: key_files?,
        token_file: token_file?.map(PathBuf::from),
    };
    if config.key_files.is_empty() && config.token_file.is_none() {
        let missing = "is missing: one or two files, with a key of at least 32 bytes in each";
        return Err(section.fault("key_files", missing));
    }
    // A reload reads them by itself: a broken key must not keep a limit from being lifted.
    if with_keys && let Err(why) = AppKeyring::read(std::slice::from_ref(&config)) {
        let names_token = config
            .token_file
            .as_ref()
            .is_some_and(|path| why.contains(&path.display().to_string()));
        let key = if names_token {
            "token_file"
        } else {
            "key_files"
        };
        return Err(section.fault(key, why));
    }
    Ok(config)
}

fn key_files(section: &Section<'_>) -> Result<Vec<PathBuf>, Faulted> {
    let Some(list) = section.list("key_files", 1..=2).optional()? else {
        return Ok(Vec::new());
    };
    let path = |value: settings::Value<'_>| value.string(1..=4096).required().map(PathBuf::from);
    all(list.into_iter().map(path))
}
