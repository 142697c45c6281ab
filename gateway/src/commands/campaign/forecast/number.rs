//! How the figures of a forecast are written.

/// A figure with at most four decimal places, for programs.
pub(super) fn rounded(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}

/// A figure with two decimal places at most, for people.
pub(super) fn short(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A share as a percentage.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", short(share * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_few_digits() {
        assert_eq!(
            [0.0, 100.0, 1.5, 0.004, 2.0 / 3.0].map(short),
            ["0", "100", "1.5", "0", "0.67"]
        );
        assert_eq!(percent(0.125), "12.5 %");
        assert_eq!(rounded(2.0 / 3.0).to_string(), "0.6667");
    }
}
