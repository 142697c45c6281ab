//! Suggests the known name that an unknown one probably means.

/// Longer names are not compared: they are no typing mistakes, and comparing them takes time.
const NAME_BYTES_MAX: usize = 64;

/// The message about an unknown name: `what`, and the nearest of the known names if one is near.
pub(crate) fn unknown(
    what: &str,
    name: &str,
    known: impl Iterator<Item = impl AsRef<str> + Ord>,
) -> String {
    match nearest(name, known) {
        Some(key) => format!("{what}; did you mean {:?}?", key.as_ref()),
        None => what.into(),
    }
}

/// The known name with the fewest edits to `name`, if they are few for its length.
fn nearest<K: AsRef<str> + Ord>(name: &str, known: impl Iterator<Item = K>) -> Option<K> {
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let edits_max = (name.len() / 3).clamp(1, 3);
    known
        .map(|key| (strsim::osa_distance(name, key.as_ref()), key))
        .min()
        .filter(|(edits, _)| *edits <= edits_max)
        .map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_mistake_finds_its_name() {
        let known = ["listen", "port", "workers"];
        for (name, expected) in [
            ("prot", Some("port")),
            ("port", Some("port")),
            ("lsitn", None),
            ("lsiten", Some("listen")),
            ("wokrerss", Some("workers")),
            ("abc", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known.into_iter()), expected, "{name}");
        }
    }

    #[test]
    fn names_that_are_far_or_long_get_no_suggestion() {
        assert_eq!(
            unknown("unknown key", "cooldown", ["port"].iter()),
            "unknown key"
        );
        let long = "p".repeat(NAME_BYTES_MAX + 1);
        assert_eq!(
            unknown("unknown key", &long, [&long].into_iter()),
            "unknown key"
        );
    }
}
