//! How keys are named in messages: `storage.shard[1].host`.

/// The path of a key of a section. The root has the empty path.
pub(crate) fn joined(section: &str, key: &str) -> String {
    if section.is_empty() {
        key.into()
    } else {
        format!("{section}.{key}")
    }
}

/// The path of an entry of a list. Entries count from 1.
pub(crate) fn numbered(path: &str, index: usize) -> String {
    format!("{path}[{}]", index + 1)
}

/// The name of an environment variable for a path, without the prefix: `HTTP_LISTEN`.
pub(crate) fn as_variable(path: &str) -> String {
    path.replace('.', "_").to_ascii_uppercase()
}

/// A key as part of a path. One that is not a plain word is quoted, and cut when long.
pub(crate) fn quoted(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let is_plain = !key.is_empty() && key.len() <= 64 && key.bytes().all(plain);
    if is_plain {
        key.into()
    } else {
        format!("{:?}", excerpt(key))
    }
}

/// The first 40 characters.
pub(crate) fn excerpt(string: &str) -> String {
    match string.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &string[..end]),
        None => string.into(),
    }
}
