//! In which language a refusal is written: as configured, or as the caller's browser asks.
use hyper::HeaderMap;
use hyper::header::ACCEPT_LANGUAGE;

use crate::answer::Language;

/// Languages that are looked at in one request.
const RANGES_MAX: usize = 32;

/// The language of a range such as `zh-CN` or `*`; English is what is written by default.
fn matching(range: &str) -> Option<Language> {
    match range.split('-').next()? {
        primary if primary.eq_ignore_ascii_case("zh") => Some(Language::Chinese),
        primary if primary.eq_ignore_ascii_case("en") || primary == "*" => Some(Language::English),
        _ => None,
    }
}

/// What is asked for most in `Accept-Language`; of equals the first; English when there is
/// none.
fn accepted(headers: &HeaderMap) -> Language {
    let values = headers
        .get_all(ACCEPT_LANGUAGE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let ranges = values.flat_map(|value| value.split(',')).take(RANGES_MAX);
    let wanted = ranges.filter_map(|entry| {
        let (range, quality) = weighed(entry)?;
        Some((matching(range)?, quality))
    });
    let best = wanted.fold(None, |best: Option<(Language, u16)>, next| match best {
        Some(best) if best.1 >= next.1 => Some(best),
        _ => Some(next),
    });
    best.map_or(Language::English, |(language, _)| language)
}

/// A range and its weight in thousandths; `None` when it is malformed or not acceptable.
fn weighed(entry: &str) -> Option<(&str, u16)> {
    let (range, parameters) = entry.split_once(';').unwrap_or((entry, "q=1"));
    let quality = parameters
        .trim()
        .strip_prefix(['q', 'Q'])?
        .trim_start()
        .strip_prefix('=')?;
    let thousandths = thousandths(quality.trim())?;
    (thousandths > 0).then(|| (range.trim(), thousandths))
}

/// A weight from 0 to 1 with at most three decimals.
fn thousandths(quality: &str) -> Option<u16> {
    let (whole, decimals) = quality.split_once('.').unwrap_or((quality, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let decimals = format!("{decimals:0<3}").parse::<u16>().ok()?;
    match whole {
        "0" => Some(decimals),
        "1" if decimals == 0 => Some(1000),
        _ => None,
    }
}

/// The key `http.language`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LanguageChoice {
    /// Always this one.
    Fixed(Language),
    /// As `Accept-Language` says.
    Auto,
}

impl LanguageChoice {
    /// The language of a refusal to a request with these headers.
    pub fn of(self, headers: &HeaderMap) -> Language {
        match self {
            LanguageChoice::Fixed(language) => language,
            LanguageChoice::Auto => accepted(headers),
        }
    }

    /// Whether refusals differ by what their request accepts.
    pub const fn vary(self) -> bool {
        matches!(self, LanguageChoice::Auto)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(lines: &[&str]) -> &'static str {
        let lines = lines
            .iter()
            .map(|line| (ACCEPT_LANGUAGE, line.parse().expect("a header value")));
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, value);
        }
        LanguageChoice::Auto.of(&headers).tag()
    }

    #[test]
    fn the_language_that_is_wanted_most_is_written() {
        for (line, expected) in [
            ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
            ("en-US,en;q=0.9,zh-CN;q=0.8", "en"),
            ("en;q=0.2, ZH-Hant-TW ; Q = 0.3", "zh"),
            ("zh;q=0.5,en;q=0.5", "zh"),
            ("en;q=0.5,zh;q=0.5", "en"),
            ("fr,zh;q=0.001", "zh"),
            ("*", "en"),
            ("zh;q=0.9,*", "en"),
            ("zh;q=0", "en"),
            ("zh;q=0.000,en;q=0.1", "en"),
            ("fr-FR,ja", "en"),
            ("zhuang", "en"),
            ("", "en"),
            (",;,zh;q=2,zh;q=-1,zh;q=0.1234,zh;q=x,zh;r=1,zh;q=1.5", "en"),
            ("zh;q=1.000,en", "zh"),
        ] {
            assert_eq!(accepted(&[line]), expected, "{line}");
        }
        assert_eq!(accepted(&[]), "en");
        assert_eq!(
            accepted(&["en;q=0.1", "zh"]),
            "zh",
            "lines of one header are one list"
        );
        assert_eq!(
            accepted(&[&format!("{}zh", "fr,".repeat(RANGES_MAX))]),
            "en",
            "an end to looking"
        );
    }

    #[test]
    fn a_configured_language_is_always_written() {
        let headers =
            HeaderMap::from_iter([(ACCEPT_LANGUAGE, "zh".parse().expect("a header value"))]);
        assert_eq!(
            LanguageChoice::Fixed(Language::English).of(&headers),
            Language::English
        );
        assert_eq!(
            LanguageChoice::Fixed(Language::Chinese).of(&HeaderMap::new()),
            Language::Chinese
        );
    }
}
